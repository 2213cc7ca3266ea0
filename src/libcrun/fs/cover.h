/* SPDX-License-Identifier: Apache-2.0 */
/* Hiding a path of the container behind an object that is the same for all hidden paths of its kind. */
#pragma once

#include "base/error.h"
#include "fs/kernel_dirs.h"
#include "fs/mount_stage.h"

#include <stdbool.h>

/* What paths are covered with. The descriptors are borrowed; FD_NONE: nothing of this kind can be covered. */
struct covers {
	int dir_fd;  /* a mount of an empty, read-only directory */
	int file_fd; /* a mount of /dev/null */
	bool dir_used, file_used;
	const struct kernel_dirs *dirs; /* the container's, or NULL: nothing is known of them */
};

/*
 * Covers PATH below ROOT_FD, if it exists, and makes sure that a look-up ends there from now on; so it is for a path that is covered
 * already. The first use attaches an object itself, the others clones of it. Returns 0 or -errno.
 */
int cover_path(struct mount_stage *stage, struct covers *covers, int root_fd, const char *path,
	       struct crun_error *err) CRUN_NODISCARD;
