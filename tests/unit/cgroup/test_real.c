// SPDX-License-Identifier: Apache-2.0
// Tests on the kernel's cgroups: the layout of this host, and cgroup v2 alone in a private mount namespace. All that is made has the test's
// own pid in its name; what this host lacks is skipped with a reason.
#include "cgroup/devices.h"
#include "cgroup/internal.h"
#include "sys/bpf.h"
#include "sys/file.h"
#include "sys/io.h"
#include "sys/process.h"

#include "../test.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/statfs.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>

static struct crun_error err;

static enum cgroup_layout host_layout(void)
{
	struct statfs fs;

	if (statfs(CG_ROOT, &fs) < 0)
		return CGROUP_NONE;
	if (fs.f_type == CGROUP2_SUPER_MAGIC_)
		return CGROUP_V2;
	if (statfs(CG_ROOT "/unified", &fs) == 0 && fs.f_type == CGROUP2_SUPER_MAGIC_)
		return CGROUP_HYBRID;
	return statfs(CG_ROOT "/memory", &fs) == 0 && fs.f_type == CGROUP_SUPER_MAGIC_
		       ? CGROUP_V1
		       : CGROUP_NONE;
}

/* Runs FN in a child with a mount namespace in which cgroup v2 is all there is. Its failures become ours. */
static void in_pure_v2(void (*fn)(void))
{
	pid_t pid;
	int status;

	fflush(stdout);
	pid = fork();
	if (pid == 0) {
		if (sys_unshare(CLONE_NEWNS) < 0 ||
		    mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
		    mount("cgroup2", CG_ROOT, "cgroup2", 0, NULL) < 0)
			_exit(77);
		test_skipped = NULL;
		fn();
		if (test_skipped)
			printf("# %s\n", test_skipped);
		fflush(stdout);
		_exit(test_failed ? 1 : 0);
	}
	if (waitpid(pid, &status, 0) != pid)
		TEST_FAIL("no child");
	if (WIFEXITED(status) && WEXITSTATUS(status) == 77)
		SKIP("cgroup2 cannot be mounted here");
	if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
		TEST_FAIL("status %x in the private mount namespace", status);
}

static struct plan_cgroup plan_for(const char *name, const struct oci_linux_resources *res)
{
	static char path[128];

	snprintf(path, sizeof(path), "/crun-test-cg-%d/%s", (int)getpid(), name);
	return (struct plan_cgroup){
		.manager = CGROUP_MANAGER_CGROUPFS,
		.layout = host_layout(),
		.id = "test",
		.path = path,
		.resources = res,
		.owner = (uid_t)-1,
	};
}

static struct cgroup *create(const struct plan_cgroup *plan)
{
	struct cgroup *cg = NULL;

	if (cgroup_select(plan, &cg, &err) < 0 || cgroup_create(cg, &err) < 0) {
		printf("# %s (at %s)\n", err.text, err.at);
		cgroup_free(cg);
		return NULL;
	}
	return cg;
}

/* The container's cgroup as another command sees it. */
static struct cgroup *reopen(const struct cgroup *cg)
{
	struct oci_record record = {.id = "test", .cgroup_path = cgroup_path(cg)};
	struct cgroup *again = NULL;
	const char *const *planned = cgroup_planned(cg);
	size_t n = 0;

	while (planned[n])
		n++;
	record.cgroup_created = (const char **)planned;
	record.cgroup_created_len = n;
	return cgroup_open(&record, &again, &err) < 0 ? NULL : again;
}

static bool any_left(const struct cgroup *cg)
{
	for (const char *const *p = cgroup_planned(cg); *p; p++) {
		if (access(*p, F_OK) == 0) {
			printf("# left: %s\n", *p);
			return true;
		}
	}
	return false;
}

static const char *read_in(const struct cgroup *cg, const char *file)
{
	static char text[4096];

	for (size_t i = 0; i < cg->hier_len; i++) {
		if (cg->hier[i].dir_fd >= 0 &&
		    io_read_file_at(cg->hier[i].dir_fd, file, text, sizeof(text)) >= 0)
			return text;
	}
	return "(missing)";
}

static bool has(const struct cgroup *cg, enum cg_controller c)
{
	for (size_t i = 0; i < cg->hier_len; i++) {
		if (cg->hier[i].controllers & CG_BIT(c))
			return true;
	}
	return false;
}

/* A process that waits to be killed; CLONE_INTO_CGROUP where that is how the container is born. */
static pid_t born_in(struct cgroup *cg)
{
	struct sys_clone_args args = {.exit_signal = SIGCHLD};
	pid_t pid;

	if (cgroup_clone_fd(cg) >= 0) {
		args.flags = CLONE_INTO_CGROUP;
		args.cgroup = (unsigned)cgroup_clone_fd(cg);
	}
	pid = sys_clone3(&args);
	if (pid == 0) {
		for (;;)
			pause();
	}
	if (pid > 0 && cgroup_needs_adopt(cg) && cgroup_adopt(cg, pid, &err) < 0)
		printf("# %s\n", err.text);
	return pid;
}

static void make_and_remove(void)
{
	struct plan_cgroup plan = plan_for("a/b", NULL);
	struct cgroup *cg = create(&plan), *again;
	pid_t pid, *pids;
	size_t len;
	int status;

	CHECK(cg);
	CHECK(strstr(cgroup_path(cg), "/a/b"));
	pid = born_in(cg);
	CHECK(pid > 0);
	CHECK_INT(cgroup_pids(cg, &pids, &len, &err), 0);
	CHECK_INT(len, 1);
	CHECK_INT(pids[0], pid);
	free(pids);
	again = reopen(cg);
	CHECK(again);
	CHECK_INT(again->hier_len, cg->hier_len);
	/* A process is still in it: destroy ends it. It is our child, so a zombie stays until we reap it. */
	CHECK_INT(cgroup_destroy(again, &err), 0);
	CHECK_INT(waitpid(pid, &status, 0), pid);
	CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
	CHECK(!any_left(cg));
	CHECK_INT(cgroup_destroy(again, &err), 0);
	CHECK_INT(cgroup_destroy(cg, &err), 0);
	cgroup_free(again);
	cgroup_free(cg);
}

static void in_every_hierarchy(void)
{
	struct plan_cgroup plan = plan_for("x", NULL);
	struct cgroup *cg = create(&plan);
	char file[64], text[8192], needle[160];
	pid_t pid;

	CHECK(cg);
	pid = born_in(cg);
	snprintf(file, sizeof(file), "/proc/%d/cgroup", (int)pid);
	CHECK(io_read_file_at(AT_FDCWD, file, text, sizeof(text)) > 0);
	snprintf(needle, sizeof(needle), ":%s", cgroup_path(cg));
	for (size_t i = 0; i < cg->hier_len; i++) {
		char *p = strstr(text, needle);

		CHECK(p);
		*p = '#';
	}
	CHECK_INT(cgroup_destroy(cg, &err), 0);
	waitpid(pid, NULL, 0);
	CHECK(!any_left(cg));
	cgroup_free(cg);
}

/* What the payload makes below its directory goes, processes in it included. */
static void nested(void)
{
	struct plan_cgroup plan = plan_for("n", NULL);
	struct cgroup *cg = create(&plan);
	char text[16];
	pid_t pid;

	CHECK(cg);
	pid = born_in(cg);
	snprintf(text, sizeof(text), "%d", (int)pid);
	for (size_t i = 0; i < cg->hier_len; i++) {
		int fd = cg->hier[i].dir_fd;

		CHECK(sys_mkdirat(fd, "s", 0755) >= 0 && sys_mkdirat(fd, "s/t", 0755) >= 0 &&
		      sys_mkdirat(fd, "s/u", 0755) >= 0);
		if (!(cg->hier[i].controllers & CG_BIT(CG_CPUSET)))
			CHECK(io_write_file_at(fd, "s/u/cgroup.procs", text) >= 0);
	}
	CHECK_INT(cgroup_destroy(cg, &err), 0);
	waitpid(pid, NULL, 0);
	CHECK(!any_left(cg));
	cgroup_free(cg);
}

static void signals(void)
{
	struct plan_cgroup plan = plan_for("k", NULL);
	struct cgroup *cg = create(&plan);
	pid_t a, b;
	int status;

	CHECK(cg);
	a = born_in(cg);
	b = born_in(cg);
	CHECK_INT(cgroup_signal(cg, SIGUSR1, &err), 0);
	CHECK_INT(waitpid(a, &status, 0), a);
	CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGUSR1);
	CHECK_INT(waitpid(b, &status, 0), b);
	CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGUSR1);
	a = born_in(cg);
	CHECK_INT(cgroup_signal(cg, SIGKILL, &err), 0);
	CHECK_INT(waitpid(a, &status, 0), a);
	CHECK(WTERMSIG(status) == SIGKILL);
	CHECK_INT(cgroup_destroy(cg, &err), 0);
	CHECK(!any_left(cg));
	cgroup_free(cg);
}

static void frozen(void)
{
	struct plan_cgroup plan = plan_for("f", NULL);
	struct cgroup *cg = create(&plan);
	bool is = true;
	pid_t pid;
	int status;

	CHECK(cg);
	pid = born_in(cg);
	CHECK_INT(cgroup_is_frozen(cg, &is, &err), 0);
	CHECK(!is);
	for (size_t i = 0; i < cg->hier_len; i++) {
		const struct cg_hier *h = &cg->hier[i];

		if (h->v2 && !has(cg, CG_FREEZER))
			CHECK_INT(io_write_file_at(h->dir_fd, "cgroup.freeze", "1"), 0);
		if (!h->v2 && (h->controllers & CG_BIT(CG_FREEZER)))
			CHECK_INT(io_write_file_at(h->dir_fd, "freezer.state", "FROZEN"), 0);
	}
	CHECK_INT(cgroup_is_frozen(cg, &is, &err), 0);
	CHECK(is);
	CHECK_INT(cgroup_thaw(cg, &err), 0);
	CHECK_INT(cgroup_is_frozen(cg, &is, &err), 0);
	CHECK(!is);
	for (size_t i = 0; i < cg->hier_len; i++) {
		if (!cg->hier[i].v2 && (cg->hier[i].controllers & CG_BIT(CG_FREEZER)))
			CHECK_INT(io_write_file_at(cg->hier[i].dir_fd, "freezer.state", "FROZEN"),
				  0);
	}
	CHECK_INT(cgroup_destroy(cg, &err), 0);
	CHECK_INT(waitpid(pid, &status, 0), pid);
	CHECK(!any_left(cg));
	cgroup_free(cg);
}

/* A directory that was there before is neither used nor removed. */
static void foreign(void)
{
	struct plan_cgroup plan = plan_for("own", NULL);
	char dir[300], parent[256];
	struct cgroup *cg = create(&plan), *other = NULL;

	CHECK(cg);
	CHECK_INT(cgroup_select(&plan, &other, &err), -EEXIST);
	CHECK_INT(err.kind, KIND_EXISTS);
	CHECK_STR(err.at, "/linux/cgroupsPath");
	/* A neighbour below the shared parent keeps the parent. */
	snprintf(parent, sizeof(parent), "%s/crun-test-cg-%d", cg->hier[0].root, (int)getpid());
	snprintf(dir, sizeof(dir), "%s/neighbour", parent);
	CHECK_INT(mkdir(dir, 0755), 0);
	CHECK_INT(cgroup_destroy(cg, &err), 0);
	CHECK_INT(access(dir, F_OK), 0);
	cgroup_free(cg);
	/* The next one finds the parent and leaves it. */
	cg = create(&plan);
	CHECK(cg);
	CHECK_INT(cgroup_destroy(cg, &err), 0);
	CHECK_INT(rmdir(dir), 0);
	CHECK_INT(rmdir(parent), 0);
	cgroup_free(cg);
}

/* Somebody makes our directory between the decision and the deed: it stays, and nothing of ours does. */
static void made_meanwhile(void)
{
	struct plan_cgroup plan = plan_for("r", NULL);
	const char *const *planned;
	char last[256], parent[256];
	struct cgroup *cg;
	size_t n = 0;

	CHECK_INT(cgroup_select(&plan, &cg, &err), 0);
	for (planned = cgroup_planned(cg); planned[n];)
		n++;
	snprintf(last, sizeof(last), "%s", planned[n - 1]);
	snprintf(parent, sizeof(parent), "%.*s", (int)(strlen(last) - 2), last);
	CHECK(mkdir(parent, 0755) == 0 && mkdir(last, 0755) == 0);
	CHECK_INT(cgroup_create(cg, &err), -EEXIST);
	CHECK_INT(err.kind, KIND_EXISTS);
	CHECK_INT(rmdir(last), 0);
	CHECK_INT(rmdir(parent), 0);
	CHECK(!any_left(cg));
	cgroup_free(cg);
}

/* The parent goes between the decision and the deed, as when a neighbour is deleted. */
static void parent_goes(void)
{
	struct plan_cgroup plan = plan_for("p", NULL);
	char parent[256];
	struct cgroup *cg = create(&plan), *next;

	CHECK(cg);
	plan.path = strcpy(parent, plan.path);
	parent[strlen(parent) - 1] = 'q';
	CHECK_INT(cgroup_select(&plan, &next, &err), 0);
	CHECK_INT(cgroup_destroy(cg, &err), 0);
	CHECK(!any_left(cg));
	CHECK_INT(cgroup_create(next, &err), 0);
	CHECK_INT(cgroup_destroy(next, &err), 0);
	CHECK(!any_left(next));
	CHECK(!any_left(cg));
	cgroup_free(next);
	cgroup_free(cg);
}

static void own_names(void)
{
	struct plan_cgroup plan = plan_for("", NULL);
	char id[1025];
	struct cgroup *a, *b;

	snprintf(id, sizeof(id), "test-%d", (int)getpid());
	plan.id = id;
	plan.path = NULL;
	a = create(&plan);
	CHECK(a);
	plan.path = "";
	b = create(&plan);
	CHECK(b);
	CHECK(!strncmp(cgroup_path(a), "/crun-test-", 11));
	CHECK(strcmp(cgroup_path(a), cgroup_path(b)) != 0);
	CHECK_INT(cgroup_destroy(a, &err), 0);
	CHECK_INT(cgroup_destroy(b, &err), 0);
	CHECK(!any_left(a) && !any_left(b));
	cgroup_free(a);
	cgroup_free(b);
	memset(id, 'i', 1024);
	id[1024] = '\0';
	a = create(&plan);
	CHECK(a);
	CHECK_INT(cgroup_destroy(a, &err), 0);
	CHECK(!any_left(a));
	cgroup_free(a);
}

/* The filter in effect: 1 where open succeeds, 0 where it is refused, as a process of the cgroup finds it. */
static int can_open(struct cgroup *cg, mode_t type, unsigned major, unsigned minor)
{
	char node[64];
	int status, go[2];
	pid_t pid;

	snprintf(node, sizeof(node), "/dev/.crun-test-%d", (int)getpid());
	unlink(node);
	if (mknod(node, type | 0600, makedev(major, minor)) < 0 || pipe(go) < 0)
		return -1;
	pid = fork();
	if (pid == 0) {
		char c;

		close(go[1]);
		if (read(go[0], &c, 1) != 1)
			_exit(3);
		_exit(open(node, O_RDONLY | O_NONBLOCK) >= 0 ? 1 : errno == EPERM ? 0 : 2);
	}
	if (cgroup_adopt(cg, pid, &err) < 0)
		printf("# %s\n", err.text);
	close(go[0]);
	if (write(go[1], "x", 1) != 1)
		kill(pid, SIGKILL);
	close(go[1]);
	waitpid(pid, &status, 0);
	unlink(node);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static void device_filter(void)
{
	struct oci_linux_device_cgroup rules[] = {
		{true, false, NULL, false, 0, false, 0, "rwm"},
		{true, true, "c", true, 1, true, 11, "r"},
	};
	struct oci_linux_resources res = {.devices = rules, .devices_len = 1};
	struct plan_cgroup plan = plan_for("d", &res);
	struct cgroup *cg = create(&plan);

	CHECK(cg);
	CHECK_INT(can_open(cg, S_IFCHR, 1, 3), 1);
	CHECK_INT(can_open(cg, S_IFCHR, 1, 11), 0); /* kmsg */
	CHECK_INT(cgroup_destroy(cg, &err), 0);
	cgroup_free(cg);
	res.devices_len = 2;
	cg = create(&plan);
	CHECK(cg);
	CHECK_INT(can_open(cg, S_IFCHR, 1, 11), 1);
	CHECK_INT(can_open(cg, S_IFCHR, 1, 1), 0); /* mem */
	CHECK_INT(cgroup_destroy(cg, &err), 0);
	cgroup_free(cg);
	/* Without power over devices: no filter. */
	plan.unprivileged = true;
	res.devices_len = 1;
	cg = create(&plan);
	CHECK(cg);
	CHECK_INT(can_open(cg, S_IFCHR, 1, 11), 1);
	CHECK_INT(cgroup_destroy(cg, &err), 0);
	CHECK(!any_left(cg));
	cgroup_free(cg);
}

static void bpf_is_attached(void)
{
	struct plan_cgroup plan = plan_for("bpf", NULL);
	struct cgroup *cg = create(&plan);

	CHECK(cg);
	CHECK_INT(sys_bpf_prog_count(cgroup_clone_fd(cg), BPF_CGROUP_DEVICE), 1);
	CHECK_INT(cgroup_destroy(cg, &err), 0);
	cgroup_free(cg);
}

static void limits(void)
{
	struct oci_linux_memory mem = {.limit = 64 << 20, .reservation = 32 << 20};
	struct oci_linux_cpu cpu = {.shares = 512, .quota = 20000, .period = 50000, .burst = 10000};
	struct oci_linux_pids pids = {true, 77};
	struct oci_linux_resources res = {.memory = &mem, .cpu = &cpu, .pids = &pids};
	struct plan_cgroup plan = plan_for("l", &res);
	struct cgroup *cg;

	if (plan.layout == CGROUP_V2)
		SKIP("the v1 controllers are tested where they are mounted");
	cg = create(&plan);
	CHECK(cg);
	CHECK_STR(read_in(cg, "memory.limit_in_bytes"), "67108864");
	CHECK_STR(read_in(cg, "memory.soft_limit_in_bytes"), "33554432");
	CHECK_STR(read_in(cg, "cpu.shares"), "512");
	CHECK_STR(read_in(cg, "cpu.cfs_quota_us"), "20000");
	CHECK_STR(read_in(cg, "cpu.cfs_period_us"), "50000");
	CHECK_STR(read_in(cg, "cpu.cfs_burst_us"), "10000");
	CHECK_STR(read_in(cg, "pids.max"), "77");
	CHECK(read_in(cg, "cpuset.cpus")[0]);
	CHECK(read_in(cg, "cpuset.mems")[0]);
	CHECK_INT(cgroup_destroy(cg, &err), 0);
	cgroup_free(cg);
	mem = (struct oci_linux_memory){.limit = 64 << 20, .swap = 96 << 20};
	mem.has_swappiness = true;
	mem.swappiness = 7;
	mem.disable_oom_killer = true;
	cpu = (struct oci_linux_cpu){.quota = -1, .cpus = "0", .mems = "0", .idle = 1};
	pids.limit = -1;
	cg = create(&plan);
	CHECK(cg);
	CHECK_STR(read_in(cg, "memory.memsw.limit_in_bytes"), "100663296");
	CHECK_STR(read_in(cg, "memory.swappiness"), "7");
	CHECK(strstr(read_in(cg, "memory.oom_control"), "oom_kill_disable 1"));
	CHECK_STR(read_in(cg, "cpuset.cpus"), "0");
	CHECK_STR(read_in(cg, "cpu.idle"), "1");
	CHECK_STR(read_in(cg, "pids.max"), "max");
	CHECK_INT(cgroup_destroy(cg, &err), 0);
	CHECK(!any_left(cg));
	cgroup_free(cg);
}

static void hugepages(void)
{
	struct oci_linux_hugepage_limit limit = {"2MB", true, 4 << 20};
	struct oci_linux_resources res = {.hugepage_limits = &limit, .hugepage_limits_len = 1};
	struct plan_cgroup plan = plan_for("a/h", &res);
	struct cgroup *cg;

	if (access(CG_ROOT "/cgroup.controllers", F_OK) < 0 ||
	    access("/sys/kernel/mm/hugepages/hugepages-2048kB", F_OK) < 0)
		SKIP("no 2 MB pages");
	cg = create(&plan);
	CHECK(cg);
	CHECK_STR(read_in(cg, "hugetlb.2MB.max"), "4194304");
	CHECK_STR(read_in(cg, "hugetlb.2MB.rsvd.max"), "4194304");
	CHECK_INT(cgroup_destroy(cg, &err), 0);
	CHECK(!any_left(cg));
	cgroup_free(cg);
}

static void unified(void)
{
	struct oci_string_pair pair = {"cgroup.max.depth", "5"};
	struct oci_string_map map = {&pair, 1};
	struct oci_linux_resources res = {.unified = &map};
	struct plan_cgroup plan = plan_for("u", &res);
	struct cgroup *cg = create(&plan);

	CHECK(cg);
	CHECK_STR(read_in(cg, "cgroup.max.depth"), "5");
	CHECK_INT(cgroup_destroy(cg, &err), 0);
	CHECK(!any_left(cg));
	cgroup_free(cg);
	pair.key = "cgroup.nothing";
	CHECK_INT(cgroup_select(&plan, &cg, &err), 0);
	CHECK_INT(cgroup_create(cg, &err), -EOPNOTSUPP);
	CHECK_STR(err.at, "/linux/resources/unified/cgroup.nothing");
	CHECK(!strstr(err.text, "No such file"));
	CHECK(!any_left(cg));
	cgroup_free(cg);
}

/* What is asked for and cannot be had is an error that names the file, and nothing is left. */
static void missing_controller(void)
{
	struct oci_linux_rdma_pair rdma_pair = {.key = "none"};
	struct oci_linux_rdma_map rdma = {&rdma_pair, 1};
	struct oci_linux_resources res = {.rdma = &rdma};
	struct plan_cgroup plan = plan_for("m", &res);
	char text[512] = "";
	struct cgroup *cg;

	if (access(CG_ROOT "/rdma", F_OK) == 0 ||
	    (io_read_file_at(AT_FDCWD, CG_ROOT "/cgroup.controllers", text, sizeof(text)) > 0 &&
	     strstr(text, "rdma")))
		SKIP("this host has the rdma controller");
	CHECK_INT(cgroup_select(&plan, &cg, &err), 0);
	CHECK_INT(cgroup_create(cg, &err), -EOPNOTSUPP);
	CHECK_INT(err.kind, KIND_UNSUPPORTED);
	CHECK(strstr(err.text, "`rdma`"));
	CHECK(strstr(err.text, "cgroup.controllers") || strstr(err.text, CG_ROOT "/rdma"));
	CHECK(!any_left(cg));
	cgroup_free(cg);
}

static void ownership(void)
{
	struct plan_cgroup plan = plan_for("o", NULL);
	struct cgroup *cg;
	struct stat st;

	plan.owner = 12345;
	cg = create(&plan);
	CHECK(cg);
	CHECK_INT(sys_fstatat(cgroup_clone_fd(cg), "", &st), 0);
	CHECK_INT(st.st_uid, 12345);
	CHECK_INT(sys_fstatat(cgroup_clone_fd(cg), "cgroup.procs", &st), 0);
	CHECK_INT(st.st_uid, 12345);
	CHECK_INT(sys_fstatat(cgroup_clone_fd(cg), "cgroup.max.depth", &st), 0);
	CHECK_INT(st.st_uid, 0);
	CHECK_INT(cgroup_destroy(cg, &err), 0);
	cgroup_free(cg);
}

/* An ordinary user without delegation: no cgroup when nothing asks for one, an error otherwise. */
static void unprivileged(void)
{
	struct plan_cgroup plan = plan_for("e", NULL);
	struct cgroup *cg;

	if (setresgid(65534, 65534, 65534) < 0 || setresuid(65534, 65534, 65534) < 0)
		SKIP("cannot become an ordinary user");
	plan.unprivileged = true;
	CHECK_INT(cgroup_select(&plan, &cg, &err), 0);
	CHECK(cgroup_create(cg, &err) < 0);
	CHECK_INT(err.kind, KIND_PERMISSION);
	cgroup_free(cg);
	plan.path = NULL;
	plan.optional = true;
	cg = create(&plan);
	CHECK(cg);
	CHECK_STR(cgroup_path(cg), NULL);
	CHECK_INT(cgroup_adopt(cg, getpid(), &err), 0);
	cgroup_free(cg);
}

#define NEED_ROOT()                                      \
	do {                                             \
		if (geteuid() != 0)                      \
			SKIP("needs root");              \
		if (host_layout() == CGROUP_NONE)        \
			SKIP("no cgroups on this host"); \
	} while (0)

/* Each on this host's layout, and with cgroup v2 alone. */
#define TEST_BOTH(name)           \
	TEST(host_##name)         \
	{                         \
		NEED_ROOT();      \
		name();           \
	}                         \
	TEST(v2_##name)           \
	{                         \
		NEED_ROOT();      \
		in_pure_v2(name); \
	}

TEST_BOTH(make_and_remove)
TEST_BOTH(in_every_hierarchy)
TEST_BOTH(nested)
TEST_BOTH(signals)
TEST_BOTH(frozen)
TEST_BOTH(foreign)
TEST_BOTH(made_meanwhile)
TEST_BOTH(parent_goes)
TEST_BOTH(own_names)
TEST_BOTH(device_filter)
TEST_BOTH(limits)
TEST_BOTH(hugepages)
TEST_BOTH(missing_controller)

TEST(v2_bpf_is_attached)
{
	NEED_ROOT();
	in_pure_v2(bpf_is_attached);
}

TEST(v2_unified)
{
	NEED_ROOT();
	in_pure_v2(unified);
}

TEST(v2_ownership)
{
	NEED_ROOT();
	in_pure_v2(ownership);
}

TEST(v2_unprivileged)
{
	NEED_ROOT();
	in_pure_v2(unprivileged);
}

TEST_MAIN()
