/* SPDX-License-Identifier: Apache-2.0 */
/* What is true of this host, found out once per command. Domain: the runtime. */
#pragma once

#include "base/error.h"
#include "plan/plan.h"

/* Fills *RET with the facts that CONFIG makes necessary; those that it does not touch on are left at "no". */
int facts_gather(const struct oci_config *config, struct host_facts *ret,
		 struct crun_error *err) CRUN_NODISCARD;
