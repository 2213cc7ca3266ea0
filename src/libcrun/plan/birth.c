// SPDX-License-Identifier: Apache-2.0
// How init is born: see birth.h.
#include "plan/birth.h"

#include <linux/sched.h>
#include <sched.h>

const struct ns_info ns_table[NS_COUNT] = {
	[NS_USER] = {CLONE_NEWUSER, "user", "user"},
	[NS_PID] = {CLONE_NEWPID, "pid", "pid"},
	[NS_NET] = {CLONE_NEWNET, "net", "network"},
	[NS_MNT] = {CLONE_NEWNS, "mnt", "mount"},
	[NS_IPC] = {CLONE_NEWIPC, "ipc", "ipc"},
	[NS_UTS] = {CLONE_NEWUTS, "uts", "uts"},
	[NS_CGROUP] = {CLONE_NEWCGROUP, "cgroup", "cgroup"},
	[NS_TIME] = {CLONE_NEWTIME, "time", "time"},
};

#define BIT(i) (1U << (i))

/* Init still needs the host's files when it is born, and the kernel lets nobody who shares memory into a time namespace. */
#define JOINED_BY_INIT (BIT(NS_MNT) | BIT(NS_TIME))

void birth_plan(const struct launch_plan *plan, bool cgroup_adopt, struct birth *ret)
{
	unsigned joins = 0;
	bool new_user = plan->ns[NS_USER].action == NS_NEW;

	*ret = (struct birth){0};
	for (int i = 0; i < NS_COUNT; i++) {
		if (plan->ns[i].action == NS_JOIN)
			joins |= BIT(i);
		if (plan->ns[i].action != NS_NEW)
			continue;
		if (i == NS_TIME)
			ret->new_time = true;
		else if (i == NS_NET && plan->net_devices_len)
			/* The host side moves interfaces into it before init goes on. */
			ret->clone_flags |= ns_table[i].flag;
		else if (new_user && i != NS_USER && i != NS_PID)
			/* Objects made before the id map exists belong to nobody (the mqueue root shows uid 65534). */
			ret->unshare_flags |= ns_table[i].flag;
		else if (i == NS_CGROUP && cgroup_adopt)
			ret->unshare_flags |= ns_table[i].flag;
		else
			ret->clone_flags |= ns_table[i].flag;
	}
	ret->join_after = joins & JOINED_BY_INIT;
	ret->join_before = joins & ~JOINED_BY_INIT;
	/*
	 * A pid namespace cannot be entered by a process that is to live in it; a user namespace must come first, and what is
	 * owned by the old user namespace must be entered before a new one. Anything else init can do without a helper.
	 */
	if (!new_user && !(joins & (BIT(NS_USER) | BIT(NS_PID)))) {
		ret->join_after |= ret->join_before;
		ret->join_before = 0;
	}
}
