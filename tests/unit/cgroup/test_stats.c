// SPDX-License-Identifier: Apache-2.0
// Tests of reading statistics from directories with the content that kernels have, and with what they should not have.
#include "cgroup/stats_read.h"
#include "fake.h"

#include <errno.h>
#include <inttypes.h>

#define CHECK_VALUE(v, want)                                                  \
	do {                                                                  \
		struct stat_value v_ = (v);                                   \
		if (!v_.known || v_.value != (uint64_t)(want))                \
			TEST_FAIL("%s is %s%" PRIu64 ", not " #want, #v,      \
				  v_.known ? "" : "unknown, and ", v_.value); \
	} while (0)

static struct fake fake;

static bool begin(bool v2)
{
	char path[] = "/x";

	return fake_make(&fake, path, v2);
}

static void v2_files(void)
{
	fake_file(
		&fake, "x/cpu.stat",
		"usage_usec 1234567\nuser_usec 1000000\nsystem_usec 234567\nnice_usec 0\n"
		"nr_periods 10\nnr_throttled 3\nthrottled_usec 4500\nnr_bursts 1\nburst_usec 2\n");
	fake_file(&fake, "x/cpu.pressure",
		  "some avg10=1.25 avg60=0.05 avg300=100.00 total=987654321\n"
		  "full avg10=0.00 avg60=0.00 avg300=0.00 total=0\n");
	fake_file(&fake, "x/memory.current", "1048576\n");
	fake_file(&fake, "x/memory.max", "max\n");
	fake_file(&fake, "x/memory.peak", "2097152\n");
	fake_file(&fake, "x/memory.swap.current", "4096\n");
	fake_file(&fake, "x/memory.swap.max", "8192\n");
	fake_file(&fake, "x/memory.swap.peak", "6000\n");
	fake_file(&fake, "x/memory.events",
		  "low 1\nhigh 2\nmax 3\noom 4\noom_kill 5\noom_group_kill 6\n");
	fake_file(&fake, "x/memory.stat", "anon 111\nfile 222\nkernel 333\nsock 7\npgfault 444\n");
	fake_file(&fake, "x/pids.current", "7\n");
	fake_file(&fake, "x/pids.max", "max\n");
	fake_file(&fake, "x/pids.peak", "9\n");
	fake_file(&fake, "x/io.stat",
		  "8:16 rbytes=1 wbytes=2 rios=3 wios=4 dbytes=5 dios=6\n7:0 \n253:1 rbytes=9\n");
	fake_file(&fake, "x/hugetlb.2MB.current", "4194304\n");
	fake_file(&fake, "x/hugetlb.2MB.max", "max\n");
	fake_file(&fake, "x/hugetlb.2MB.rsvd.current", "6291456\n");
	fake_file(&fake, "x/hugetlb.2MB.events", "max 12\n");
	fake_file(&fake, "x/cpuset.cpus.effective", "0-1,3\n");
	fake_file(&fake, "x/cpuset.mems.effective", "0\n");
}

static void named_files(void)
{
	fake_file(&fake, "x/rdma.current",
		  "mlx4_0 hca_handle=2 hca_object=2000\nocrdma1 hca_handle=3 "
		  "hca_object=0\n");
	fake_file(&fake, "x/rdma.max",
		  "mlx4_0 hca_handle=5 hca_object=max\nocrdma1 hca_handle=max "
		  "hca_object=max\n");
	fake_file(&fake, "x/misc.current", "sev 3\nsev_es 0\n");
	fake_file(&fake, "x/misc.max", "sev 10\nsev_es max\nodd\n");
	fake_file(&fake, "x/misc.peak", "sev 7\nsev_es 0\n");
	fake_file(&fake, "x/misc.events", "sev.max 4\nsev_es.max 0\nsev.other 9\n");
}

static void named(bool v2)
{
	struct cgroup_stats s = {0};

	CHECK(begin(v2));
	named_files();
	CHECK_INT(cgroup_stats_read(&fake.cg, &s, &err), 0);
	fake_remove(&fake);
	CHECK_INT(s.rdma.len, 2);
	CHECK_STR(s.rdma.items[0].name, "mlx4_0");
	CHECK_VALUE(s.rdma.items[0].usage.usage, 2);
	CHECK_VALUE(s.rdma.items[0].usage.limit, 5);
	CHECK_VALUE(s.rdma.items[0].objects.usage, 2000);
	CHECK_VALUE(s.rdma.items[0].objects.limit, STAT_MAX);
	CHECK_STR(s.rdma.items[1].name, "ocrdma1");
	CHECK_VALUE(s.rdma.items[1].usage.usage, 3);
	CHECK_INT(s.misc.len, 2);
	CHECK_STR(s.misc.items[0].name, "sev");
	CHECK_VALUE(s.misc.items[0].usage.usage, 3);
	CHECK_VALUE(s.misc.items[0].usage.limit, 10);
	CHECK_VALUE(s.misc.items[0].usage.max, 7);
	CHECK_VALUE(s.misc.items[0].usage.failcnt, 4);
	CHECK_STR(s.misc.items[1].name, "sev_es");
	CHECK_VALUE(s.misc.items[1].usage.limit, STAT_MAX);
	cgroup_stats_done(&s);
}

TEST(rdma_and_misc_are_read_by_name)
{
	named(true);
	named(false);
}

TEST(v2_every_value_is_read)
{
	struct cgroup_stats s = {0};

	CHECK(begin(true));
	v2_files();
	CHECK_INT(cgroup_stats_read(&fake.cg, &s, &err), 0);
	fake_remove(&fake);
	CHECK_VALUE(s.cpu.usage_ns, 1234567000);
	CHECK_VALUE(s.cpu.user_ns, 1000000000);
	CHECK_VALUE(s.cpu.system_ns, 234567000);
	CHECK_VALUE(s.cpu.throttled, 3);
	CHECK_VALUE(s.cpu.throttled_ns, 4500000);
	CHECK_VALUE(s.cpu.burst_ns, 2000);
	CHECK(s.cpu_psi.some.known && s.cpu_psi.full.known && !s.memory_psi.some.known);
	CHECK_INT(s.cpu_psi.some.avg10, 125);
	CHECK_INT(s.cpu_psi.some.avg60, 5);
	CHECK_INT(s.cpu_psi.some.avg300, 10000);
	CHECK_INT(s.cpu_psi.some.total, 987654321);
	CHECK_VALUE(s.memory.usage.usage, 1048576);
	CHECK_VALUE(s.memory.usage.limit, STAT_MAX);
	CHECK_VALUE(s.memory.usage.max, 2097152);
	CHECK_VALUE(s.memory.usage.failcnt, 3);
	CHECK_VALUE(s.memory.with_swap.usage, 1048576 + 4096);
	CHECK_VALUE(s.memory.with_swap.limit, STAT_MAX);
	CHECK_VALUE(s.memory.swap.usage, 4096);
	CHECK_VALUE(s.memory.swap.limit, 8192);
	CHECK_VALUE(s.memory.swap.max, 6000);
	CHECK_VALUE(s.memory.low, 1);
	CHECK_VALUE(s.memory.oom_kill, 5);
	CHECK_VALUE(s.memory.cache, 222);
	CHECK_INT(s.memory.raw.len, 5);
	CHECK_STR(s.memory.raw.items[4].key, "pgfault");
	CHECK_INT(s.memory.raw.items[4].value, 444);
	CHECK_VALUE(s.pids.current, 7);
	CHECK_VALUE(s.pids.limit, STAT_MAX);
	CHECK_VALUE(s.pids.max, 9);
	CHECK_INT(s.io[STAT_IO_BYTES].len, 4);
	CHECK_INT(s.io[STAT_IO_SERVICED].len, 3);
	CHECK_INT(s.io[STAT_IO_BYTES].items[3].major, 253);
	CHECK_STR(s.io[STAT_IO_BYTES].items[2].op, "Discard");
	CHECK_INT(s.hugetlb_len, 1);
	CHECK_STR(s.hugetlb[0].size, "2MB");
	CHECK_VALUE(s.hugetlb[0].usage.usage, 4194304);
	CHECK_VALUE(s.hugetlb[0].reserved, 6291456);
	CHECK_VALUE(s.hugetlb[0].usage.failcnt, 12);
	CHECK_STR(s.cpuset.cpus, "0-1,3");
	cgroup_stats_done(&s);
}

/* A missing controller is not 0. */
TEST(empty_directory_leaves_everything_unknown)
{
	for (int v2 = 0; v2 <= 1; v2++) {
		struct cgroup_stats s = {0}, none = {0};

		CHECK(begin(v2));
		CHECK_INT(cgroup_stats_read(&fake.cg, &s, &err), 0);
		fake_remove(&fake);
		CHECK(memcmp(&s, &none, sizeof(s)) == 0);
		cgroup_stats_done(&s);
	}
}

TEST(v1_every_value_is_read)
{
	struct cgroup_stats s = {0};

	CHECK(begin(false));
	fake_file(&fake, "x/cpuacct.usage", "5000\n");
	fake_file(&fake, "x/cpuacct.usage_user", "3000\n");
	fake_file(&fake, "x/cpuacct.usage_sys", "2000\n");
	fake_file(&fake, "x/cpuacct.usage_percpu", "4000 1000 \n");
	fake_file(&fake, "x/cpu.stat", "nr_periods 1\nnr_throttled 2\nthrottled_time 3\n");
	fake_file(&fake, "x/memory.usage_in_bytes", "1000\n");
	fake_file(&fake, "x/memory.limit_in_bytes", "9223372036854771712\n");
	fake_file(&fake, "x/memory.max_usage_in_bytes", "2000\n");
	fake_file(&fake, "x/memory.failcnt", "7\n");
	fake_file(&fake, "x/memory.memsw.usage_in_bytes", "1500\n");
	fake_file(&fake, "x/memory.memsw.limit_in_bytes", "9223372036854771712\n");
	fake_file(&fake, "x/memory.oom_control", "oom_kill_disable 0\nunder_oom 0\noom_kill 3\n");
	fake_file(&fake, "x/memory.stat", "cache 11\nrss 12\n");
	fake_file(&fake, "x/pids.current", "1\n");
	fake_file(&fake, "x/pids.max", "33\n");
	fake_file(&fake, "x/cpuset.cpus", "0-3\n");
	fake_file(&fake, "x/cpuset.sched_relax_domain_level", "-1\n");
	fake_file(&fake, "x/blkio.throttle.io_service_bytes_recursive",
		  "8:0 Read 10\n8:0 Write 20\n8:0 Sync 30\n8:0 Total 30\nTotal 30\n");
	fake_file(&fake, "x/blkio.time_recursive", "8:0 99\n");
	fake_file(&fake, "x/hugetlb.1GB.usage_in_bytes", "0\n");
	fake_file(&fake, "x/hugetlb.1GB.max_usage_in_bytes", "5\n");
	CHECK_INT(cgroup_stats_read(&fake.cg, &s, &err), 0);
	fake_remove(&fake);
	CHECK_VALUE(s.cpu.usage_ns, 5000);
	CHECK_INT(s.cpu.percpu.len, 2);
	CHECK_INT(s.cpu.percpu.items[1], 1000);
	CHECK_VALUE(s.cpu.throttled_ns, 3);
	CHECK(!s.cpu.bursts.known);
	CHECK_VALUE(s.memory.usage.limit, 9223372036854771712u);
	CHECK_VALUE(s.memory.usage.failcnt, 7);
	CHECK_VALUE(s.memory.swap.usage, 500);
	CHECK_VALUE(s.memory.swap.limit, STAT_MAX);
	CHECK_VALUE(s.memory.oom_kill, 3);
	CHECK(!s.memory.oom.known && !s.memory.low.known);
	CHECK_VALUE(s.memory.cache, 11);
	CHECK_VALUE(s.pids.limit, 33);
	CHECK(s.cpuset.has_relax_domain_level && s.cpuset.relax_domain_level == -1);
	CHECK_INT(s.io[STAT_IO_BYTES].len, 3);
	CHECK_STR(s.io[STAT_IO_BYTES].items[1].op, "Write");
	CHECK_INT(s.io[STAT_IO_TIME].len, 1);
	CHECK_STR(s.io[STAT_IO_TIME].items[0].op, "");
	CHECK_VALUE(s.hugetlb[0].usage.max, 5);
	cgroup_stats_done(&s);
}

/* Numbers that are none, or too long, are unknown; nothing is read beyond its end. */
TEST(nonsense_leaves_values_unknown)
{
	static const char *const bad[] = {
		"",   "-1",  "x",    "1x",   "18446744073709551616",
		" 1", "1 2", "0x10", "maxx", "999999999999999999999999999"};
	struct cgroup_stats s = {0};

	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		CHECK(begin(true));
		fake_file(&fake, "x/pids.current", bad[i]);
		fake_file(&fake, "x/memory.current", bad[i]);
		fake_file(&fake, "x/cpu.stat", "usage_usec\nuser_usec -5\n\nsystem_usec 1 2\n");
		fake_file(&fake, "x/io.stat",
			  "8: rbytes=1\n:8 rbytes=1\n8:0rbytes=1\n(unknown)\n"
			  "99999999999:0 rbytes=1\n8:0 rbytes=-1 wbytes\n");
		fake_file(&fake, "x/io.pressure",
			  "some avg10=1 avg60=0.00 avg300=0.00 total=1\n"
			  "full avg10=0.00\n");
		CHECK_INT(cgroup_stats_read(&fake.cg, &s, &err), 0);
		fake_remove(&fake);
		CHECK(!s.pids.current.known);
		CHECK(!s.memory.usage.usage.known);
		CHECK(!s.cpu.usage_ns.known && !s.cpu.user_ns.known && !s.cpu.system_ns.known);
		CHECK_INT(s.io[STAT_IO_BYTES].len, 0);
		CHECK(!s.io_psi.some.known && !s.io_psi.full.known);
		cgroup_stats_done(&s);
	}
}

/* Microseconds that do not fit as nanoseconds become the highest number, not a small one. */
TEST(too_large_a_number_becomes_the_largest)
{
	struct cgroup_stats s = {0};

	CHECK(begin(true));
	fake_file(&fake, "x/cpu.stat", "usage_usec 18446744073709551615\n");
	CHECK_INT(cgroup_stats_read(&fake.cg, &s, &err), 0);
	fake_remove(&fake);
	CHECK_VALUE(s.cpu.usage_ns, UINT64_MAX);
	cgroup_stats_done(&s);
}

TEST(lists_grow_as_long_as_the_file)
{
	struct cgroup_stats s = {0};
	_cleanup_buf_ struct buf text = {0};

	for (int i = 0; i < 5000; i++)
		buf_printf(&text, "259:%d rbytes=%d wbytes=1 rios=1 wios=1\n", i, i);
	CHECK(begin(true));
	fake_file(&fake, "x/io.stat", text.data);
	CHECK_INT(cgroup_stats_read(&fake.cg, &s, &err), 0);
	fake_remove(&fake);
	CHECK_INT(s.io[STAT_IO_BYTES].len, 10000);
	CHECK_INT(s.io[STAT_IO_BYTES].items[9998].value, 4999);
	cgroup_stats_done(&s);
}

TEST_MAIN()
