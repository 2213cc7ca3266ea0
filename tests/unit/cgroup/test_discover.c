// SPDX-License-Identifier: Apache-2.0
// Tests of finding the hierarchies, in a private mount namespace with a layout made up of bind mounts.
#include "real.h"

#include <sys/stat.h>

#define ASIDE "/tmp"

/* /sys/fs/cgroup becomes an empty tmpfs, and the host's is at ASIDE. */
static bool clear_root(void)
{
	return mount(CG_ROOT, ASIDE, NULL, MS_BIND | MS_REC, NULL) == 0 &&
	       mount("tmpfs", CG_ROOT, "tmpfs", 0, NULL) == 0;
}

static bool bind_pids(const char *name)
{
	char path[128];

	snprintf(path, sizeof(path), CG_ROOT "/%s", name);
	return mkdir(path, 0755) == 0 && mount(ASIDE "/pids", path, NULL, MS_BIND, NULL) == 0;
}

static struct cgroup found;

static bool discover(enum cgroup_layout layout)
{
	found = (struct cgroup){0};
	return cg_discover(&found, layout, &err) == 0;
}

/* "cpu,cpuacct" with a symbolic link per controller, and one hierarchy mounted twice: each counts once. */
static void each_once(void)
{
	CHECK(clear_root());
	CHECK(bind_pids("pids,memory"));
	CHECK_INT(symlink("pids,memory", CG_ROOT "/pids"), 0);
	CHECK_INT(symlink("pids,memory", CG_ROOT "/memory"), 0);
	CHECK(bind_pids("freezer"));
	CHECK(bind_pids("somebody's"));
	CHECK_INT(mkdir(CG_ROOT "/cpuset", 0755), 0); /* nothing mounted there */
	CHECK(discover(CGROUP_V1));
	CHECK_INT(found.hier_len, 1);
	CHECK_INT(found.hier[0].controllers,
		  CG_BIT(CG_PIDS) | CG_BIT(CG_MEMORY) | CG_BIT(CG_FREEZER));
	CHECK(!found.hier[0].v2);
	cg_clear(&found);
}

/* No usual layout: the mount table says where the hierarchies are. */
static void from_mount_table(void)
{
	CHECK(clear_root());
	CHECK(discover(CGROUP_NONE));
	CHECK(found.hier_len > 1);
	for (size_t i = 0; i < found.hier_len; i++)
		CHECK(!strncmp(found.hier[i].root, ASIDE "/", strlen(ASIDE "/")));
	CHECK(cg_v1_controllers(&found) & CG_BIT(CG_PIDS));
	cg_clear(&found);
}

/* Nothing is mounted at all: an error that says what to do, unless nothing was asked for. */
static void nothing_mounted(void)
{
	struct plan_cgroup plan = {.layout = CGROUP_V2, .id = "x", .optional = true};
	struct cgroup *cg;

	CHECK(mount("tmpfs", CG_ROOT, "tmpfs", 0, NULL) == 0);
	CHECK_INT(cgroup_select(&plan, NULL, &cg, &err), 0);
	CHECK_STR(cgroup_path(cg), NULL);
	cgroup_free(cg);
	plan.optional = false;
	CHECK_INT(cgroup_select(&plan, NULL, &cg, &err), -EOPNOTSUPP);
	CHECK(strstr(err.text, "--cgroup-manager=disabled"));
}

TEST(each_hierarchy_once)
{
	NEED_ROOT();
	if (access(CG_ROOT "/pids/cgroup.procs", F_OK) < 0)
		SKIP("no v1 hierarchy to bind");
	in_private_mounts(each_once, false);
}

TEST(mount_table)
{
	NEED_ROOT();
	if (access(CG_ROOT "/pids/cgroup.procs", F_OK) < 0)
		SKIP("no v1 hierarchy to bind");
	in_private_mounts(from_mount_table, false);
}

TEST(no_hierarchy)
{
	NEED_ROOT();
	in_private_mounts(nothing_mounted, false);
}

TEST_MAIN()
