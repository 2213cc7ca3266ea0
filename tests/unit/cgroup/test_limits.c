// SPDX-License-Identifier: Apache-2.0
// Tests of limits, device filters and ownership on the kernel's own cgroups.
#include "real.h"

#include "cgroup/devices.h"
#include "sys/bpf.h"

#include <sys/syscall.h>
#include <sys/sysmacros.h>

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

/* The device filters of the cgroup's own directory, as the kernel tells. */
static int count_filters(const struct cgroup *cg)
{
	union bpf_attr attr;

	memset(&attr, 0, sizeof(attr));
	attr.query.target_fd = (uint32_t)cgroup_clone_fd(cg);
	attr.query.attach_type = BPF_CGROUP_DEVICE;
	return syscall(SYS_bpf, BPF_PROG_QUERY, &attr, sizeof(attr)) < 0 ? -errno
									 : (int)attr.query.prog_cnt;
}

static void bpf_is_attached(void)
{
	struct oci_linux_device_cgroup rule = {true, true, NULL, false, 0, false, 0, "rwm"};
	struct oci_linux_resources res = {.devices = &rule, .devices_len = 1};
	struct plan_cgroup plan = plan_for("bpf", NULL);
	struct cgroup *cg = create(&plan);

	CHECK(cg);
	CHECK_INT(count_filters(cg), 1);
	CHECK_INT(cgroup_destroy(cg, &err), 0);
	cgroup_free(cg);
	/* A privileged container: nothing to filter. */
	plan.resources = &res;
	cg = create(&plan);
	CHECK(cg);
	CHECK_INT(count_filters(cg), 0);
	CHECK_INT(cgroup_destroy(cg, &err), 0);
	CHECK(!any_left(cg));
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
	char enabled[512];
	struct cgroup *cg;

	if (access(CG_ROOT "/cgroup.controllers", F_OK) < 0 ||
	    access("/sys/kernel/mm/hugepages/hugepages-2048kB", F_OK) < 0)
		SKIP("no 2 MB pages");
	CHECK(io_read_file_at(AT_FDCWD, CG_ROOT "/cgroup.subtree_control", enabled,
			      sizeof(enabled)) >= 0);
	cg = create(&plan);
	CHECK(cg);
	CHECK_STR(read_in(cg, "hugetlb.2MB.max"), "4194304");
	CHECK_STR(read_in(cg, "hugetlb.2MB.rsvd.max"), "4194304");
	CHECK_INT(cgroup_destroy(cg, &err), 0);
	CHECK(!any_left(cg));
	cgroup_free(cg);
	/* As the host had it. */
	if (!strstr(enabled, "hugetlb"))
		CHECK_INT(io_write_file_at(AT_FDCWD, CG_ROOT "/cgroup.subtree_control", "-hugetlb"),
			  0);
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
	CHECK_INT(cgroup_select(&plan, NULL, &cg, &err), 0);
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
	CHECK_INT(cgroup_select(&plan, NULL, &cg, &err), 0);
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
	const char *path;
	struct cgroup *cg;

	if (setresgid(65534, 65534, 65534) < 0 || setresuid(65534, 65534, 65534) < 0)
		SKIP("cannot become an ordinary user");
	plan.unprivileged = true;
	CHECK_INT(cgroup_select(&plan, NULL, &cg, &err), 0);
	CHECK(cgroup_create(cg, &err) < 0);
	CHECK_INT(err.kind, KIND_PERMISSION);
	cgroup_free(cg);
	plan.path = NULL;
	plan.optional = true;
	CHECK_INT(cgroup_select(&plan, NULL, &cg, &err), 0);
	path = cgroup_path(cg);
	CHECK_STR(path, "/crun-test");
	CHECK_INT(cgroup_create(cg, &err), 0);
	CHECK_STR(path, "/crun-test"); /* a record may still hold it */
	CHECK_STR(cgroup_path(cg), NULL);
	CHECK(!cgroup_planned(cg)[0]);
	CHECK(cgroup_clone_fd(cg) < 0);
	CHECK_INT(cgroup_destroy(cg, &err), 0);
	CHECK_INT(cgroup_adopt(cg, getpid(), &err), 0);
	cgroup_free(cg);
}

TEST_BOTH(device_filter)
TEST_BOTH(limits)
TEST_BOTH(hugepages)
TEST_BOTH(missing_controller)

TEST(v2_bpf_is_attached)
{
	NEED_ROOT();
	in_private_mounts(bpf_is_attached, true);
}

TEST(v2_unified)
{
	NEED_ROOT();
	in_private_mounts(unified, true);
}

TEST(v2_ownership)
{
	NEED_ROOT();
	in_private_mounts(ownership, true);
}

TEST(v2_unprivileged)
{
	NEED_ROOT();
	in_private_mounts(unprivileged, true);
}

TEST_MAIN()
