/* SPDX-License-Identifier: Apache-2.0 */
/* The file of --pid-file. */
#pragma once

#include "base/error.h"

#include <sys/types.h>

/* PATH gets the digits of PID and nothing else, by rename: whoever waits for it finds it complete. */
int pidfile_write(const char *path, pid_t pid, struct crun_error *err) CRUN_NODISCARD;
