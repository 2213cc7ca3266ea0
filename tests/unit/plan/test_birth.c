// SPDX-License-Identifier: Apache-2.0
// How init is born, for every combination: eight namespaces, each shared, new or joined, with and without adoption.
#include "plan/birth.h"

#include "base/cleanup.h"
#include "sys/kernel.h"

#include "../test.h"

#include <stdbool.h>

#define BIT(i) (1U << (i))

static unsigned cases;

/* Calls CHECK_CASE for all 3^8 * 2 combinations; stops at the first failed check. */
static void for_all(void (*check_case)(const struct launch_plan *, bool, const struct birth *))
{
	unsigned combinations = 1;

	for (int i = 0; i < NS_COUNT; i++)
		combinations *= 3;
	cases = 0;
	for (unsigned n = 0; n < combinations * 2 && !test_failed; n++) {
		bool adopt = n >= combinations;
		struct launch_plan plan = {0};
		struct birth birth;
		unsigned rest = n % combinations;

		for (int i = 0; i < NS_COUNT; i++, rest /= 3)
			plan.ns[i].action = (enum ns_action)(rest % 3);
		memset(&birth, 0xff, sizeof(birth));
		birth_plan(&plan, adopt, &birth);
		cases++;
		check_case(&plan, adopt, &birth);
		if (test_failed)
			printf("# case %u\n", n);
	}
}

static bool is(const struct launch_plan *plan, int i, enum ns_action action)
{
	return plan->ns[i].action == action;
}

static bool any(const struct launch_plan *plan, enum ns_action action)
{
	for (int i = 0; i < NS_COUNT; i++) {
		if (is(plan, i, action))
			return true;
	}
	return false;
}

static void made_and_entered_once(const struct launch_plan *plan, bool adopt, const struct birth *b)
{
	int flags = 0;

	(void)adopt;
	for (int i = 0; i < NS_COUNT; i++) {
		int made = !!(b->clone_flags & ns_table[i].flag) +
			   !!(b->unshare_flags & ns_table[i].flag) + (i == NS_TIME && b->new_time);
		int entered = !!(b->join_before & BIT(i)) + !!(b->join_after & BIT(i));

		CHECK_INT(made, is(plan, i, NS_NEW));
		CHECK_INT(entered, is(plan, i, NS_JOIN));
		flags |= ns_table[i].flag;
	}
	/* Nothing that is no namespace, CLONE_VM for one, and no bit beyond the table. */
	CHECK_INT(b->clone_flags & ~flags, 0);
	CHECK_INT(b->unshare_flags & ~flags, 0);
	CHECK_INT((b->join_before | b->join_after) >> NS_COUNT, 0);
}

TEST(every_namespace_is_made_or_entered_once)
{
	for_all(made_and_entered_once);
	CHECK_INT(cases, 13122);
}

/* pid_namespaces(7): unshare and setns put children in only, never the caller. */
static void pid_is_never_inits_own_doing(const struct launch_plan *plan, bool adopt,
					 const struct birth *b)
{
	(void)adopt;
	CHECK(!(b->unshare_flags & CLONE_NEWPID));
	CHECK(!(b->join_after & BIT(NS_PID)));
	if (is(plan, NS_PID, NS_JOIN))
		CHECK(b->join_before & BIT(NS_PID));
}

TEST(a_pid_namespace_is_there_at_birth)
{
	for_all(pid_is_never_inits_own_doing);
}

/*
 * The user namespace is first: what init makes or enters later needs the capabilities in it, and init has them from birth. The time
 * namespace cannot be made by clone3 with offsets, and a helper that shares memory cannot enter one (EUSERS).
 */
static void user_is_first(const struct launch_plan *plan, bool adopt, const struct birth *b)
{
	(void)adopt;
	CHECK(!(b->unshare_flags & CLONE_NEWUSER));
	CHECK(!(b->join_after & BIT(NS_USER)));
	CHECK(!((b->clone_flags | b->unshare_flags) & CLONE_NEWTIME));
	CHECK(!(b->join_before & BIT(NS_TIME)));
	if (is(plan, NS_USER, NS_NEW) || is(plan, NS_USER, NS_JOIN))
		/* What the old user namespace owns cannot be entered from the new one. */
		CHECK_INT(b->join_after & ~(BIT(NS_MNT) | BIT(NS_TIME)), 0);
}

TEST(a_user_namespace_comes_first)
{
	for_all(user_is_first);
}

static void owned_by_mapped_ids(const struct launch_plan *plan, bool adopt, const struct birth *b)
{
	(void)adopt;
	if (is(plan, NS_USER, NS_NEW))
		CHECK_INT(b->clone_flags & ~(CLONE_NEWUSER | CLONE_NEWPID), 0);
}

TEST(what_a_new_user_namespace_owns_is_made_when_ids_are_mapped)
{
	for_all(owned_by_mapped_ids);
}

static void cgroup_is_rooted_right(const struct launch_plan *plan, bool adopt,
				   const struct birth *b)
{
	if (adopt)
		CHECK(!(b->clone_flags & CLONE_NEWCGROUP));
	if (!adopt && is(plan, NS_CGROUP, NS_NEW) && !is(plan, NS_USER, NS_NEW))
		CHECK(b->clone_flags & CLONE_NEWCGROUP);
}

TEST(a_cgroup_namespace_waits_for_the_adoption)
{
	for_all(cgroup_is_rooted_right);
}

/* Init reads host paths until its root is there: its mount namespace changes only after that was prepared. */
static void files_are_inits_own(const struct launch_plan *plan, bool adopt, const struct birth *b)
{
	(void)plan;
	(void)adopt;
	CHECK(!(b->join_before & BIT(NS_MNT)));
}

TEST(a_mount_namespace_is_entered_by_init)
{
	for_all(files_are_inits_own);
}

static void helper_only_when_needed(const struct launch_plan *plan, bool adopt,
				    const struct birth *b)
{
	bool needed = is(plan, NS_PID, NS_JOIN) || is(plan, NS_USER, NS_JOIN) ||
		      is(plan, NS_USER, NS_NEW);

	(void)adopt;
	if (!needed || !any(plan, NS_JOIN))
		CHECK_INT(b->join_before, 0);
	if (!any(plan, NS_NEW)) {
		CHECK_INT(b->clone_flags, 0);
		CHECK_INT(b->unshare_flags, 0);
	}
}

TEST(no_helper_without_need)
{
	for_all(helper_only_when_needed);
}

/* The other decisions do not depend on the adoption. */
static void adoption_moves_cgroup_only(const struct launch_plan *plan, bool adopt,
				       const struct birth *b)
{
	struct birth other;

	birth_plan(plan, !adopt, &other);
	CHECK_INT(b->clone_flags & ~CLONE_NEWCGROUP, other.clone_flags & ~CLONE_NEWCGROUP);
	CHECK_INT(b->unshare_flags & ~CLONE_NEWCGROUP, other.unshare_flags & ~CLONE_NEWCGROUP);
	CHECK_INT(b->join_before, other.join_before);
	CHECK_INT(b->join_after, other.join_after);
	CHECK_INT(b->new_time, other.new_time);
}

TEST(adoption_changes_the_cgroup_namespace_only)
{
	for_all(adoption_moves_cgroup_only);
}

TEST(a_plain_root_container_is_one_clone3)
{
	struct launch_plan plan = {0};
	struct birth b;

	plan.ns[NS_PID].action = plan.ns[NS_NET].action = plan.ns[NS_MNT].action = NS_NEW;
	plan.ns[NS_IPC].action = plan.ns[NS_UTS].action = plan.ns[NS_CGROUP].action = NS_NEW;
	birth_plan(&plan, false, &b);
	CHECK_INT(b.clone_flags, CLONE_NEWPID | CLONE_NEWNET | CLONE_NEWNS | CLONE_NEWIPC |
					 CLONE_NEWUTS | CLONE_NEWCGROUP);
	CHECK_INT(b.unshare_flags, 0);
	CHECK_INT(b.join_before | b.join_after, 0);
	CHECK(!b.new_time);
}

/* The host side moves interfaces into it while init waits to be told that its ids are mapped. */
TEST(a_network_namespace_for_devices_is_there_at_birth)
{
	struct launch_plan plan = {.net_devices_len = 1};
	struct birth b;

	plan.ns[NS_USER].action = plan.ns[NS_NET].action = plan.ns[NS_IPC].action = NS_NEW;
	birth_plan(&plan, false, &b);
	CHECK_INT(b.clone_flags, CLONE_NEWUSER | CLONE_NEWNET);
	CHECK_INT(b.unshare_flags, CLONE_NEWIPC);
	plan.ns[NS_NET].action = NS_JOIN;
	birth_plan(&plan, false, &b);
	CHECK_INT(b.clone_flags, CLONE_NEWUSER);
	CHECK(b.join_before & BIT(NS_NET));
}

TEST(the_table_is_the_kernels)
{
	static const struct {
		int flag;
		const char *name, *spec_name;
	} want[NS_COUNT] = {
		[NS_USER] = {0x10000000, "user", "user"},
		[NS_PID] = {0x20000000, "pid", "pid"},
		[NS_NET] = {0x40000000, "net", "network"},
		[NS_MNT] = {0x00020000, "mnt", "mount"},
		[NS_IPC] = {0x08000000, "ipc", "ipc"},
		[NS_UTS] = {0x04000000, "uts", "uts"},
		[NS_CGROUP] = {0x02000000, "cgroup", "cgroup"},
		[NS_TIME] = {0x00000080, "time", "time"},
	};

	for (int i = 0; i < NS_COUNT; i++) {
		CHECK_INT(ns_table[i].flag, want[i].flag);
		CHECK_STR(ns_table[i].name, want[i].name);
		CHECK_STR(ns_table[i].spec_name, want[i].spec_name);
	}
}

TEST_MAIN()
