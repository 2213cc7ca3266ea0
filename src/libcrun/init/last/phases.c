// SPDX-License-Identifier: Apache-2.0
// The table of init/last: what happens with the payload's own power, in order.
#include "init/last/phase.h"

static bool wants_filter(const struct launch_plan *plan)
{
	return plan->sync_filter;
}

static bool wants_gate(const struct launch_plan *plan)
{
	return plan->gate;
}

static bool wants_start_container(const struct launch_plan *plan)
{
	return plan->config->hooks && plan->config->hooks->start_container_len;
}

const struct last_phase last_phases[] = {
	{"signals", NULL, phase_signals},
	{"fds", NULL, phase_fds},
	{"filter", wants_filter, phase_filter},
	{"ready", NULL, phase_ready},
	{"gate", wants_gate, phase_gate},
	{"startContainer", wants_start_container, phase_start_container_hooks},
	{"seccomp", wants_filter, phase_seccomp},
	{"execve", NULL, phase_execve},
	{0},
};
