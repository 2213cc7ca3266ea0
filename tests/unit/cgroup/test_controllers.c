// SPDX-License-Identifier: Apache-2.0
// What each controller writes into which file for each field of linux.resources: directories of plain files stand for cgroups.
#include "cgroup/controllers.h"

#include "base/cleanup.h"
#include "sys/io.h"

#include "../test.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

struct row {
	const char *json; /* of linux.resources, with ' for " */
	cg_apply_fn apply;
	const char *file, *text; /* what must be in which file afterwards */
};

/* What a kernel without it cannot do is refused at the field. */
struct refusal {
	const char *json;
	cg_apply_fn apply;
	const char *at;
};

static struct oci_arena arena;
static struct crun_error err;

static struct oci_linux_resources *parse(const char *json)
{
	struct oci_linux_resources *res;
	struct oci_parse_error why;
	char text[256];

	snprintf(text, sizeof(text), "%s", json);
	for (char *c = text; *c; c++)
		*c = *c == '\'' ? '"' : *c;
	if (oci_linux_resources_parse(NULL, text, strlen(text), &arena, &res, &why) >= 0)
		return res;
	printf("# %s\n", why.text);
	return NULL;
}

/* Runs APPLY on a directory that has FILE alone (none when NULL); the contents of FILE in TEXT. */
static int apply(const char *json, cg_apply_fn fn, const char *file, char *text, size_t size)
{
	char path[] = "/tmp/crun-test-XXXXXX";
	_cleanup_close_ int dir_fd = FD_NONE, fd = FD_NONE;
	struct oci_linux_resources *res = parse(json);
	struct cg_dir dir = {.path = path};
	int r = -EBADMSG;

	if (!res || !mkdtemp(path))
		return r;
	dir.fd = dir_fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (file)
		fd = openat(dir_fd, file, O_CREAT | O_RDWR | O_CLOEXEC, 0600);
	r = fn(&dir, res, &err);
	if (file && io_read_file_at(dir_fd, file, text, size) < 0)
		text[0] = '\0';
	if (file)
		unlinkat(dir_fd, file, 0);
	rmdir(path);
	oci_arena_free(&arena);
	return r;
}

static void check_rows(const struct row *rows, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		char text[128] = "";
		int r = apply(rows[i].json, rows[i].apply, rows[i].file, text, sizeof(text));

		if (r < 0)
			TEST_FAIL("%s: %s (at %s)", rows[i].json, err.text, err.at);
		if (strcmp(text, rows[i].text) != 0)
			TEST_FAIL("%s: %s has \"%s\"", rows[i].json, rows[i].file, text);
	}
}

static void check_refusals(const struct refusal *rows, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		int r = apply(rows[i].json, rows[i].apply, NULL, NULL, 0);

		if (r != -EOPNOTSUPP || err.kind != KIND_UNSUPPORTED)
			TEST_FAIL("%s: %d, \"%s\"", rows[i].json, r, err.text);
		CHECK_STR(err.at, rows[i].at);
	}
}

TEST(memory)
{
	static const struct row rows[] = {
		{"{'memory':{'limit':4096}}", cg_v1_memory, "memory.limit_in_bytes", "4096"},
		{"{'memory':{'limit':-1}}", cg_v1_memory, "memory.limit_in_bytes", "-1"},
		{"{'memory':{'reservation':4096}}", cg_v1_memory, "memory.soft_limit_in_bytes",
		 "4096"},
		{"{'memory':{'swap':8192}}", cg_v1_memory, "memory.memsw.limit_in_bytes", "8192"},
		{"{'memory':{'swappiness':60}}", cg_v1_memory, "memory.swappiness", "60"},
		{"{'memory':{'disableOOMKiller':true}}", cg_v1_memory, "memory.oom_control", "1"},
		{"{'memory':{'disableOOMKiller':false}}", cg_v1_memory, "memory.oom_control", ""},
		{"{'memory':{'useHierarchy':true}}", cg_v1_memory, "memory.use_hierarchy", "1"},
		{"{'memory':{'useHierarchy':false}}", cg_v1_memory, "memory.use_hierarchy", "0"},
		{"{'memory':{'checkBeforeUpdate':true}}", cg_v1_memory, "memory.use_hierarchy", ""},
		{"{'memory':{'kernel':4096}}", cg_v1_memory, "memory.kmem.limit_in_bytes", ""},
		{"{'memory':{'kernelTCP':4096}}", cg_v1_memory, "memory.kmem.tcp.limit_in_bytes",
		 ""},
		{"{'memory':{'limit':4096}}", cg_v2_memory, "memory.max", "4096"},
		{"{'memory':{'limit':-1}}", cg_v2_memory, "memory.max", "max"},
		{"{'memory':{'reservation':4096}}", cg_v2_memory, "memory.low", "4096"},
		{"{'memory':{'swap':-1}}", cg_v2_memory, "memory.swap.max", "max"},
		{"{'memory':{'useHierarchy':true}}", cg_v2_memory, "memory.max", ""},
		{"{'memory':{'checkBeforeUpdate':true}}", cg_v2_memory, "memory.max", ""},
	};
	static const struct refusal refusals[] = {
		{"{'memory':{'swappiness':60}}", cg_v2_memory,
		 "/linux/resources/memory/swappiness"},
		{"{'memory':{'disableOOMKiller':true}}", cg_v2_memory,
		 "/linux/resources/memory/disableOOMKiller"},
		{"{'memory':{'useHierarchy':false}}", cg_v2_memory,
		 "/linux/resources/memory/useHierarchy"},
		{"{'memory':{'limit':1}}", cg_v2_memory, "/linux/resources/memory/limit"},
	};

	check_rows(rows, ARRAY_LEN(rows));
	check_refusals(refusals, ARRAY_LEN(refusals));
}

TEST(cpu)
{
	static const struct row rows[] = {
		{"{'cpu':{'shares':512}}", cg_v1_cpu, "cpu.shares", "512"},
		{"{'cpu':{'quota':2000}}", cg_v1_cpu, "cpu.cfs_quota_us", "2000"},
		{"{'cpu':{'quota':-1}}", cg_v1_cpu, "cpu.cfs_quota_us", "-1"},
		{"{'cpu':{'period':5000}}", cg_v1_cpu, "cpu.cfs_period_us", "5000"},
		{"{'cpu':{'burst':300}}", cg_v1_cpu, "cpu.cfs_burst_us", "300"},
		{"{'cpu':{'realtimeRuntime':950}}", cg_v1_cpu, "cpu.rt_runtime_us", "950"},
		{"{'cpu':{'realtimePeriod':1000}}", cg_v1_cpu, "cpu.rt_period_us", "1000"},
		{"{'cpu':{'idle':1}}", cg_v1_cpu, "cpu.idle", "1"},
		{"{'cpu':{'cpus':'0-1'}}", cg_v1_cpuset, "cpuset.cpus", "0-1"},
		{"{'cpu':{'mems':'0'}}", cg_v1_cpuset, "cpuset.mems", "0"},
		{"{'cpu':{'shares':1024}}", cg_v2_cpu, "cpu.weight", "100"},
		{"{'cpu':{'quota':2000,'period':5000}}", cg_v2_cpu, "cpu.max", "2000 5000"},
		{"{'cpu':{'period':5000}}", cg_v2_cpu, "cpu.max", "max 5000"},
		{"{'cpu':{'burst':300}}", cg_v2_cpu, "cpu.max.burst", "300"},
		{"{'cpu':{'idle':1}}", cg_v2_cpu, "cpu.idle", "1"},
		{"{'cpu':{'cpus':'0-1'}}", cg_v2_cpuset, "cpuset.cpus", "0-1"},
		{"{'cpu':{'mems':'0'}}", cg_v2_cpuset, "cpuset.mems", "0"},
	};
	static const struct refusal refusals[] = {
		{"{'cpu':{'realtimeRuntime':950}}", cg_v2_cpu,
		 "/linux/resources/cpu/realtimeRuntime"},
		{"{'cpu':{'realtimePeriod':1000}}", cg_v2_cpu,
		 "/linux/resources/cpu/realtimePeriod"},
	};

	check_rows(rows, ARRAY_LEN(rows));
	check_refusals(refusals, ARRAY_LEN(refusals));
}

#define NUMBER "'major':8,'minor':16"

TEST(block_io)
{
	static const struct row rows[] = {
		{"{'blockIO':{'weight':500}}", cg_v1_io, "blkio.weight", "500"},
		{"{'blockIO':{'weight':500}}", cg_v1_io, "blkio.bfq.weight", "500"},
		{"{'blockIO':{'leafWeight':300}}", cg_v1_io, "blkio.leaf_weight", "300"},
		{"{'blockIO':{'weightDevice':[{" NUMBER ",'weight':700}]}}", cg_v1_io,
		 "blkio.weight_device", "8:16 700"},
		{"{'blockIO':{'weightDevice':[{" NUMBER ",'leafWeight':200}]}}", cg_v1_io,
		 "blkio.leaf_weight_device", "8:16 200"},
		{"{'blockIO':{'throttleReadBpsDevice':[{" NUMBER ",'rate':1}]}}", cg_v1_io,
		 "blkio.throttle.read_bps_device", "8:16 1"},
		{"{'blockIO':{'throttleWriteBpsDevice':[{" NUMBER ",'rate':2}]}}", cg_v1_io,
		 "blkio.throttle.write_bps_device", "8:16 2"},
		{"{'blockIO':{'throttleReadIOPSDevice':[{" NUMBER ",'rate':3}]}}", cg_v1_io,
		 "blkio.throttle.read_iops_device", "8:16 3"},
		{"{'blockIO':{'throttleWriteIOPSDevice':[{" NUMBER ",'rate':4}]}}", cg_v1_io,
		 "blkio.throttle.write_iops_device", "8:16 4"},
		{"{'blockIO':{'weight':1000}}", cg_v2_io, "io.weight", "10000"},
		{"{'blockIO':{'weight':1000}}", cg_v2_io, "io.bfq.weight", "1000"},
		{"{'blockIO':{'weightDevice':[{" NUMBER ",'weight':10}]}}", cg_v2_io, "io.weight",
		 "8:16 1"},
		{"{'blockIO':{'throttleReadBpsDevice':[{" NUMBER ",'rate':1}]}}", cg_v2_io,
		 "io.max", "8:16 rbps=1"},
		{"{'blockIO':{'throttleWriteBpsDevice':[{" NUMBER ",'rate':2}]}}", cg_v2_io,
		 "io.max", "8:16 wbps=2"},
		{"{'blockIO':{'throttleReadIOPSDevice':[{" NUMBER ",'rate':3}]}}", cg_v2_io,
		 "io.max", "8:16 riops=3"},
		{"{'blockIO':{'throttleWriteIOPSDevice':[{" NUMBER ",'rate':0}]}}", cg_v2_io,
		 "io.max", "8:16 wiops=max"},
	};
	static const struct refusal refusals[] = {
		{"{'blockIO':{'leafWeight':300}}", cg_v2_io, "/linux/resources/blockIO/leafWeight"},
		{"{'blockIO':{'weightDevice':[{" NUMBER ",'leafWeight':200}]}}", cg_v2_io,
		 "/linux/resources/blockIO/weightDevice/0/leafWeight"},
	};

	check_rows(rows, ARRAY_LEN(rows));
	check_refusals(refusals, ARRAY_LEN(refusals));
}

TEST(the_others)
{
	static const struct row rows[] = {
		{"{'pids':{'limit':5}}", cg_any_pids, "pids.max", "5"},
		{"{'pids':{'limit':-1}}", cg_any_pids, "pids.max", "max"},
		{"{'hugepageLimits':[{'pageSize':'2MB','limit':4096}]}", cg_v1_hugetlb,
		 "hugetlb.2MB.limit_in_bytes", "4096"},
		{"{'hugepageLimits':[{'pageSize':'2MB','limit':4096}]}", cg_v2_hugetlb,
		 "hugetlb.2MB.max", "4096"},
		{"{'network':{'classID':1048577}}", cg_v1_net_cls, "net_cls.classid", "1048577"},
		{"{'network':{'priorities':[{'name':'eth0','priority':9}]}}", cg_v1_net_prio,
		 "net_prio.ifpriomap", "eth0 9"},
		{"{'rdma':{'mlx5_1':{'hcaHandles':3,'hcaObjects':1000}}}", cg_any_rdma, "rdma.max",
		 "mlx5_1 hca_handle=3 hca_object=1000"},
		{"{'rdma':{'mlx5_1':{'hcaObjects':7}}}", cg_any_rdma, "rdma.max",
		 "mlx5_1 hca_object=7"},
		{"{'unified':{'memory.high':'4096'}}", cg_v2_unified, "memory.high", "4096"},
	};

	check_rows(rows, ARRAY_LEN(rows));
}

TEST_MAIN()
