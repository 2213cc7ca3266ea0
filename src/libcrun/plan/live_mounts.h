/* SPDX-License-Identifier: Apache-2.0 */
/* The plan of `mounts add` and `mounts remove`: other mounts for a container that is there, and nothing else. */
#pragma once

#include "plan/plan.h"

struct plan_live_mounts_options {
	const char *id, *bundle;
	enum plan_live_mounts change;
	unsigned
		joins; /* bit per enum ns_index: NS_USER and NS_MNT, where those of the container are not ours */
};

/*
 * Plans what LIST asks of the container of CONFIG; for LIVE_MOUNTS_REMOVE only the destinations count. Pure. Returns 0, or -errno with a JSON
 * pointer into LIST in err->at.
 */
int plan_live_mounts(const struct oci_config *config, const struct oci_mount_list *list,
		     const struct host_facts *facts, const struct plan_live_mounts_options *opts,
		     struct oci_arena *arena, struct launch_plan **ret,
		     struct crun_error *err) CRUN_NODISCARD;
