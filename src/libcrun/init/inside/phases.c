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
	{.name = "console", .when = wants_console, .run = phase_console, .code = CODE_TERMINAL},
	{.name = "stdio", .when = wants_stdio, .run = phase_stdio},
	{.name = "seal", .when = wants_seal, .run = phase_seal, .code = CODE_MASK},
	/* An unbindable mount cannot be cloned, as console and seal do: only then. */
	{.name = "propagation",
	 .when = wants_seal,
	 .run = phase_propagation,
	 .code = CODE_MOUNT_REFUSED},
	{.name = "hostname", .when = wants_hostname, .run = phase_hostname, .code = CODE_HOSTNAME},
	{.name = "personality", .when = wants_personality, .run = phase_personality},
	{.name = "memory_policy",
	 .when = wants_memory_policy,
	 .run = phase_memory_policy,
	 .code = CODE_MEMORY_POLICY},
	{.name = "lsm", .when = wants_lsm, .run = phase_lsm, .code = CODE_LSM_LABEL},
	{.name = "rlimits", .run = phase_rlimits, .code = CODE_RLIMIT},
	{.name = "credentials", .run = phase_credentials, .code = CODE_CREDENTIALS},
	{.name = "cwd", .run = phase_cwd, .code = CODE_CWD_REFUSED},
	{.name = "environment", .run = phase_environment},
	{.name = "exec_path", .run = phase_exec_path, .code = CODE_COMMAND_REFUSED},
	{0},
};

const struct inside_phase exec_inside_phases[] = {
	{.name = "console", .when = wants_console, .run = phase_console, .code = CODE_TERMINAL},
	{.name = "stdio", .when = wants_stdio, .run = phase_stdio},
	{.name = "personality", .when = wants_personality, .run = phase_personality},
	{.name = "memory_policy",
	 .when = wants_memory_policy,
	 .run = phase_memory_policy,
	 .code = CODE_MEMORY_POLICY},
	{.name = "lsm", .when = wants_lsm, .run = phase_lsm, .code = CODE_LSM_LABEL},
	{.name = "rlimits", .run = phase_rlimits, .code = CODE_RLIMIT},
	{.name = "credentials", .run = phase_credentials, .code = CODE_CREDENTIALS},
	{.name = "cwd", .run = phase_cwd, .code = CODE_CWD_REFUSED},
	{.name = "environment", .run = phase_environment},
	{.name = "exec_path", .run = phase_exec_path, .code = CODE_COMMAND_REFUSED},
	{0},
};
