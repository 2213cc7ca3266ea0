/* SPDX-License-Identifier: Apache-2.0 */
/* Sources of bind mounts, opened once, before anything hostile is mounted, and used by fd ever after. */
#pragma once

#include "base/error.h"
#include "fs/mount_stage.h"

#include <stdbool.h>

/*
 * Clones the mount at the absolute host path PATH (everything mounted below it too, when RECURSIVE) into a detached tree. With
 * NOFOLLOW a final symbolic link is cloned itself. For a bind mount of the plan: mount_source_open (stage, op->source, op->recursive,
 * op->src_nofollow || op->copy_symlink, err). The clone keeps the propagation of the original: whoever attaches it decides.
 * Without the mount API the tree is put on STAGE; -ENOSYS without an open one (STAGE may be NULL).
 * Returns the O_PATH fd of the tree; -ENOENT says "mount source `PATH`: No such file or directory".
 */
int mount_source_open(struct mount_stage *stage, const char *path, bool recursive, bool nofollow,
		      struct crun_error *err) CRUN_NODISCARD;
