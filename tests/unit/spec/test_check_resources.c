// SPDX-License-Identifier: Apache-2.0
// Tests of the checks of linux.resources: what engines write passes, each wrong value is refused with its pointer.
#include "spec/check_resources.h"

#include "../test.h"

#include <errno.h>
#include <stdint.h>

static struct crun_error err;

/* The pointer below /linux/resources/ that the check refuses, "" when it accepts. */
static const char *refused(const struct oci_linux_resources *res)
{
	static const char prefix[] = "/linux/resources/";

	memset(&err, 0, sizeof(err));
	if (check_resources(res, &err) >= 0)
		return "";
	if (err.kind != KIND_SPEC || err.errnum != EINVAL || !err.text[0])
		return "(not a complete KIND_SPEC error)";
	return strncmp(err.at, prefix, strlen(prefix)) == 0 ? err.at + strlen(prefix) : err.at;
}

#define MEMORY(...) \
	refused(&(struct oci_linux_resources){.memory = &(struct oci_linux_memory){__VA_ARGS__}})
#define CPU(...) refused(&(struct oci_linux_resources){.cpu = &(struct oci_linux_cpu){__VA_ARGS__}})
#define IO(...)                                           \
	refused(&(struct oci_linux_resources){.block_io = \
						      &(struct oci_linux_block_io){__VA_ARGS__}})
#define DEVICE(...)                                                                               \
	refused(&(struct oci_linux_resources){                                                    \
		.devices = (struct oci_linux_device_cgroup[]){{.has_allow = true, .allow = true}, \
							      {.has_allow = true, __VA_ARGS__}},  \
		.devices_len = 2})
#define UNIFIED(k, v)                                                                            \
	refused(&(struct oci_linux_resources){                                                   \
		.unified = &(struct oci_string_map){.items = (struct oci_string_pair[]){{k, v}}, \
						    .len = 1}})
#define PAGES(size)                                                                      \
	refused(&(struct oci_linux_resources){                                           \
		.hugepage_limits = (struct oci_linux_hugepage_limit[]){{size, true, 0}}, \
		.hugepage_limits_len = 1})

TEST(nothing)
{
	CHECK_STR(refused(NULL), "");
	CHECK_STR(refused(&(struct oci_linux_resources){.devices_len = 0}), "");
}

TEST(memory)
{
	CHECK_STR(MEMORY(.limit = 1 << 20, .swap = 2 << 20, .reservation = 1 << 19), "");
	CHECK_STR(MEMORY(.limit = -1, .swap = -1, .reservation = -1), "");
	CHECK_STR(MEMORY(.limit = 0, .swap = 0), "");
	CHECK_STR(MEMORY(.limit = 1 << 20, .swap = 1 << 20), "");
	CHECK_STR(MEMORY(.has_swappiness = true, .swappiness = 100), "");
	CHECK_STR(MEMORY(.has_swappiness = true, .swappiness = UINT64_MAX), "");
	CHECK_STR(MEMORY(.limit = -2), "memory/limit");
	CHECK_STR(MEMORY(.reservation = -2), "memory/reservation");
	CHECK_STR(MEMORY(.limit = 1 << 20, .reservation = 2 << 20), "memory/reservation");
	CHECK_STR(MEMORY(.limit = 1 << 20, .swap = 1 << 19), "memory/swap");
	CHECK_STR(MEMORY(.swap = 1 << 19), "memory/swap");
	CHECK_STR(MEMORY(.limit = -1, .swap = 1 << 19), "memory/swap");
	CHECK_STR(MEMORY(.has_swappiness = true, .swappiness = 101), "memory/swappiness");
	CHECK_STR(MEMORY(.kernel_tcp = INT64_MIN), "memory/kernelTCP");
}

TEST(cpu)
{
	CHECK_STR(CPU(.shares = 1024, .quota = 50000, .period = 100000, .burst = 50000), "");
	CHECK_STR(CPU(.quota = -1), "");
	CHECK_STR(CPU(.cpus = "0-3,7", .mems = "0"), "");
	CHECK_STR(CPU(.cpus = "0-31:2/4", .idle = 1), "");
	CHECK_STR(CPU(.cpus = "", .mems = ""), "");
	CHECK_STR(CPU(.period = 999), "cpu/period");
	CHECK_STR(CPU(.period = 1000001), "cpu/period");
	CHECK_STR(CPU(.quota = 999), "cpu/quota");
	CHECK_STR(CPU(.quota = 50000, .burst = 50001), "cpu/burst");
	CHECK_STR(CPU(.idle = 2), "cpu/idle");
	CHECK_STR(CPU(.cpus = "zero"), "cpu/cpus");
	CHECK_STR(CPU(.mems = "0\n1"), "cpu/mems");
	CHECK_STR(CPU(.realtime_runtime = 20, .realtime_period = 10), "cpu/realtimeRuntime");
}

TEST(block_io)
{
	struct oci_linux_weight_device w = {.major = 8, .minor = 0, .weight = 9};
	struct oci_linux_throttle_device t = {.major = 8, .minor = 0, .rate = 1};

	CHECK_STR(IO(.weight = 10), "");
	CHECK_STR(IO(.weight = 1000), "");
	CHECK_STR(IO(.weight = 9), "blockIO/weight");
	CHECK_STR(IO(.leaf_weight = 1001), "blockIO/leafWeight");
	CHECK_STR(IO(.weight_device = &w, .weight_device_len = 1), "blockIO/weightDevice/0/weight");
	w.weight = 0;
	CHECK_STR(IO(.weight_device = &w, .weight_device_len = 1), "blockIO/weightDevice/0");
	w.has_leaf_weight = true;
	CHECK_STR(IO(.weight_device = &w, .weight_device_len = 1), "");
	CHECK_STR(IO(.throttle_read_bps_device = &t, .throttle_read_bps_device_len = 1), "");
	t.minor = 1 << 20;
	CHECK_STR(IO(.throttle_write_iops_device = &t, .throttle_write_iops_device_len = 1),
		  "blockIO/throttleWriteIOPSDevice/0/minor");
	t.major = -1;
	CHECK_STR(IO(.throttle_read_iops_device = &t, .throttle_read_iops_device_len = 1),
		  "blockIO/throttleReadIOPSDevice/0/major");
}

TEST(hugepages)
{
	struct oci_linux_hugepage_limit two[] = {{"2MB", true, 0}, {"2MB", true, 1}};

	CHECK_STR(PAGES("2MB"), "");
	CHECK_STR(PAGES("64KB"), "");
	CHECK_STR(PAGES("1GB"), "");
	CHECK_STR(PAGES("../2MB"), "hugepageLimits/0/pageSize");
	CHECK_STR(PAGES("2MB/../../memory.max"), "hugepageLimits/0/pageSize");
	CHECK_STR(PAGES("2"), "hugepageLimits/0/pageSize");
	CHECK_STR(PAGES("MB"), "hugepageLimits/0/pageSize");
	CHECK_STR(PAGES(""), "hugepageLimits/0/pageSize");
	CHECK_STR(PAGES("02MB"), "hugepageLimits/0/pageSize");
	CHECK_STR(refused(&(struct oci_linux_resources){.hugepage_limits = two,
							.hugepage_limits_len = 2}),
		  "hugepageLimits");
}

TEST(unified)
{
	CHECK_STR(UNIFIED("memory.high", "1000"), "");
	CHECK_STR(UNIFIED("cgroup.max.depth", "3"), "");
	CHECK_STR(UNIFIED("hugetlb.2MB.max", "0"), "");
	CHECK_STR(UNIFIED("memory.high", "1000\n"), "");
	CHECK_STR(UNIFIED("memory.high", ""), "unified/memory.high");
	CHECK_STR(UNIFIED("memory.high", " \n"), "unified/memory.high");
	CHECK_STR(UNIFIED("cpuset.cpus", ""), "");
	CHECK_STR(UNIFIED("../memory.max", "0"), "unified/");
	CHECK_STR(UNIFIED("a/memory.max", "0"), "unified/");
	CHECK_STR(UNIFIED("..", "0"), "unified/..");
	CHECK_STR(UNIFIED("", "0"), "unified/");
	CHECK_STR(UNIFIED("memory", "0"), "unified/memory");
	CHECK_STR(UNIFIED("memory.high\n", "0"), "unified/memory.high?");
	CHECK_STR(UNIFIED("cgroup.procs", "1"), "unified/cgroup.procs");
	CHECK_STR(UNIFIED("cgroup.kill", "1"), "unified/cgroup.kill");
}

TEST(devices)
{
	CHECK_STR(DEVICE(.access = "rwm"), "");
	CHECK_STR(DEVICE(.type = "c", .has_major = true, .major = 1, .has_minor = true, .minor = 3,
			 .access = "r"),
		  "");
	CHECK_STR(DEVICE(.type = "b", .has_major = true, .major = -1, .access = "m"), "");
	CHECK_STR(DEVICE(.type = "x"), "devices/1/type");
	CHECK_STR(DEVICE(.type = "cb"), "devices/1/type");
	CHECK_STR(DEVICE(.type = ""), "devices/1/type");
	CHECK_STR(DEVICE(.access = "rx"), "devices/1/access");
	CHECK_STR(DEVICE(.access = ""), "devices/1/access");
	CHECK_STR(DEVICE(.has_major = true, .major = -2), "devices/1/major");
	CHECK_STR(DEVICE(.has_minor = true, .minor = INT64_MAX), "devices/1/minor");
}

TEST(names)
{
	struct oci_linux_interface_priority p = {"eth0", true, 1};
	struct oci_linux_network net = {.priorities = &p, .priorities_len = 1};
	struct oci_linux_rdma_pair pair = {.key = "mlx5_0", .value.has_hca_objects = true};
	struct oci_linux_rdma_map rdma = {&pair, 1};

	CHECK_STR(refused(&(struct oci_linux_resources){.network = &net, .rdma = &rdma}), "");
	p.name = "eth0 1\n";
	CHECK_STR(refused(&(struct oci_linux_resources){.network = &net}),
		  "network/priorities/0/name");
	pair.key = "mlx hca_handle=max";
	CHECK_STR(refused(&(struct oci_linux_resources){.rdma = &rdma}), "rdma");
	pair = (struct oci_linux_rdma_pair){.key = "mlx5_0"};
	CHECK_STR(refused(&(struct oci_linux_resources){.rdma = &rdma}), "rdma");
}

TEST_MAIN()
