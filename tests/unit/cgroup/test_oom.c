// SPDX-License-Identifier: Apache-2.0
// Tests of telling whose limit it was when processes of a container were killed for lack of memory.
#include "cgroup/stats.h"
#include "fake.h"

static struct fake fake;

/* One level of /pod/ctr: kills and limit events of v2. */
static void v2_level(const char *rel, const char *events, const char *local, const char *max)
{
	char name[128];

	snprintf(name, sizeof(name), "%s/memory.events", rel);
	fake_file(&fake, name, events);
	if (local) {
		snprintf(name, sizeof(name), "%s/memory.events.local", rel);
		fake_file(&fake, name, local);
	}
	snprintf(name, sizeof(name), "%s/memory.max", rel);
	fake_file(&fake, name, max);
}

static bool begin(bool v2)
{
	char path[] = "/pod/ctr";

	return fake_make(&fake, path, v2);
}

TEST(v2_nobody_is_blamed_for_nothing)
{
	struct cgroup_oom oom;

	CHECK(begin(true));
	/* The pod had its own trouble, of which this container is no part. */
	v2_level("pod", "oom 3\noom_kill 3\n", "oom 3\noom_kill 0\n", "1000\n");
	v2_level("pod/ctr", "oom 0\noom_kill 0\n", "oom 0\noom_kill 0\n", "500\n");
	cgroup_oom_read(&fake.cg, &oom);
	fake_remove(&fake);
	CHECK_INT(oom.scope, OOM_NONE);
	CHECK_INT(oom.kills, 0);
}

TEST(v2_own_limit_is_blamed)
{
	struct cgroup_oom oom;

	CHECK(begin(true));
	v2_level("pod", "oom 1\noom_kill 2\n", "oom 0\noom_kill 0\n", "1000\n");
	v2_level("pod/ctr", "oom 1\noom_kill 2\n", "oom 1\noom_kill 2\n", "500\n");
	cgroup_oom_read(&fake.cg, &oom);
	fake_remove(&fake);
	CHECK_INT(oom.scope, OOM_OWN);
	CHECK_INT(oom.kills, 2);
	CHECK_STR(oom.path, "/pod/ctr");
	CHECK_INT(oom.limit.value, 500);
	CHECK(!oom.likely);
}

TEST(v2_limit_above_is_blamed)
{
	struct cgroup_oom oom;

	CHECK(begin(true));
	v2_level("pod", "oom 1\noom_kill 1\n", "oom 1\noom_kill 0\n", "1000\n");
	v2_level("pod/ctr", "oom 0\noom_kill 1\n", "oom 0\noom_kill 1\n", "max\n");
	cgroup_oom_read(&fake.cg, &oom);
	fake_remove(&fake);
	CHECK_INT(oom.scope, OOM_ABOVE);
	CHECK_STR(oom.path, "/pod");
	CHECK_INT(oom.limit.value, 1000);
}

TEST(v2_limit_of_a_cgroup_below_is_blamed)
{
	struct cgroup_oom oom;

	CHECK(begin(true));
	v2_level("pod/ctr", "oom 1\noom_kill 1\n", "oom 0\noom_kill 0\n", "max\n");
	cgroup_oom_read(&fake.cg, &oom);
	fake_remove(&fake);
	CHECK_INT(oom.scope, OOM_BELOW);
}

TEST(v2_host_is_blamed)
{
	struct cgroup_oom oom;

	CHECK(begin(true));
	v2_level("pod", "oom 0\noom_kill 1\n", "oom 0\noom_kill 0\n", "max\n");
	v2_level("pod/ctr", "oom 0\noom_kill 1\n", "oom 0\noom_kill 1\n", "max\n");
	cgroup_oom_read(&fake.cg, &oom);
	fake_remove(&fake);
	CHECK_INT(oom.scope, OOM_HOST);
}

TEST(v2_kernel_without_local_events)
{
	struct cgroup_oom oom;

	CHECK(begin(true));
	v2_level("pod/ctr", "oom 1\noom_kill 1\n", NULL, "500\n");
	cgroup_oom_read(&fake.cg, &oom);
	fake_remove(&fake);
	CHECK_INT(oom.scope, OOM_UNKNOWN);
	CHECK_INT(oom.kills, 1);
}

static void v1_level(const char *rel, const char *kills, const char *failcnt, const char *max_usage,
		     const char *limit)
{
	char name[128], text[64];

	snprintf(name, sizeof(name), "%s/memory.oom_control", rel);
	snprintf(text, sizeof(text), "oom_kill_disable 0\nunder_oom 0\noom_kill %s\n", kills);
	fake_file(&fake, name, text);
	snprintf(name, sizeof(name), "%s/memory.failcnt", rel);
	fake_file(&fake, name, failcnt);
	snprintf(name, sizeof(name), "%s/memory.max_usage_in_bytes", rel);
	fake_file(&fake, name, max_usage);
	snprintf(name, sizeof(name), "%s/memory.limit_in_bytes", rel);
	fake_file(&fake, name, limit);
}

#define NO_LIMIT "9223372036854771712"

TEST(v1_own_limit_is_blamed)
{
	struct cgroup_oom oom;

	CHECK(begin(false));
	v1_level("pod", "0", "0", "20971520", NO_LIMIT);
	/* failcnt stays 0 in some kernels. */
	v1_level("pod/ctr", "2", "0", "20971520", "20971520");
	cgroup_oom_read(&fake.cg, &oom);
	fake_remove(&fake);
	CHECK_INT(oom.scope, OOM_OWN);
	CHECK_INT(oom.kills, 2);
	CHECK_INT(oom.limit.value, 20971520);
	CHECK(oom.likely);
}

TEST(v1_limit_above_is_blamed)
{
	struct cgroup_oom oom;

	CHECK(begin(false));
	v1_level("pod", "0", "9", "20971520", "20971520");
	v1_level("pod/ctr", "1", "0", "10971520", NO_LIMIT);
	cgroup_oom_read(&fake.cg, &oom);
	fake_remove(&fake);
	CHECK_INT(oom.scope, OOM_ABOVE);
	CHECK_STR(oom.path, "/pod");
}

TEST(v1_kills_below_count)
{
	struct cgroup_oom oom;

	CHECK(begin(false));
	CHECK_INT(mkdirat(fake.cg.hier[0].dir_fd, "in", 0755), 0);
	v1_level("pod", "0", "0", "100", NO_LIMIT);
	v1_level("pod/ctr", "0", "0", "100", NO_LIMIT);
	v1_level("pod/ctr/in", "4", "1", "100", "1000000");
	cgroup_oom_read(&fake.cg, &oom);
	fake_remove(&fake);
	CHECK_INT(oom.kills, 4);
	CHECK_INT(oom.scope, OOM_BELOW);
}

TEST(v1_host_is_blamed)
{
	struct cgroup_oom oom;

	CHECK(begin(false));
	v1_level("pod", "0", "0", "100", NO_LIMIT);
	v1_level("pod/ctr", "1", "0", "100", "20971520");
	cgroup_oom_read(&fake.cg, &oom);
	fake_remove(&fake);
	CHECK_INT(oom.scope, OOM_HOST);
}

/* The watch tells of new kills once each, and not of those before it. */
TEST(v2_watch)
{
	struct cgroup_oom_watch w = CGROUP_OOM_WATCH_NONE;
	uint64_t first, second, third;
	int r;

	CHECK(begin(true));
	v2_level("pod/ctr", "oom 1\noom_kill 1\n", "oom 1\n", "500\n");
	r = cgroup_oom_watch(&fake.cg, &w, &err);
	first = cgroup_oom_since(&fake.cg, &w);
	v2_level("pod/ctr", "oom 2\noom_kill 3\n", "oom 1\n", "500\n");
	second = cgroup_oom_since(&fake.cg, &w);
	third = cgroup_oom_since(&fake.cg, &w);
	cgroup_oom_unwatch(&w);
	fake_remove(&fake);
	CHECK_INT(r, 0);
	CHECK_INT(first, 0);
	CHECK_INT(second, 2);
	CHECK_INT(third, 0);
}

TEST(no_memory_controller)
{
	struct cgroup_oom_watch w = CGROUP_OOM_WATCH_NONE;
	struct cgroup_oom oom;
	int r;

	CHECK(begin(true));
	r = cgroup_oom_watch(&fake.cg, &w, &err);
	cgroup_oom_read(&fake.cg, &oom);
	fake_remove(&fake);
	CHECK_INT(r, 0);
	CHECK(w.fd < 0);
	CHECK_INT(oom.scope, OOM_NONE);
}

TEST_MAIN()
