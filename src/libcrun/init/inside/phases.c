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

static bool wants_lsm(const struct launch_plan *plan)
{
	return plan->wants_label;
}

const struct inside_phase inside_phases[] = {
	{"console", wants_console, phase_console},
	{"stdio", wants_stdio, phase_stdio},
	{"seal", wants_seal, phase_seal},
	/* An unbindable mount cannot be cloned, as console and seal do: only then. */
	{"propagation", wants_seal, phase_propagation},
	{"hostname", wants_hostname, phase_hostname},
	{"personality", wants_personality, phase_personality},
	{"lsm", wants_lsm, phase_lsm},
	{"rlimits", NULL, phase_rlimits},
	{"credentials", NULL, phase_credentials},
	{"cwd", NULL, phase_cwd},
	{"environment", NULL, phase_environment},
	{"exec_path", NULL, phase_exec_path},
	{0},
};
