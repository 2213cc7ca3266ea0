// SPDX-License-Identifier: Apache-2.0
// mount(2) on descriptors: see mount_old.h.
#include "fs/mount_old.h"

#include "base/cleanup.h"
#include "fs/procfs.h"
#include "sys/file.h"
#include "sys/mount.h"

#include <errno.h>
#include <stdio.h>

/*
 * Where to go back to. An ordinary user may have been put into a directory that they may not enter (`runuser` in /root), and to which
 * fchdir(2) does not lead back then; the links of the procfs are no place to stay.
 */
static int open_cwd(void)
{
	int fd = sys_openat(AT_FDCWD, ".", O_PATH | O_DIRECTORY, 0);

	return fd == -EACCES ? sys_openat(AT_FDCWD, "/", O_PATH | O_DIRECTORY, 0) : fd;
}

/* Goes to where the links of our descriptors are, and opens the way back. Returns that, or -errno. */
static int enter_links(int proc_fd)
{
	_cleanup_close_ int dir = procfs_open(proc_fd, "self/fd", O_PATH | O_DIRECTORY);
	_cleanup_close_ int saved = FD_NONE;
	int r;

	if (dir < 0)
		return dir;
	saved = open_cwd();
	if (saved < 0)
		return saved;
	r = sys_fchdir(dir);
	return r < 0 ? r : take_fd(&saved);
}

/* SOURCE is a text, or NULL and then SOURCE_FD counts, if it is not FD_NONE. */
static int mount_by_fd(int proc_fd, int source_fd, int fd, const char *source, const char *fstype,
		       unsigned long flags, const char *data)
{
	_cleanup_close_ int saved = enter_links(proc_fd);
	char name[16], from[16];
	int r, back;

	if (saved < 0)
		return saved;
	snprintf(name, sizeof(name), "%d", fd);
	snprintf(from, sizeof(from), "%d", source_fd);
	if (!source && source_fd >= 0)
		source = from;
	r = sys_mount(source, name, fstype, flags, data);
	back = sys_fchdir(saved);
	return r < 0 ? r : back;
}

int mount_old_detach(int proc_fd, int fd)
{
	_cleanup_close_ int saved = enter_links(proc_fd);
	char name[16];
	int r, back;

	if (saved < 0)
		return saved;
	snprintf(name, sizeof(name), "%d", fd);
	r = sys_umount2(name, MNT_DETACH);
	back = sys_fchdir(saved);
	return r < 0 ? r : back;
}

int mount_old_change(int proc_fd, int fd, unsigned long flags)
{
	return mount_by_fd(proc_fd, FD_NONE, fd, NULL, NULL, flags, NULL);
}

int mount_old_new(int proc_fd, int fd, const char *source, const char *fstype, unsigned long flags,
		  const char *data)
{
	return mount_by_fd(proc_fd, FD_NONE, fd, source, fstype, flags, data);
}

int mount_old_bind(int proc_fd, int source, int fd, bool recursive)
{
	return mount_by_fd(proc_fd, source, fd, NULL, NULL, MS_BIND | (recursive ? MS_REC : 0),
			   NULL);
}

int mount_old_move(int proc_fd, int source, int fd)
{
	return mount_by_fd(proc_fd, source, fd, NULL, NULL, MS_MOVE, NULL);
}
