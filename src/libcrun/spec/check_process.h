/* SPDX-License-Identifier: Apache-2.0 */
/* Checks of the process object that need no look at the host. Pure. */
#pragma once

#include "base/error.h"

#include <libocispec/oci.h>

/* Beyond what any kernel can be built for (8192 CPUs). */
#define CPU_LIST_LIMIT 32768

/*
 * consoleSize, scheduler, ioPriority and execCPUAffinity: refuses what no kernel takes, and what it would silently change into something
 * else. Returns 0, or -errno with the JSON pointer of the value, below /process.
 */
int check_process(const struct oci_process *p, struct crun_error *err) CRUN_NODISCARD;
