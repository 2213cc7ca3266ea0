/* SPDX-License-Identifier: Apache-2.0 */
/* What create and validate have in common: checking a configuration. Nothing is touched. */
#pragma once

#include "host/check_kernel.h"
#include "plan/plan.h"

/* Every check of the configuration that needs no more than FACTS (facts_gather()), and the plan. */
int config_check(const struct oci_config *config, const struct host_facts *facts,
		 const struct plan_options *options, struct oci_arena *arena,
		 struct launch_plan **ret, struct crun_error *err) CRUN_NODISCARD;

/* What a launch would find out on its way: what the plan needs and this host does not have. */
void host_check(const struct launch_plan *plan, config_finding_fn found, void *data);
