// SPDX-License-Identifier: Apache-2.0
// Sources of bind mounts: see mount_source.h.
#include "fs/mount_source.h"

#include "base/cleanup.h"
#include "sys/file.h"
#include "sys/mount.h"

static int clone_path(struct mount_stage *stage, const char *path, bool recursive, bool nofollow)
{
	_cleanup_close_ int fd = FD_NONE;
	unsigned flags = OPEN_TREE_CLONE;

	if (mount_stage_is_open(stage)) {
		fd = sys_openat(AT_FDCWD, path, O_PATH | (nofollow ? O_NOFOLLOW : 0), 0);
		return fd < 0 ? fd : mount_stage_clone(stage, fd, recursive);
	}
	if (recursive)
		flags |= AT_RECURSIVE;
	if (nofollow)
		flags |= AT_SYMLINK_NOFOLLOW;
	return sys_open_tree(AT_FDCWD, path, flags);
}

int mount_source_open(struct mount_stage *stage, const char *path, bool recursive, bool nofollow,
		      struct crun_error *err)
{
	_cleanup_close_ int probe = FD_NONE;
	int fd = clone_path(stage, path, recursive, nofollow);

	if (fd >= 0)
		return fd;
	if (fd == -ENOSYS)
		return err_set(
			err, CODE_KERNEL_TOO_OLD, ENOSYS,
			"mount source `%s`: cloning a mount from here needs open_tree, which "
			"came with Linux 5.2, or a seccomp profile hides it",
			path);
	if (fd != -EINVAL)
		return err_sys_code(
			err, fd == -ENOENT ? CODE_MOUNT_SOURCE_MISSING : CODE_MOUNT_SOURCE_REFUSED,
			fd, "mount source `%s`", path);
	/*
	 * The path is fine, so the mount is what cannot be cloned: unbindable, or with mounts below it that came from a more
	 * privileged namespace and must not be uncovered (mount_namespaces(7)).
	 */
	probe = sys_openat(AT_FDCWD, path, O_PATH | (nofollow ? O_NOFOLLOW : 0), 0);
	if (probe < 0)
		return err_sys_code(err,
				    probe == -ENOENT ? CODE_MOUNT_SOURCE_MISSING
						     : CODE_MOUNT_SOURCE_REFUSED,
				    probe, "mount source `%s`", path);
	if (recursive)
		return err_set(err, CODE_MOUNT_SOURCE_REFUSED, EINVAL,
			       "mount source `%s`: its mount is unbindable or belongs to another "
			       "mount namespace",
			       path);
	return err_set(err, CODE_MOUNT_SOURCE_REFUSED, EINVAL,
		       "mount source `%s`: its mount is unbindable, or has mounts below it that "
		       "only \"rbind\" may copy in a user namespace",
		       path);
}
