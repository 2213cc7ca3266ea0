/* SPDX-License-Identifier: Apache-2.0 */
/* Whether a cgroup that is there already goes with another container. */
#pragma once

#include "cgroup/cgroup.h"
#include "libcrun.h"

/*
 * KIND_EXISTS when a container of this state root made the cgroup that CG is going to live in: its `kill --all` and `delete` end whatever they
 * find there. Reads no record unless the cgroup was there before.
 */
int cgroup_owner_check(const struct libcrun_context *ctx, const struct cgroup *cg,
		       struct crun_error *err) CRUN_NODISCARD;
