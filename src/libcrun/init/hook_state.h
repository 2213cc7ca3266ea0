/* SPDX-License-Identifier: Apache-2.0 */
/* The container state that init's own hooks (createContainer, startContainer) read on stdin. */
#pragma once

#include "hooks/run.h"
#include "plan/plan.h"

void init_hook_state(const struct launch_plan *plan, pid_t host_pid, const char *status,
		     struct hook_state *ret);
