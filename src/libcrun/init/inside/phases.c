// SPDX-License-Identifier: Apache-2.0
// The table of init/inside: what happens in the container's file system while init is still privileged, in order.
#include "init/inside/phase.h"

static bool wants_console(const struct launch_plan *plan)
{
	return plan->process.terminal;
}

static bool wants_stdio(const struct launch_plan *plan)
{
	return !plan->process.terminal && plan->process.uid != 0;
}

static bool wants_seal(const struct launch_plan *plan)
{
	return plan_ns_is_own(plan, NS_MNT);
}

static bool wants_hostname(const struct launch_plan *plan)
{
	return plan->config->hostname || plan->config->domainname;
}

static bool wants_personality(const struct launch_plan *plan)
{
	return plan->linux_->personality != NULL;
}

static bool wants_memory_policy(const struct launch_plan *plan)
{
	return plan->linux_->memory_policy != NULL;
}

static bool wants_lsm(const struct launch_plan *plan)
{
	return plan->wants_label;
}

const struct inside_phase inside_phases[] = {
	{.name = "console", .when = wants_console, .run = phase_console},
	{.name = "stdio", .when = wants_stdio, .run = phase_stdio},
	{.name = "seal", .when = wants_seal, .run = phase_seal},
	/* An unbindable mount cannot be cloned, as console and seal do: only then. */
	{.name = "propagation", .when = wants_seal, .run = phase_propagation},
	{.name = "hostname", .when = wants_hostname, .run = phase_hostname},
	{.name = "personality", .when = wants_personality, .run = phase_personality},
	{.name = "memory_policy", .when = wants_memory_policy, .run = phase_memory_policy},
	{.name = "lsm", .when = wants_lsm, .run = phase_lsm},
	{.name = "rlimits", .run = phase_rlimits},
	{.name = "credentials", .run = phase_credentials},
	{.name = "cwd", .run = phase_cwd},
	{.name = "environment", .run = phase_environment},
	{.name = "exec_path", .run = phase_exec_path},
	{0},
};
