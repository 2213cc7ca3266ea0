// SPDX-License-Identifier: Apache-2.0
// Verified handles of procfs: see procfs.h.
#include "fs/procfs.h"

#include "base/cleanup.h"
#include "fs/walk.h"
#include "sys/file.h"

#include <stdio.h>

#define PROC_ROOT_INODE 1 /* PROC_ROOT_INO of the kernel: the root of every procfs */

static int check_root(int fd, struct crun_error *err)
{
	struct statfs fs;
	struct stat st;
	int r;

	r = sys_fstatfs(fd, &fs);
	if (r < 0)
		return err_sys_code(err, CODE_PROC_MISSING, r, "statfs `/proc`");
	r = sys_fstatat(fd, "", &st);
	if (r < 0)
		return err_sys_code(err, CODE_PROC_MISSING, r, "stat `/proc`");
	if (fs.f_type != PROC_SUPER_MAGIC_ || st.st_ino != PROC_ROOT_INODE)
		return err_set(err, CODE_PROC_MISSING, ENODEV,
			       "the host's `/proc` is not a proc filesystem: mount it first");
	return 0;
}

int procfs_open_host(struct crun_error *err)
{
	_cleanup_close_ int fd = FD_NONE;
	int r;

	fd = sys_openat(AT_FDCWD, "/proc", O_PATH | O_DIRECTORY | O_NOFOLLOW, 0);
	if (fd < 0)
		return err_sys_code(err, CODE_PROC_MISSING, fd, "open `/proc`");
	r = check_root(fd, err);
	if (r < 0)
		return r;
	return take_fd(&fd);
}

int procfs_open(int proc_fd, const char *path, int flags)
{
	return lookup_open(proc_fd, path, flags,
			   RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS | RESOLVE_NO_XDEV);
}

int procfs_fd_path(int proc_fd, int fd, char *buf, size_t size)
{
	_cleanup_close_ int dir = FD_NONE;
	char name[16];

	dir = procfs_open(proc_fd, "self/fd", O_PATH | O_DIRECTORY);
	if (dir < 0)
		return dir;
	snprintf(name, sizeof(name), "%d", fd);
	return sys_readlinkat(dir, name, buf, size);
}
