/* SPDX-License-Identifier: Apache-2.0 */
/* On which mount a file is. */
#pragma once

#include "base/error.h"

#include <stdint.h>

/*
 * The id of the mount that FD (any kind of fd) is on: from statx(2), before 5.8 from the fdinfo of the procfs PROC_FD. Returns 0 or
 * -errno.
 */
int mount_id_of(int proc_fd, int fd, uint64_t *ret) CRUN_NODISCARD;
