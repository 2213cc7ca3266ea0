// SPDX-License-Identifier: Apache-2.0
// What exec decides before it touches anything: whose ids --user means, what comes from the container, which CPUs.
#include "plan/exec.h"

#include "base/cleanup.h"

#include "../test.h"

#include <errno.h>

static struct crun_error err;

TEST(user_is_digits_and_nothing_else)
{
	static const struct {
		const char *text;
		int result;
		uint32_t uid, gid;
		bool has_gid;
	} rows[] = {
		{"0", 0, 0, 0, false},
		{"1", 0, 1, 0, false},
		{"1:2", 0, 1, 2, true},
		{"01:002", 0, 1, 2, true},
		{"4294967294", 0, 4294967294U, 0, false},
		{"", -EINVAL, 0, 0, false},
		{":", -EINVAL, 0, 0, false},
		{"1:", -EINVAL, 0, 0, false},
		{":2", -EINVAL, 0, 0, false},
		{"-1", -EINVAL, 0, 0, false},
		{"+1", -EINVAL, 0, 0, false},
		{"1x", -EINVAL, 0, 0, false},
		{"root", -EINVAL, 0, 0, false},
		{"1:2:3", -EINVAL, 0, 0, false},
		{" 1", -EINVAL, 0, 0, false},
		{"4294967295", -EINVAL, 0, 0, false},
		{"1:4294967296", -EINVAL, 0, 0, false},
		{"00000000000000000000000000000001", -EINVAL, 0, 0, false},
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		uint32_t uid = 77, gid = 0;
		bool has_gid = false;
		int r = plan_exec_user(rows[i].text, &uid, &gid, &has_gid);

		if (r != rows[i].result)
			TEST_FAIL("`%s` gives %d", rows[i].text, r);
		if (r < 0) {
			CHECK_INT(uid, 77);
			continue;
		}
		CHECK_INT(uid, rows[i].uid);
		CHECK_INT(gid, rows[i].gid);
		CHECK_INT(has_gid, rows[i].has_gid);
	}
}

TEST(what_is_left_out_comes_from_the_container)
{
	struct oci_user user = {.has_uid = true, .uid = 5}, own_user = {.uid = 6};
	struct oci_capabilities caps = {0};
	struct oci_rlimit limit = {.type = "RLIMIT_CORE"};
	const struct oci_process container = {
		.user = &user,
		.capabilities = &caps,
		.rlimits = &limit,
		.rlimits_len = 1,
		.has_no_new_privileges = true,
		.no_new_privileges = true,
		.apparmor_profile = "profile",
		.selinux_label = "label",
		.has_oom_score_adj = true,
		.oom_score_adj = 3,
	};
	struct oci_process p = {0}, full;

	plan_exec_defaults(&p, NULL);
	CHECK(!p.user && !p.capabilities && !p.has_no_new_privileges);
	plan_exec_defaults(&p, &container);
	CHECK(p.user == &user && p.capabilities == &caps && p.rlimits == &limit);
	CHECK(p.no_new_privileges && p.has_oom_score_adj);
	CHECK_INT(p.oom_score_adj, 3);
	CHECK_STR(p.apparmor_profile, "profile");
	CHECK_STR(p.selinux_label, "label");

	full = (struct oci_process){
		.user = &own_user,
		.has_no_new_privileges = true,
		.apparmor_profile = "mine",
		.selinux_label = "",
	};
	plan_exec_defaults(&full, &container);
	CHECK(full.user == &own_user && !full.no_new_privileges);
	CHECK_STR(full.apparmor_profile, "mine");
	/* Engines write an empty label for none of their own. */
	CHECK_STR(full.selinux_label, "label");
}

TEST(plan_says_what_has_to_be_waited_for)
{
	struct oci_arena arena = {0};
	const char *args[] = {"true"};
	struct oci_exec_cpu_affinity cpus = {.initial = "1,3", .final = "64"};
	struct oci_rlimit limit = {.type = "RLIMIT_CORE"};
	struct oci_process process = {
		.cwd = "/", .args = args, .args_len = 1, .exec_cpu_affinity = &cpus};
	struct oci_hooks hooks = {.poststop_len = 1};
	const struct oci_config config = {.hooks = &hooks};
	const struct host_facts facts = {.privileged = true, .last_cap = 40};
	struct plan_exec_options opts = {.id = "x", .joins = 1U << NS_PID | 1U << NS_MNT};
	struct launch_plan *plan = NULL;

	CHECK_INT(plan_exec(&config, &process, &facts, &opts, &arena, &plan, &err), 0);
	CHECK(plan->exec && !plan->sync_go && !plan->sync_filter && !plan->gate);
	CHECK(!plan->config->hooks && plan->config->process == &process);
	CHECK_INT(plan->ns[NS_PID].action, NS_JOIN);
	CHECK_INT(plan->ns[NS_NET].action, NS_SHARE);
	CHECK_INT(plan->cpus_before.mask[0], 1UL << 1 | 1UL << 3);
	CHECK_INT(plan->cpus.size, 2 * sizeof(unsigned long));
	CHECK_INT(plan->cpus.mask[1], 1);

	/* Hard limits are raised from outside the user namespace, before the process sets its own. */
	process.rlimits = &limit;
	process.rlimits_len = 1;
	opts.joins = 1U << NS_USER;
	CHECK_INT(plan_exec(&config, &process, &facts, &opts, &arena, &plan, &err), 0);
	CHECK(plan->sync_go);
	process.args_len = 0;
	CHECK_INT(plan_exec(&config, &process, &facts, &opts, &arena, &plan, &err), -EINVAL);
	CHECK_STR(err.at, "/process/args");
	oci_arena_free(&arena);
}

TEST_MAIN()
