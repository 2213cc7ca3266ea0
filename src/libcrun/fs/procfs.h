/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Verified handles of procfs. A file below "/proc" proves nothing about itself: the directory may be a tmpfs that an image
 * prepared, a file in it another procfs file bound over it (CVE-2019-16884, CVE-2025-52881). All access goes through these.
 */
#pragma once

#include "base/error.h"

#include <stddef.h>

/* Opens the /proc that we see and makes sure that it is the root of a procfs. Returns the O_PATH fd, or -errno. */
int procfs_open_host(struct crun_error *err) CRUN_NODISCARD;

/*
 * Opens PATH below PROC_FD with open(2) FLAGS: never through a magic link, never across a mount. Returns the fd or a negative
 * errno; -EXDEV means that something is mounted over the path.
 */
int procfs_open(int proc_fd, const char *path, int flags) CRUN_NODISCARD;

/* What FD refers to, seen from our root directory: the text of self/fd/FD. Returns the length or a negative errno. */
int procfs_fd_path(int proc_fd, int fd, char *buf, size_t size) CRUN_NODISCARD;
