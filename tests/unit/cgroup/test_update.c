// SPDX-License-Identifier: Apache-2.0
// What an update reads, writes, puts back and reports: directories of plain files stand for cgroups.
#include "cgroup/changes.h"
#include "cgroup/devices.h"
#include "cgroup/update.h"

#include "base/str.h"
#include "spawn/writer.h"
#include "sys/file.h"
#include "sys/io.h"

#include "../test.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

struct file {
	const char *name, *text;
};

/* A container with a cgroup of one hierarchy. */
struct fake {
	struct cgroup cg;
	char root[32];
	struct update_report report;
	struct crun_error err;
	struct oci_arena arena;
	struct cgroup_update *done;
	int result;
};

static void write_file(struct fake *f, const char *name, const char *text)
{
	_cleanup_close_ int fd =
		openat(f->cg.hier[0].dir_fd, name, O_CREAT | O_WRONLY | O_TRUNC, 0644);

	if (fd < 0 || io_write_all(fd, text, strlen(text)) < 0)
		abort();
}

/* The kernel's files are written as a whole; those of a disk keep their old end, so here old and new texts are of the same length. */
static const char *content(const struct fake *f, const char *name)
{
	static char text[4096];

	if (io_read_file_at(f->cg.hier[0].dir_fd, name, text, sizeof(text)) < 0)
		return NULL;
	return text;
}

static void fake_make(struct fake *f, unsigned v1_controller, const struct file *files)
{
	struct cg_hier *h = &f->cg.hier[0];
	struct crun_error err;
	char path[64];

	*f = (struct fake){.root = "/tmp/crun-test-XXXXXX"};
	if (!mkdtemp(f->root) || cg_set_path(&f->cg, "/c", &err) < 0)
		abort();
	snprintf(path, sizeof(path), "%s/c", f->root);
	if (mkdir(path, 0755) < 0)
		abort();
	*h = (struct cg_hier){
		.root = strdup(f->root),
		.v2 = v1_controller == 0,
		.controllers = v1_controller,
		.leaf_made = true,
		.root_fd = open(f->root, O_RDONLY | O_DIRECTORY | O_CLOEXEC),
		.dir_fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC),
	};
	f->cg.hier_len = 1;
	for (; files->name; files++)
		write_file(f, files->name, files->text);
}

static void fake_remove(struct fake *f)
{
	static const char *const names[] = {
		"cgroup.controllers",
		"memory.max",
		"memory.swap.max",
		"memory.current",
		"memory.low",
		"memory.oom.group",
		"memory.limit_in_bytes",
		"memory.memsw.limit_in_bytes",
		"memory.usage_in_bytes",
		"memory.oom_control",
		"cpu.max",
		"cpu.weight",
		"cpu.idle",
		"cpu.max.burst",
		"cpu.cfs_quota_us",
		"cpu.cfs_period_us",
		"pids.max",
		"io.max",
		"io.weight",
		"io.bfq.weight",
		"hugetlb.2MB.max",
		"hugetlb.2MB.rsvd.max",
		"rdma.max",
		"misc.max",
		"cgroup.max.depth",
		"net_prio.ifpriomap",
		"net_cls.classid",
		"blkio.throttle.read_bps_device",
	};
	char path[64];

	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		unlinkat(f->cg.hier[0].dir_fd, names[i], 0);
	snprintf(path, sizeof(path), "%s/c", f->root);
	rmdir(path);
	snprintf(path, sizeof(path), "%s/cgroup.controllers", f->root);
	unlink(path);
	if (rmdir(f->root) < 0)
		printf("# %s is left\n", f->root);
	cgroup_update_free(f->done);
	update_report_done(&f->report);
	cg_clear(&f->cg);
	oci_arena_free(&f->arena);
}

static void update(struct fake *f, const char *json)
{
	struct plan_cgroup request = {.owner = (uid_t)-1};
	struct oci_linux_resources *res;
	struct oci_parse_error why;
	char text[512];

	snprintf(text, sizeof(text), "%s", json);
	for (char *c = text; *c; c++)
		*c = *c == '\'' ? '"' : *c;
	update_report_done(&f->report);
	cgroup_update_free(f->done);
	f->done = NULL;
	f->err = (struct crun_error){0};
	if (oci_linux_resources_parse(NULL, text, strlen(text), &f->arena, &res, &why) < 0) {
		printf("# %s\n", why.text);
		f->result = -EBADMSG;
		return;
	}
	request.resources = res;
	f->result = cgroup_update(&f->cg, &request, &f->report, &f->done, &f->err);
}

static const char *verdict(const struct fake *f, const char *key)
{
	for (size_t i = 0; i < f->report.len; i++) {
		if (str_eq(f->report.items[i].key, key))
			return update_verdict_name(f->report.items[i].verdict);
	}
	return "none";
}

/* One key: what is there before, what the update says, and what is there afterwards. */
struct row {
	const char *json, *key, *verdict;
	const char *file, *before, *after;
	const char *other, *other_text; /* another file that is there */
	enum cg_controller v1;		/* 0: cgroup v2 */
};

#define DEVICE "'major':8,'minor':16"

static const struct row rows[] = {
	/* cgroup v2 */
	{"{'memory':{'limit':8192}}", "/memory/limit", "applied", "memory.max", "4096", "8192",
	 NULL, NULL, 0},
	{"{'memory':{'limit':4096}}", "/memory/limit", "unchanged", "memory.max", "4096", "4096",
	 NULL, NULL, 0},
	{"{'memory':{'limit':0}}", "/memory/limit", "unchanged", "memory.max", "4096", "4096", NULL,
	 NULL, 0},
	{"{'memory':{'limit':-1}}", "/memory/limit", "applied", "memory.max", "409", "max", NULL,
	 NULL, 0},
	{"{'memory':{'swap':8192}}", "/memory/swap", "applied", "memory.swap.max", "1000", "4096",
	 "memory.max", "4096", 0},
	{"{'memory':{'swap':-1}}", "/memory/swap", "applied", "memory.swap.max", "100", "max",
	 "memory.max", "4096", 0},
	{"{'memory':{'reservation':8192}}", "/memory/reservation", "applied", "memory.low", "4096",
	 "8192", NULL, NULL, 0},
	{"{'memory':{'kernel':8192}}", "/memory/kernel", "ignored", "memory.max", "4096", "4096",
	 NULL, NULL, 0},
	{"{'memory':{'disableOOMKiller':false}}", "/memory/disableOOMKiller", "unchanged",
	 "memory.max", "1", "1", NULL, NULL, 0},
	{"{'cpu':{'shares':1024}}", "/cpu/shares", "applied", "cpu.weight", "999", "100", NULL,
	 NULL, 0},
	{"{'cpu':{'quota':50000}}", "/cpu/quota", "applied", "cpu.max", "20000 100000",
	 "50000 100000", NULL, NULL, 0},
	{"{'cpu':{'quota':-1}}", "/cpu/quota", "applied", "cpu.max", "200 100000", "max 100000",
	 NULL, NULL, 0},
	{"{'cpu':{'period':200000}}", "/cpu/period", "applied", "cpu.max", "20000 100000",
	 "20000 200000", NULL, NULL, 0},
	{"{'cpu':{'quota':40000,'period':200000}}", "/cpu/period", "applied", "cpu.max",
	 "20000 100000", "40000 200000", NULL, NULL, 0},
	{"{'cpu':{'burst':0}}", "/cpu/burst", "applied", "cpu.max.burst", "5", "0", NULL, NULL, 0},
	{"{'cpu':{'burst':0}}", "/cpu/burst", "unchanged", "cpu.max", "max 100000", "max 100000",
	 NULL, NULL, 0},
	{"{'cpu':{'idle':0}}", "/cpu/idle", "applied", "cpu.idle", "1", "0", NULL, NULL, 0},
	{"{'cpu':{'idle':1}}", "/cpu/idle", "applied", "cpu.idle", "0", "1", NULL, NULL, 0},
	{"{'pids':{'limit':-1}}", "/pids/limit", "applied", "pids.max", "100", "max", NULL, NULL,
	 0},
	{"{'pids':{'limit':0}}", "/pids/limit", "unchanged", "pids.max", "100", "100", NULL, NULL,
	 0},
	{"{'blockIO':{'weight':1000}}", "/blockIO/weight", "applied", "io.bfq.weight", "1001",
	 "1000", NULL, NULL, 0},
	{"{'blockIO':{'throttleReadBpsDevice':[{" DEVICE ",'rate':7}]}}",
	 "/blockIO/throttleReadBpsDevice/0", "applied", "io.max", "8:16 rbps=5", "8:16 rbps=7",
	 NULL, NULL, 0},
	{"{'hugepageLimits':[{'pageSize':'2MB','limit':4096}]}", "/hugepageLimits/0", "applied",
	 "hugetlb.2MB.rsvd.max", "8192", "4096", "hugetlb.2MB.max", "4096", 0},
	{"{'rdma':{'m0':{'hcaHandles':3}}}", "/rdma/m0", "applied", "rdma.max", "m0 hca_handle=2",
	 "m0 hca_handle=3", NULL, NULL, 0},
	{"{'unified':{'memory.oom.group':'1'}}", "/unified/memory.oom.group", "applied",
	 "memory.oom.group", "0", "1", NULL, NULL, 0},
	{"{'unified':{'misc.max':'sev 10'}}", "/unified/misc.max", "applied", "misc.max", "sev 20",
	 "sev 10", NULL, NULL, 0},
	/* cgroup v1 */
	{"{'memory':{'limit':8192}}", "/memory/limit", "applied", "memory.limit_in_bytes", "4096",
	 "8192", NULL, NULL, CG_MEMORY},
	{"{'memory':{'swap':8192}}", "/memory/swap", "applied", "memory.memsw.limit_in_bytes",
	 "4096", "8192", "memory.limit_in_bytes", "4096", CG_MEMORY},
	{"{'memory':{'limit':-1}}", "/memory/limit", "applied", "memory.memsw.limit_in_bytes", "99",
	 "-1", "memory.limit_in_bytes", "99", CG_MEMORY},
	{"{'memory':{'disableOOMKiller':false}}", "/memory/disableOOMKiller", "applied",
	 "memory.oom_control", "1", "0", NULL, NULL, CG_MEMORY},
	{"{'network':{'classID':1048577}}", "/network/classID", "applied", "net_cls.classid",
	 "1048576", "1048577", NULL, NULL, CG_NET_CLS},
	{"{'network':{'priorities':[{'name':'eth0','priority':9}]}}", "/network/priorities/0",
	 "applied", "net_prio.ifpriomap", "eth0 8", "eth0 9", NULL, NULL, CG_NET_PRIO},
	{"{'blockIO':{'throttleReadBpsDevice':[{" DEVICE ",'rate':7}]}}",
	 "/blockIO/throttleReadBpsDevice/0", "applied", "blkio.throttle.read_bps_device", "8:16 5",
	 "8:16 7", NULL, NULL, CG_IO},
};

static const struct file nothing[] = {
	{"cgroup.controllers", "cpuset cpu io memory hugetlb pids rdma misc"},
	{NULL, NULL},
};

TEST(each_key_has_its_file_and_verdict)
{
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		const struct row *row = &rows[i];
		const char *other = row->other;
		struct fake f;

		fake_make(&f, row->v1 ? CG_BIT(row->v1) : 0, nothing);
		write_file(&f, row->file, row->before);
		if (other)
			write_file(&f, other, row->other_text);
		update(&f, row->json);
		if (f.result < 0)
			TEST_FAIL("%s: %s", row->json, f.err.text);
		if (!str_eq(verdict(&f, row->key), row->verdict))
			TEST_FAIL("%s: %s is %s", row->json, row->key, verdict(&f, row->key));
		if (!str_eq(content(&f, row->file), row->after))
			TEST_FAIL("%s: %s has \"%s\"", row->json, row->file,
				  content(&f, row->file));
		fake_remove(&f);
	}
}

TEST(undo_puts_everything_back)
{
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		const struct row *row = &rows[i];
		struct fake f;

		fake_make(&f, row->v1 ? CG_BIT(row->v1) : 0, nothing);
		write_file(&f, row->file, row->before);
		if (row->other)
			write_file(&f, row->other, row->other_text);
		update(&f, row->json);
		CHECK_INT(f.result, 0);
		err_set(&f.err, KIND_SYSTEM, EIO, "later");
		cgroup_update_undo(f.done, &f.err);
		CHECK_STR(f.err.text, "later");
		if (!str_eq(content(&f, row->file), row->before))
			TEST_FAIL("%s: %s has \"%s\"", row->json, row->file,
				  content(&f, row->file));
		fake_remove(&f);
	}
}

TEST(unsupported_keys_are_all_named_and_nothing_is_written)
{
	static const struct file files[] = {
		{"cgroup.controllers", "memory pids"},
		{"memory.max", "4096"},
		{"pids.max", "100"},
		{NULL, NULL},
	};
	struct fake f;

	fake_make(&f, 0, files);
	update(&f, "{'memory':{'limit':8192,'swappiness':5,'disableOOMKiller':true,'useHierarchy':"
		   "false},'pids':{'limit':200},'network':{'classID':1,'priorities':[{'name':'lo',"
		   "'priority':1}]},'unified':{'memory.none':'1','frobs.max':'1'},'memory_':1}");
	CHECK_INT(f.result, -EOPNOTSUPP);
	CHECK_INT(f.err.kind, KIND_UNSUPPORTED);
	CHECK_STR(f.err.at, "/linux/resources/memory/swappiness");
	CHECK_STR(verdict(&f, "/memory/swappiness"), "unsupported");
	CHECK_STR(verdict(&f, "/memory/disableOOMKiller"), "unsupported");
	CHECK_STR(verdict(&f, "/memory/useHierarchy"), "unsupported");
	CHECK_STR(verdict(&f, "/network/classID"), "unsupported");
	CHECK_STR(verdict(&f, "/network/priorities/0"), "unsupported");
	CHECK_STR(verdict(&f, "/unified/memory.none"), "unsupported");
	CHECK_STR(verdict(&f, "/unified/frobs.max"), "unsupported");
	CHECK_STR(verdict(&f, "/memory/limit"), "left");
	CHECK_STR(verdict(&f, "/pids/limit"), "left");
	CHECK_STR(content(&f, "memory.max"), "4096");
	CHECK_STR(content(&f, "pids.max"), "100");
	fake_remove(&f);
}

TEST(a_failed_write_undoes_the_others)
{
	static const struct file files[] = {
		{"cgroup.controllers", "memory pids cpu"},
		{"memory.max", "4096"},
		{"cpu.weight", "999"},
		{NULL, NULL},
	};
	struct fake f;

	fake_make(&f, 0, files);
	/* A directory can be seen, but not written: stands for a value that the kernel refuses. */
	CHECK_INT(mkdirat(f.cg.hier[0].dir_fd, "pids.max", 0755), 0);
	update(&f, "{'memory':{'limit':8192},'pids':{'limit':200},'cpu':{'shares':1024}}");
	CHECK(f.result < 0);
	CHECK_STR(f.err.at, "/linux/resources/pids/limit");
	CHECK_STR(verdict(&f, "/pids/limit"), "failed");
	CHECK_STR(verdict(&f, "/memory/limit"), "left");
	CHECK_STR(verdict(&f, "/cpu/shares"), "left");
	CHECK_STR(content(&f, "memory.max"), "4096");
	CHECK_STR(content(&f, "cpu.weight"), "999");
	CHECK(!strstr(f.err.text, "put back"));
	CHECK_INT(unlinkat(f.cg.hier[0].dir_fd, "pids.max", AT_REMOVEDIR), 0);
	fake_remove(&f);
}

/* As if a signal came right after NAME was written: what tells of that is an inotify descriptor here. */
static int cancel_after(const struct fake *f, const char *name)
{
	char path[64];
	int fd = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);

	snprintf(path, sizeof(path), "%s/c/%s", f->root, name);
	if (fd < 0 || inotify_add_watch(fd, path, IN_MODIFY) < 0)
		abort();
	return fd;
}

TEST(a_signal_in_the_middle_or_at_the_end_undoes_everything)
{
	static const struct file files[] = {
		{"cgroup.controllers", "memory pids cpu"},
		{"memory.max", "4096"},
		{"cpu.weight", "999"},
		{"pids.max", "100"},
		{NULL, NULL},
	};
	/* In the order in which they are written. */
	static const char *const names[] = {"cpu.weight", "memory.max", "pids.max"};

	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		struct deadline d = deadline_none();
		struct fake f;

		fake_make(&f, 0, files);
		d.cancel_fd = cancel_after(&f, names[i]);
		f.cg.deadline = &d;
		update(&f, "{'memory':{'limit':8192},'pids':{'limit':200},'cpu':{'shares':1024}}");
		close(d.cancel_fd);
		CHECK_INT(f.result, -EINTR);
		CHECK_INT(f.err.kind, KIND_INTERRUPTED);
		CHECK(strstr(f.err.text, "updating cgroup `"));
		CHECK(!strstr(f.err.text, "put back"));
		CHECK_STR(content(&f, "cpu.weight"), "999");
		CHECK_STR(content(&f, "memory.max"), "4096");
		CHECK_STR(content(&f, "pids.max"), "100");
		CHECK_STR(verdict(&f, "/cpu/shares"), "left");
		fake_remove(&f);
	}
}

TEST(time_that_is_over_undoes_everything)
{
	static const struct file files[] = {
		{"cgroup.controllers", "memory pids"},
		{"memory.max", "4096"},
		{"pids.max", "100"},
		{NULL, NULL},
	};
	struct deadline d = deadline_in(0);
	struct fake f;

	fake_make(&f, 0, files);
	f.cg.deadline = &d;
	update(&f, "{'memory':{'limit':8192},'pids':{'limit':200}}");
	CHECK_INT(f.result, -ETIMEDOUT);
	CHECK_INT(f.err.kind, KIND_TIMEOUT);
	CHECK_STR(content(&f, "memory.max"), "4096");
	CHECK_STR(content(&f, "pids.max"), "100");
	fake_remove(&f);
}

TEST(memory_and_swap_alone_are_held_against_what_is_there)
{
	static const struct file v2[] = {
		{"cgroup.controllers", "memory"}, {"memory.max", "max"}, {"memory.swap.max", "max"},
		{"memory.current", "5000"},	  {NULL, NULL},
	};
	static const struct file v1[] = {
		{"memory.limit_in_bytes", "4096"},
		{"memory.memsw.limit_in_bytes", "8192"},
		{"memory.usage_in_bytes", "5000"},
		{NULL, NULL},
	};
	struct fake f;

	fake_make(&f, 0, v2);
	update(&f, "{'memory':{'swap':8192}}");
	CHECK_INT(f.result, -EINVAL);
	CHECK(strstr(f.err.text, "the container has none"));
	CHECK_STR(verdict(&f, "/memory/swap"), "failed");
	write_file(&f, "memory.max", "9000");
	update(&f, "{'memory':{'swap':8192}}");
	CHECK(strstr(f.err.text, "change both"));
	CHECK_STR(content(&f, "memory.swap.max"), "max");
	update(&f, "{'memory':{'limit':4999,'checkBeforeUpdate':true}}");
	CHECK_INT(f.result, -EBUSY);
	CHECK_STR(f.err.at, "/linux/resources/memory/limit");
	update(&f, "{'memory':{'limit':5000,'checkBeforeUpdate':true}}");
	CHECK_INT(f.result, 0);
	fake_remove(&f);
	fake_make(&f, CG_BIT(CG_MEMORY), v1);
	update(&f, "{'memory':{'swap':4000}}");
	CHECK_INT(f.result, -EINVAL);
	CHECK(strstr(f.err.text, "change both"));
	update(&f, "{'memory':{'limit':9000}}");
	CHECK_INT(f.result, -EINVAL);
	CHECK_STR(f.err.at, "/linux/resources/memory/limit");
	update(&f, "{'memory':{'limit':4999,'checkBeforeUpdate':true}}");
	CHECK_INT(f.result, -EBUSY);
	CHECK_STR(content(&f, "memory.limit_in_bytes"), "4096");
	/* What a v1 cgroup without a limit has. */
	write_file(&f, "memory.limit_in_bytes", "9223372036854771712");
	update(&f, "{'memory':{'swap':8000}}");
	CHECK(strstr(f.err.text, "the container has none"));
	fake_remove(&f);
}

TEST(burst_is_held_against_what_is_there)
{
	static const struct file files[] = {
		{"cgroup.controllers", "cpu"},
		{"cpu.max", "50000 100000"},
		{"cpu.max.burst", "40000"},
		{NULL, NULL},
	};
	struct fake f;

	fake_make(&f, 0, files);
	update(&f, "{'cpu':{'quota':20000}}");
	CHECK_INT(f.result, -EINVAL);
	CHECK_STR(f.err.at, "/linux/resources/cpu/quota");
	update(&f, "{'cpu':{'quota':20000,'burst':10000}}");
	CHECK_INT(f.result, 0);
	CHECK_STR(content(&f, "cpu.max"), "20000 100000");
	CHECK_STR(content(&f, "cpu.max.burst"), "10000");
	fake_remove(&f);
}

/* What a write is about, and what would undo it. */
TEST(settings_are_found_in_their_files)
{
	static const struct {
		const char *file, *text, *value, *setting;
	} cases[] = {
		{"memory.max", "4096", "max", "4096"},
		{"cpu.max", "max 100000", "50000 100000", "max 100000"},
		{"cpu.max", "50000 100000", "max 100000", "50000 100000"},
		{"io.max", "8:0 rbps=1 wbps=max\n8:16 rbps=2 wbps=max", "8:16 wbps=9",
		 "8:16 rbps=2 wbps=max"},
		{"io.max", "8:1 rbps=1", "8:16 wbps=9",
		 "8:16 rbps=max wbps=max riops=max wiops=max"},
		{"io.weight", "default 100\n8:0 50", "200", "default 100"},
		{"io.weight", "default 100\n8:0 50", "default 200", "default 100"},
		{"io.weight", "default 100\n8:0 50", "8:0 60", "8:0 50"},
		{"io.bfq.weight", "default 100", "8:0 60", "8:0 default"},
		{"blkio.throttle.read_bps_device", "", "8:0 60", "8:0 0"},
		{"blkio.throttle.read_bps_device", "8:0 5", "8:0 60", "8:0 5"},
		{"rdma.max", "m1 hca_handle=2 hca_object=3", "m0 hca_handle=1",
		 "m0 hca_handle=max hca_object=max"},
		{"net_prio.ifpriomap", "lo 0\neth0 3", "eth0 7", "eth0 3"},
		{"memory.oom_control", "oom_kill_disable 1\nunder_oom 0", "0", "1"},
		{"misc.max", "res_a max\nres_b 5", "res_b 6", "res_b 5"},
		{"misc.max", "res_a max", "res_b 6", NULL},
		{"cpuset.cpus", "", "0-1", ""},
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		char *setting = NULL;

		CHECK_INT(cg_changes_pick(cases[i].file, cases[i].text, cases[i].value, &setting),
			  0);
		CHECK_STR(setting, cases[i].setting);
		free(setting);
	}
}

TEST(v1_filters_are_read_back)
{
	struct cg_v1_filter filter;

	CHECK_INT(cg_v1_filter_parse("a *:* rwm\n", &filter), 0);
	CHECK(filter.allowed && !filter.exceptions.len);
	CHECK_INT(cg_v1_filter_parse("c 1:3 rwm\nb *:* m\nc 136:* rw\nnonsense\n", &filter), 0);
	CHECK(!filter.allowed);
	CHECK_INT(filter.exceptions.len, 3);
	CHECK_INT(filter.exceptions.items[0].minor, 3);
	CHECK_INT(filter.exceptions.items[1].type, BPF_DEVCG_DEV_BLOCK);
	CHECK_INT(filter.exceptions.items[1].major, CG_ANY);
	CHECK_INT(filter.exceptions.items[1].access, BPF_DEVCG_ACC_MKNOD);
	CHECK_INT(filter.exceptions.items[2].major, 136);
	CHECK_INT(filter.exceptions.items[2].access, BPF_DEVCG_ACC_READ | BPF_DEVCG_ACC_WRITE);
	cg_rules_done(&filter.exceptions);
}

TEST(writes_that_may_take_long)
{
	CHECK(cg_write_is_slow("memory.max") && cg_write_is_slow("memory.limit_in_bytes"));
	CHECK(!cg_write_is_slow("memory.min") && !cg_write_is_slow("pids.max"));
}

/* A full pipe stands for a file of the kernel that takes its time: whoever writes there waits, and a signal ends that. */
TEST(write_that_blocks_ends_at_the_deadline)
{
	_cleanup_close_ int dir = FD_NONE, end = FD_NONE;
	char path[] = "/tmp/crun-test-XXXXXX", fifo[64], full[4096] = {0}, text[8] = "";
	struct deadline soon, late = deadline_in(60000);
	int64_t begin;

	if (!mkdtemp(path))
		abort();
	snprintf(fifo, sizeof(fifo), "%s/memory.max", path);
	dir = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (dir < 0 || mkfifo(fifo, 0600) < 0)
		abort();
	end = open(fifo, O_RDWR | O_NONBLOCK | O_CLOEXEC);
	CHECK(end >= 0);
	CHECK_INT(spawn_write_at(dir, "memory.max", "1", &late), 0);
	CHECK_INT(spawn_write_at(dir, "memory.max", "2", NULL), 0);
	CHECK_INT(read(end, text, sizeof(text)), 2);
	CHECK_STR(text, "12");
	while (write(end, full, sizeof(full)) > 0)
		;
	begin = clock_ms();
	soon = deadline_in(50);
	CHECK_INT(spawn_write_at(dir, "memory.max", "3", &soon), -ETIMEDOUT);
	CHECK(clock_ms() - begin >= 40 && clock_ms() - begin < 30000);
	/* Nobody is left who would write after all. */
	CHECK_INT(waitpid(-1, NULL, WNOHANG), -1);
	CHECK_INT(errno, ECHILD);
	CHECK_INT(spawn_write_at(dir, "memory.high", "1", &late), -ENOENT);
	close_fd(&dir);
	dir = open("/dev", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	CHECK_INT(spawn_write_at(dir, "full", "1", &late), -ENOSPC);
	unlink(fifo);
	rmdir(path);
}

TEST(container_without_a_directory)
{
	struct fake f;

	fake_make(&f, 0, nothing);
	f.cg.hier[0].leaf_made = false;
	write_file(&f, "pids.max", "100");
	update(&f, "{'pids':{'limit':200}}");
	CHECK_INT(f.result, -EOPNOTSUPP);
	CHECK_STR(verdict(&f, "/pids/limit"), "unsupported");
	CHECK_STR(content(&f, "pids.max"), "100");
	update(&f, "{}");
	CHECK_INT(f.result, 0);
	fake_remove(&f);
}

TEST_MAIN()
