/* SPDX-License-Identifier: Apache-2.0 */
/* Checks of the small objects below linux that need no look at the host. Pure. */
#pragma once

#include "base/error.h"

#include <libocispec/oci.h>

/* The kernel's highest possible number of memory nodes (CONFIG_NODES_SHIFT is at most 10). */
#define NODE_LIST_LIMIT 1024

/*
 * memoryPolicy, personality and timeOffsets: refuses what no kernel takes and what has no meaning. Returns 0, or -errno with the JSON
 * pointer of the value, below /linux.
 */
int check_linux(const struct oci_linux *lx, struct crun_error *err) CRUN_NODISCARD;
