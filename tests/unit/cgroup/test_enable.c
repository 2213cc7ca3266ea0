// SPDX-License-Identifier: Apache-2.0
// Which controllers are handed down where a cgroup has processes of its own, with files that stand for the kernel's.
#include "fake.h"

#include <errno.h>

static const char *control(const struct fake *f, const char *name)
{
	static char text[256];

	return io_read_file_at(f->cg.hier[0].root_fd, name, text, sizeof(text)) < 0 ? "?" : text;
}

/* A cgroup "a" of the type "domain", and the container's "b" in it. */
static void make(struct fake *f, char path[8], const char *controllers, const char *procs)
{
	snprintf(path, 8, "/a/b");
	CHECK(fake_make(f, path, true));
	fake_file(f, "cgroup.controllers", controllers);
	fake_file(f, "cgroup.subtree_control", "");
	fake_file(f, "cgroup.procs", "1\n");
	fake_file(f, "a/cgroup.controllers", controllers);
	fake_file(f, "a/cgroup.subtree_control", "");
	fake_file(f, "a/cgroup.type", "domain\n");
	fake_file(f, "a/cgroup.procs", procs);
	f->cg.hier[0].existing = 1;
}

TEST(threaded_controllers_are_not_handed_down_beside_processes)
{
	struct fake f;
	char path[8];

	make(&f, path, "cpu pids\n", "1\n");
	CHECK_INT(cg_v2_enable(&f.cg, &f.cg.hier[0], 0, &err), 0);
	CHECK_STR(control(&f, "a/cgroup.subtree_control"), "");
	/* The root has no such rule. */
	CHECK_STR(control(&f, "cgroup.subtree_control"), "+cpu +pids");
	CHECK_INT(cg_v2_enable(&f.cg, &f.cg.hier[0], CG_BIT(CG_PIDS), &err), -EBUSY);
	CHECK(strstr(err.text, "controller `pids` cannot be enabled in"));
	CHECK(strstr(err.text, "/a/cgroup.subtree_control`: that cgroup has processes"));
	CHECK_STR(control(&f, "a/cgroup.subtree_control"), "");
	fake_remove(&f);
}

TEST(they_are_where_there_is_none)
{
	struct fake f;
	char path[8];

	make(&f, path, "cpu pids\n", "");
	CHECK_INT(cg_v2_enable(&f.cg, &f.cg.hier[0], CG_BIT(CG_PIDS), &err), 0);
	CHECK_STR(control(&f, "a/cgroup.subtree_control"), "+cpu +pids");
	fake_remove(&f);
}

TEST(the_topmost_list_without_a_controller_is_named)
{
	struct fake f;
	char path[8];

	make(&f, path, "cpu pids\n", "");
	fake_file(&f, "cgroup.controllers", "cpu memory pids\n");
	CHECK_INT(cg_v2_no_controller(&f.cg, &f.cg.hier[0], CG_MEMORY, &err), -EOPNOTSUPP);
	CHECK(strstr(err.text, "controller `memory` is not available"));
	CHECK(strstr(err.text, "/a/cgroup.controllers` does not list it"));
	fake_remove(&f);
}

TEST_MAIN()
