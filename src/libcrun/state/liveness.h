/* SPDX-License-Identifier: Apache-2.0 */
/* Whether the process of a record is still the one that was recorded, safe against pid reuse. */
#pragma once

#include "base/error.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/* Start time of PID in clock ticks since boot (field 22 of /proc/PID/stat), and whether it is a zombie or dead. */
int process_start_time(pid_t pid, uint64_t *ret, bool *ret_dead);

/*
 * A pidfd of PID if it is alive (not a zombie) and started at START_TIME; -ESRCH otherwise; -EACCES when it is one that we may signal, but /proc
 * does not tell of it. Checked in the order open, compare, so that a pid that is reused meanwhile is not mistaken. *ret_executed (unless NULL): whether it has done an execve(2) since its fork; set on success only.
 */
int process_open(pid_t pid, uint64_t start_time, bool *ret_executed);
