// SPDX-License-Identifier: Apache-2.0
// The container state that init's own hooks read on stdin.
#include "init/hook_state.h"

void init_hook_state(const struct launch_plan *plan, pid_t host_pid, const char *status,
		     struct hook_state *ret)
{
	*ret = (struct hook_state){
		.oci_version = plan->config->oci_version,
		.id = plan->id,
		.pid = host_pid,
		.bundle = plan->bundle,
		.root = plan->rootfs,
		.status = status,
		.annotations = plan->config->annotations,
	};
}
