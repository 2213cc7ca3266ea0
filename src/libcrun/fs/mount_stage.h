/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Mounts that are made first and attached when they are complete. With the mount API (open_tree, fsmount, move_mount: Linux 5.2)
 * they are detached until then. Without it they wait on a stage: a tmpfs below the place where the container's root will be,
 * which that root covers and pivot_root(2) takes away with the host's files. Either way a descriptor names a mount from its
 * beginning to the end, and nothing is looked up again.
 */
#pragma once

#include "base/error.h"

#include <stdbool.h>
#include <stdint.h>

struct mount_stage {
	int proc_fd; /* borrowed */
	int dir_fd;  /* the stage, or FD_NONE with the mount API */
	unsigned slots;
};

/*
 * Makes the stage over the directory COVERED, which PATH leads to, in a mount namespace that is ours and shares nothing with others.
 * S->proc_fd is set. Returns 0 or -errno.
 */
int mount_stage_open(struct mount_stage *s, int covered, const char *path,
		     struct crun_error *err) CRUN_NODISCARD;

bool mount_stage_is_open(const struct mount_stage *s);

/*
 * A mount of what FD names, with everything mounted below it when RECURSIVE. Returns its O_PATH fd; -EINVAL for what must not be
 * cloned, -errno.
 */
int mount_stage_clone(struct mount_stage *s, int fd, bool recursive) CRUN_NODISCARD;

/* A new instance of FSTYPE, on an open stage only. ATTRS: MOUNT_ATTR_*; DATA: the options of mount(2). Returns its O_PATH fd. */
int mount_stage_new(struct mount_stage *s, const char *source, const char *fstype, uint64_t attrs,
		    const char *data) CRUN_NODISCARD;

/* The same with or without a stage, for short OPTIONS ("mode=755,ro") without quotes that are our own. */
int mount_stage_new_simple(struct mount_stage *s, const char *source, const char *fstype,
			   uint64_t attrs, const char *options) CRUN_NODISCARD;

/* Attaches the mount onto TARGET, both by descriptor. */
int mount_stage_attach(const struct mount_stage *s, int mount, int target) CRUN_NODISCARD;
