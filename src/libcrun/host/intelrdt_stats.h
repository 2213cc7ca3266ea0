/* SPDX-License-Identifier: Apache-2.0 */
/* What resctrl says about a container's class of service and counts in its monitoring group, for `events`. */
#pragma once

#include "cgroup/stats.h"
#include "host/intelrdt.h"
#include "host/verbs.h"

/* A cache with the CPUs behind it. */
struct intelrdt_domain {
	char name[32];				   /* "mon_L3_00" */
	struct stat_value occupancy, total, local; /* bytes */
};

/* Strings and array belong to the arena; NULL is what is not known. */
struct intelrdt_stats {
	struct oci_arena arena;
	const char *l3_root, *l3, *mb_root,
		*mb; /* lines of schemata: the default class's, the container's */
	const char *cbm_mask;
	struct stat_value min_cbm_bits, l3_closids;
	struct stat_value bandwidth_gran, delay_linear, min_bandwidth, mb_closids;
	struct intelrdt_domain *domains; /* by name */
	size_t domains_len;
};

/*
 * Finds the groups of container C. Returns 1 with *RET, whose base_fd is the caller's to close, 0 when it has none (or resctrl is gone), or
 * -errno. ARENA keeps what *RET points to.
 */
int intelrdt_stats_open(const struct container *c, struct oci_arena *arena, struct intelrdt *ret,
			struct crun_error *err) CRUN_NODISCARD;

/* Reads everything that there is. *RET must be all-zero, and is released by intelrdt_stats_done also on failure, which is -ENOMEM only. */
int intelrdt_stats_read(const struct intelrdt *rdt, struct intelrdt_stats *ret);
void intelrdt_stats_done(struct intelrdt_stats *stats);
