// SPDX-License-Identifier: Apache-2.0
// The mount option "tmpcopyup": a new tmpfs begins with what the root has at its place.
#include "init/outside/mount.h"

#include "base/cleanup.h"
#include "fs/tree_copy.h"
#include "sys/file.h"

int tmpfs_copyup(const struct mount_target *target, int mount_fd, bool keep_owner,
		 struct crun_error *err)
{
	_cleanup_close_ int from = FD_NONE;
	_cleanup_close_ int to = FD_NONE;
	struct stat st;
	int r;

	if (target->created || !S_ISDIR(mount_target_mode(target)))
		return 0;
	from = sys_openat(target->fd, ".", O_RDONLY | O_DIRECTORY, 0);
	if (from < 0)
		return err_sys(err, from, "open `%s` for tmpcopyup", target->path);
	to = sys_openat(mount_fd, ".", O_RDONLY | O_DIRECTORY, 0);
	if (to < 0)
		return err_sys(err, to, "open the new tmpfs");
	r = tree_copy(from, to, err);
	if (r < 0)
		return err_in(err, "tmpcopyup of `%s`", target->path);
	/* The mode was given to the tmpfs when it was made; so was an owner that the options name. */
	if (keep_owner)
		return 0;
	r = sys_fstatat(from, "", &st);
	if (r >= 0)
		r = sys_fchownat(to, "", st.st_uid, st.st_gid, AT_EMPTY_PATH);
	if (r < 0)
		return err_sys(err, r, "chown the tmpfs on `%s`", target->path);
	return 0;
}
