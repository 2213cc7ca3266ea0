/* SPDX-License-Identifier: Apache-2.0 */
/* What only the host side may do to init: raise its hard limits from outside its user namespace, and set its OOM score. */
#pragma once

#include "base/error.h"
#include "plan/plan.h"

int limits_apply(const struct launch_plan *plan, pid_t pid, struct crun_error *err) CRUN_NODISCARD;
