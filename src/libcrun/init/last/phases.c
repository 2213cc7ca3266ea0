// SPDX-License-Identifier: Apache-2.0
// The table of init/last: what happens with the payload's own power, in order.
#include "init/last/phase.h"

static bool wants_filter(const struct launch_plan *plan)
{
	return plan->sync_filter;
}

static bool wants_listener(const struct launch_plan *plan)
{
	return plan->sync_listener;
}

static bool wants_late_filter(const struct launch_plan *plan)
{
	return plan->sync_filter && !plan->sync_listener;
}

static bool wants_gate(const struct launch_plan *plan)
{
	return plan->gate;
}

static bool wants_start_container(const struct launch_plan *plan)
{
	return plan->config->hooks && plan->config->hooks->start_container_len;
}

static bool wants_audit(const struct launch_plan *plan)
{
	return plan->self_audit;
}

static bool wants_limits(const struct launch_plan *plan)
{
	return plan->process.rlimits_len;
}

const struct last_phase last_phases[] = {
	{.name = "signals", .run = phase_signals},
	{.name = "fds", .run = phase_fds},
	{.name = "filter",
	 .when = wants_filter,
	 .run = phase_filter,
	 .says = {EXPECTS(MSG_FILTER)}},
	{.name = "listener",
	 .when = wants_listener,
	 .run = phase_listener,
	 .code = CODE_SECCOMP_LOAD,
	 .says = {SENDS(MSG_LISTENER)}},
	{.name = "ready", .run = phase_ready, .says = {SENDS(MSG_READY)}},
	{.name = "settled", .run = phase_settled, .says = {EXPECTS(MSG_SETTLED)}},
	{.name = "gate",
	 .when = wants_gate,
	 .run = phase_gate,
	 .says = {EXPECTS(MSG_START)}}, /* on the gate's own connection */
	{.name = "startContainer",
	 .when = wants_start_container,
	 .run = phase_start_container_hooks},
	{.name = "audit_mounts",
	 .when = wants_audit,
	 .run = phase_audit_mounts,
	 .code = CODE_SELF_AUDIT},
	{.name = "limits", .when = wants_limits, .run = phase_limits, .code = CODE_RLIMIT},
	{.name = "audit", .when = wants_audit, .run = phase_audit, .code = CODE_SELF_AUDIT},
	{.name = "seccomp",
	 .when = wants_late_filter,
	 .run = phase_seccomp,
	 .code = CODE_SECCOMP_LOAD},
	{.name = "execve", .run = phase_execve, .code = CODE_COMMAND_UNUSABLE},
	{0},
};

/* The filter was there before the process was, and no record has to name it: nothing is waited for. */
const struct last_phase exec_last_phases[] = {
	{.name = "signals", .run = phase_signals},
	{.name = "fds", .run = phase_fds},
	{.name = "listener",
	 .when = wants_listener,
	 .run = phase_listener,
	 .code = CODE_SECCOMP_LOAD,
	 .says = {SENDS(MSG_LISTENER)}},
	{.name = "ready", .run = phase_ready, .says = {SENDS(MSG_READY)}},
	{.name = "limits", .when = wants_limits, .run = phase_limits, .code = CODE_RLIMIT},
	{.name = "audit", .when = wants_audit, .run = phase_audit, .code = CODE_SELF_AUDIT},
	{.name = "seccomp",
	 .when = wants_late_filter,
	 .run = phase_seccomp,
	 .code = CODE_SECCOMP_LOAD},
	{.name = "execve", .run = phase_execve, .code = CODE_COMMAND_UNUSABLE},
	{0},
};
