/* SPDX-License-Identifier: Apache-2.0 */
/* The mount calls, new API (5.2) and old. Each returns >= 0 or a negative errno; fds are close-on-exec. No policy. */
#pragma once

#include "sys/kernel.h"

#include <stdint.h>
#include <sys/mount.h>

int sys_fsopen(const char *fstype);
int sys_fsconfig_flag(int fsfd, const char *key);
int sys_fsconfig_string(int fsfd, const char *key, const char *value);
int sys_fsconfig_create(int fsfd);
/*
 * The kernel's own words about the last failure on FSFD ("size: Bad value"), without its leading class letter; an
 * empty string when there are none. Returns the length.
 */
int sys_fsopen_message(int fsfd, char *buf, size_t size);
/* ATTRS: MOUNT_ATTR_* bits. */
int sys_fsmount(int fsfd, unsigned attrs);

/* open_tree(2). FLAGS: OPEN_TREE_CLONE, AT_RECURSIVE, AT_EMPTY_PATH, AT_SYMLINK_NOFOLLOW. */
int sys_open_tree(int dirfd, const char *path, unsigned flags);
/* Attaches the mount FD onto TARGETFD (both by fd, nothing re-resolved). */
int sys_move_mount(int mountfd, int targetfd);
/* The same onto NAME in the directory DIRFD, which is not followed when it is a symbolic link. */
int sys_move_mount_at(int mountfd, int dirfd, const char *name);
/*
 * mount_setattr(2) on the mount FD refers to; RECURSIVE applies it to everything mounted below. PROPAGATION: MS_PRIVATE,
 * MS_SLAVE, MS_SHARED, MS_UNBINDABLE or 0. -ENOSYS before 5.12.
 */
int sys_mount_setattr(int fd, int recursive, uint64_t set, uint64_t clear, uint64_t propagation);
/* The same with a user namespace for MOUNT_ATTR_IDMAP (5.12). */
int sys_mount_setattr_idmap(int fd, int recursive, uint64_t set, uint64_t clear, int userns_fd);

int sys_mount(const char *source, const char *target, const char *fstype, unsigned long flags,
	      const char *data);
int sys_umount2(const char *target, int flags);
int sys_pivot_root(const char *new_root, const char *put_old);
int sys_chroot_here(void);
