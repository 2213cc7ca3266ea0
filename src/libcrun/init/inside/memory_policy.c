// SPDX-License-Identifier: Apache-2.0
// linux.memoryPolicy: on which memory nodes the payload's pages are to be.
#include "init/inside/phase.h"

#include "sys/sched.h"

#include <errno.h>

int phase_memory_policy(struct inside *in, struct crun_error *err)
{
	const struct oci_linux_memory_policy *mp = in->plan->linux_->memory_policy;
	const struct plan_memory_policy *policy = &in->plan->memory_policy;
	/* The kernel looks at one bit less than it is told. */
	int r = sys_set_mempolicy(policy->mode, policy->end ? policy->nodes : NULL,
				  policy->end ? policy->end + 1UL : 0);

	if (r >= 0)
		return 0;
	if (r == -ENOSYS)
		err_set(err, KIND_UNSUPPORTED, ENOSYS,
			"this kernel has no NUMA memory policies: Function not implemented");
	else
		err_sys(err, r, "set the memory policy %s with nodes `%s`%s",
			oci_memory_policy_mode_name(mp->mode), mp->nodes ? mp->nodes : "",
			r == -EINVAL ? " (a node that is not online or not in the cpuset, or a "
				       "mode or flag that this kernel does not have)"
				     : "");
	return err_at(err, "/linux/memoryPolicy");
}
