/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How init is born: which namespaces the one clone3 makes, which init makes itself, which are entered before birth and which
 * after. Pure; docs: ARCHITECTURE.md, "Birth".
 */
#pragma once

#include "plan/plan.h"

struct birth {
	int clone_flags;   /* CLONE_NEW* of the clone3 that makes init */
	int unshare_flags; /* what init makes by unshare(2), after GO */
	unsigned
		join_before; /* bit per enum ns_index: entered by the VM-sharing helper before it clones init */
	unsigned join_after; /* bit per enum ns_index: entered by init itself, after GO */
	bool new_time; /* init makes a time namespace and enters it (no clone flag can set its offsets) */
};

/*
 * CGROUP_ADOPT: init is moved into its cgroup after its birth, so its cgroup namespace must be made later than that, or the
 * namespace would be rooted at the wrong cgroup.
 */
void birth_plan(const struct launch_plan *plan, bool cgroup_adopt, struct birth *ret);
