// SPDX-License-Identifier: Apache-2.0
// Tests of paths, drivers and conversions: nothing is made.
#include "cgroup/controllers.h"

#include "../test.h"

#include <stdint.h>

TEST(weight_of_shares)
{
	/* cri-o's tests expect 59 and 35 of this formula. */
	static const uint64_t table[][2] = {{0, 1},	 {1, 1},	  {2, 1},
					    {256, 35},	 {512, 59},	  {1024, 100},
					    {2048, 174}, {262144, 10000}, {UINT64_MAX, 10000}};

	for (size_t i = 0; i < ARRAY_LEN(table); i++)
		CHECK_INT(cg_v2_weight_of_shares(table[i][0]), table[i][1]);
	for (uint64_t s = 2; s < 262144; s++)
		CHECK(cg_v2_weight_of_shares(s) <= cg_v2_weight_of_shares(s + 1));
}

static const char *normal(const char *path, struct crun_error *err)
{
	static char text[CG_PATH_SIZE];
	struct cgroup cg = {0};
	int r = cg_set_path(&cg, path, err);

	snprintf(text, sizeof(text), "%s", r < 0 ? "" : cg.path);
	cg_clear(&cg);
	return text;
}

TEST(paths)
{
	static const char *const bad[] = {"/",	  "//",	  "/a/",     "/a//b", ".",
					  "..",	  "/..",  "/a/../b", "a/./b", "/a/..",
					  "a\nb", "/./a", "../../a"};
	char long_name[600], deep[300] = "";
	struct crun_error err;

	CHECK_STR(normal("/a/b", &err), "/a/b");
	CHECK_STR(normal("a/b", &err), "/a/b");
	CHECK_STR(normal("x.slice:p:id", &err), "/x.slice:p:id");
	CHECK_STR(normal("/...", &err), "/...");
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		CHECK_STR(normal(bad[i], &err), "");
		CHECK_INT(err.kind, KIND_SPEC);
		CHECK_STR(err.at, "/linux/cgroupsPath");
		CHECK(strstr(err.text, "linux.cgroupsPath"));
	}
	memset(long_name, 'a', sizeof(long_name) - 1);
	long_name[256] = '\0';
	CHECK_STR(normal(long_name, &err), "");
	long_name[255] = '\0';
	CHECK(normal(long_name, &err)[0]);
	for (int i = 0; i < 64; i++)
		memcpy(deep + 2 * (size_t)i, "/a", 3);
	CHECK_STR(normal(deep, &err), deep);
	memcpy(deep + 128, "/a", 3);
	CHECK_STR(normal(deep, &err), "");
}

TEST(prefixes)
{
	struct cgroup cg = {0};
	struct crun_error err;
	char text[CG_PATH_SIZE];

	CHECK_INT(cg_set_path(&cg, "/ab/c/def", &err), 0);
	CHECK_INT(cg.depth, 3);
	cg_prefix(&cg, 0, text);
	CHECK_STR(text, "");
	cg_prefix(&cg, 1, text);
	CHECK_STR(text, "ab");
	cg_prefix(&cg, 3, text);
	CHECK_STR(text, "ab/c/def");
	cg_clear(&cg);
}

TEST(controller_lists)
{
	CHECK_INT(cg_controller_bits("cpu,cpuacct", ",", false),
		  CG_BIT(CG_CPU) | CG_BIT(CG_CPUACCT));
	CHECK_INT(cg_controller_bits("cpuset cpu io memory pids", " ", true),
		  CG_BIT(CG_CPUSET) | CG_BIT(CG_CPU) | CG_BIT(CG_IO) | CG_BIT(CG_MEMORY) |
			  CG_BIT(CG_PIDS));
	CHECK_INT(cg_controller_bits("rw,nosuid,blkio", ",", false), CG_BIT(CG_IO));
	CHECK_INT(cg_controller_bits("", ",", false), 0);
	CHECK_INT(cg_controller_bits("cpusetx,memory2", ",", false), 0);
}

TEST(systemd_is_refused)
{
	struct plan_cgroup plan = {.manager = CGROUP_MANAGER_SYSTEMD, .id = "x"};
	struct crun_error err = {0};
	struct cgroup *cg;

	CHECK(cgroup_select(&plan, NULL, &cg, &err) < 0);
	CHECK_INT(err.kind, KIND_UNSUPPORTED);
	CHECK(strstr(err.text, "cgroupfs"));
}

TEST(disabled_does_nothing)
{
	struct plan_cgroup plan = {
		.manager = CGROUP_MANAGER_DISABLED, .layout = CGROUP_V2, .id = "x", .path = "/.."};
	struct crun_error err = {0};
	struct cgroup *cg;
	bool frozen = true;
	pid_t *pids = NULL;
	size_t len = 1;

	CHECK_INT(cgroup_select(&plan, NULL, &cg, &err), 0);
	CHECK_STR(cgroup_path(cg), NULL);
	CHECK(!cgroup_planned(cg)[0]);
	CHECK_INT(cgroup_create(cg, &err), 0);
	CHECK(cgroup_clone_fd(cg) < 0);
	CHECK(!cgroup_needs_adopt(cg));
	CHECK_INT(cgroup_adopt(cg, getpid(), &err), 0);
	CHECK_INT(cgroup_signal(cg, 9, &err), 0);
	CHECK_INT(cgroup_pids(cg, &pids, &len, &err), 0);
	CHECK_INT(len, 0);
	CHECK_INT(cgroup_is_frozen(cg, &frozen, &err), 0);
	CHECK(!frozen);
	CHECK_INT(cgroup_thaw(cg, &err), 0);
	CHECK_INT(cgroup_destroy(cg, &err), 0);
	cgroup_free(cg);
}

TEST_MAIN()
