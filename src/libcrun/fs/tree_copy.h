/* SPDX-License-Identifier: Apache-2.0 */
/* A copy of a directory tree whose owner is hostile. */
#pragma once

#include "base/error.h"

/*
 * Copies what the directory FROM holds into the directory TO, whose own owner and mode are left alone: files, directories,
 * symbolic links, FIFOs, sockets and device nodes where mknod(2) is allowed, with owner, mode, times and extended attributes.
 * Links are never followed and other mounts below FROM not entered: their mount points become empty directories. Hard links
 * become files of their own. Both are readable directory fds. Returns 0 or -errno with the entry named.
 */
int tree_copy(int from, int to, struct crun_error *err) CRUN_NODISCARD;
