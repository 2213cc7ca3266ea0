// SPDX-License-Identifier: Apache-2.0
// Sources of bind mounts: see mount_source.h.
#include "fs/mount_source.h"

#include "base/cleanup.h"
#include "sys/file.h"
#include "sys/mount.h"

int mount_source_open(const char *path, bool recursive, bool nofollow, struct crun_error *err)
{
	unsigned flags = OPEN_TREE_CLONE;
	_cleanup_close_ int probe = FD_NONE;
	int fd;

	if (recursive)
		flags |= AT_RECURSIVE;
	if (nofollow)
		flags |= AT_SYMLINK_NOFOLLOW;
	fd = sys_open_tree(AT_FDCWD, path, flags);
	if (fd >= 0)
		return fd;
	if (fd != -EINVAL)
		return err_sys(err, fd, "mount source `%s`", path);
	/*
	 * The path is fine, so the mount is what cannot be cloned: unbindable, or with mounts below it that came from a more
	 * privileged namespace and must not be uncovered (mount_namespaces(7)).
	 */
	probe = sys_openat(AT_FDCWD, path, O_PATH | (nofollow ? O_NOFOLLOW : 0), 0);
	if (probe < 0)
		return err_sys(err, probe, "mount source `%s`", path);
	if (recursive)
		return err_set(err, KIND_PERMISSION, EINVAL,
			       "mount source `%s`: its mount is unbindable or belongs to another "
			       "mount namespace",
			       path);
	return err_set(err, KIND_PERMISSION, EINVAL,
		       "mount source `%s`: its mount is unbindable, or has mounts below it that "
		       "only \"rbind\" may copy in a user namespace",
		       path);
}
