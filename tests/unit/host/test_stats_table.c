// SPDX-License-Identifier: Apache-2.0
// Tests of how statistics are written: numbers for people, JSON of all and of nothing, and the sentence about lack of memory.
#include "host/stats.h"

#include "../test.h"

static struct container_stats all(void)
{
	struct container_stats s = {.id = "x", .status = LIBCRUN_RUNNING, .any = true};

	return s;
}

static const struct stat_value none = {0}, known = {true, 0};

static struct stat_value value(uint64_t n)
{
	return (struct stat_value){true, n};
}

/* One row of the table with MEMORY as its use of memory. */
static const char *row(struct stat_value memory)
{
	static char text[512];
	struct container_stats s = all();
	struct buf out = {0};

	s.cg.memory.usage.usage = memory;
	stats_write_row(&s, &out);
	snprintf(text, sizeof(text), "%s", out.data ? out.data : "");
	buf_done(&out);
	return text;
}

TEST(bytes_for_people)
{
	CHECK(strstr(row(value(0)), " 0 B "));
	CHECK(strstr(row(value(1023)), " 1023 B "));
	CHECK(strstr(row(value(1024)), " 1.0 KiB "));
	CHECK(strstr(row(value(1535)), " 1.4 KiB "));
	CHECK(strstr(row(value(1024 * 1024 - 1)), " 1023.9 KiB "));
	CHECK(strstr(row(value(1024 * 1024)), " 1.0 MiB "));
	CHECK(strstr(row(value(UINT64_C(5) << 40)), " 5.0 TiB "));
	CHECK(strstr(row(value(UINT64_C(1) << 61)), " 2048.0 PiB "));
	CHECK(strstr(row(value(UINT64_C(9223372036854771712))), " no limit "));
	CHECK(strstr(row(value(STAT_MAX)), " no limit "));
	CHECK(!strchr(row(none), '0'));
}

static const char *json(const struct container_stats *s,
			void (*write)(const struct container_stats *, struct oci_json *))
{
	static char text[2048];
	struct oci_json out = {0};

	write(s, &out);
	snprintf(text, sizeof(text), "%s", oci_json_finish(&out) == 0 ? out.data : "(failed)");
	oci_json_free(&out);
	return text;
}

TEST(json_of_nothing)
{
	struct container_stats s = all();

	CHECK_STR(
		json(&s, stats_write_json),
		"{\"id\":\"x\",\"status\":\"running\",\"cpu\":{},\"io\":{\"devices\":[]},\"pids\":{}}");
	CHECK_STR(
		json(&s, events_write),
		"{\"type\":\"stats\",\"id\":\"x\",\"data\":{\"cpu\":{\"usage\":{},\"throttling\":{}},"
		"\"cpuset\":{},\"memory\":{\"usage\":{},\"swap\":{},\"kernel\":{},\"kernelTCP\":{}},"
		"\"pids\":{},\"blkio\":{},\"hugetlb\":{},\"intel_rdt\":{},"
		"\"network_interfaces\":null}}");
	s.any = false;
	CHECK_STR(json(&s, stats_write_json), "{\"id\":\"x\",\"status\":\"running\"}");
}

TEST(rdma_and_misc)
{
	struct stat_named device = {.name = "mlx4_0",
				    .usage = {.usage = value(2), .limit = value(5)},
				    .objects = {.usage = value(9), .limit = value(STAT_MAX)}};
	struct stat_named resource = {.name = "sev",
				      .usage = {.usage = value(3),
						.limit = value(10),
						.max = value(7),
						.failcnt = value(4)}};
	struct container_stats s = all();
	struct buf out = {0};
	const char *text;

	s.cg.rdma = (struct stat_named_list){&device, 1};
	s.cg.misc = (struct stat_named_list){&resource, 1};
	text = json(&s, stats_write_json);
	CHECK(strstr(text, "\"rdma\":{\"mlx4_0\":{\"hca_handle\":{\"current\":2,\"limit\":5},"
			   "\"hca_object\":{\"current\":9,\"limit\":18446744073709551615}}},"
			   "\"misc\":{\"sev\":{\"current\":3,\"peak\":7,\"limit\":10,"
			   "\"failures\":4}}"));
	stats_write_page(&s, &out);
	CHECK(strstr(out.data,
		     "rdma        mlx4_0: 2 handles (limit 5), 9 objects (limit no limit)\n"));
	CHECK(strstr(out.data, "misc        sev: 3 (peak 7, limit 10)\n"));
	buf_done(&out);
}

TEST(no_limit_in_json)
{
	struct container_stats s = all();

	s.cg.pids.current = value(3);
	s.cg.pids.limit = value(STAT_MAX);
	s.cg.memory.usage.usage = known;
	s.cg.memory.usage.limit = value(UINT64_C(9223372036854771712));
	CHECK(strstr(json(&s, stats_write_json),
		     "\"pids\":{\"current\":3,\"limit\":18446744073709551615}"));
	CHECK(strstr(json(&s, stats_write_json),
		     "\"memory\":{\"current\":0,\"limit\":18446744073709551615}"));
	CHECK(strstr(json(&s, events_write), "\"pids\":{\"current\":3,\"limit\":0}"));
	CHECK(strstr(json(&s, events_write),
		     "\"usage\":{\"limit\":9223372036854771712,\"usage\":0}"));
}

TEST(cpus_as_numbers)
{
	struct container_stats s = all();

	s.cg.cpuset.cpus = "0-2,64";
	s.cg.cpuset.mems = "not a list";
	CHECK(strstr(json(&s, events_write), "\"cpuset\":{\"cpus\":[0,1,2,64]}"));
	s.cg.cpuset.cpus = "0-4294967295";
	CHECK(strstr(json(&s, events_write), "\"cpuset\":{}"));
}

TEST(devices_are_put_together)
{
	struct stat_io bytes[] = {{8, 0, "Read", 1}, {8, 0, "Write", 2}, {8, 16, "Read", 3}};
	struct stat_io serviced[] = {{8, 16, "Read", 4}, {8, 0, "Total", 5}, {8, 0, "Discard", 6}};
	struct container_stats s = all();

	s.cg.io[STAT_IO_BYTES] = (struct stat_io_list){bytes, 3};
	s.cg.io[STAT_IO_SERVICED] = (struct stat_io_list){serviced, 3};
	CHECK(strstr(
		json(&s, stats_write_json),
		"\"devices\":[{\"device\":\"8:0\",\"read_bytes\":1,\"write_bytes\":2,\"discards\":6},"
		"{\"device\":\"8:16\",\"read_bytes\":3,\"reads\":4}]"));
}

static const char *sentence(enum cgroup_oom_scope scope, uint64_t kills, bool likely)
{
	static char text[512];
	struct cgroup_oom oom = {.scope = scope, .kills = kills, .limit = value(20 << 20)};
	struct buf out = {0};

	oom.likely = likely;
	snprintf(oom.path, sizeof(oom.path), "/pod");
	stats_oom_sentence(&oom, &out);
	snprintf(text, sizeof(text), "%s", out.data);
	buf_done(&out);
	return text;
}

TEST(sentence_says_whose_limit_it_was)
{
	CHECK_STR(
		sentence(OOM_OWN, 1, false),
		"1 process was killed for lack of memory: the container reached its own limit of 20.0 MiB");
	CHECK_STR(
		sentence(OOM_ABOVE, 2, true),
		"2 processes were killed for lack of memory: cgroup `/pod` above the container reached "
		"its limit of 20.0 MiB (as far as cgroup v1 tells), not the container itself");
	CHECK(strstr(sentence(OOM_BELOW, 2, false), "made below the container's"));
	CHECK(strstr(sentence(OOM_HOST, 2, false), "the host ran out of it"));
	CHECK(strstr(sentence(OOM_UNKNOWN, 2, false), "does not tell"));
}

TEST_MAIN()
