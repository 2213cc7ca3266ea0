// SPDX-License-Identifier: Apache-2.0
// The container's /proc and /sys: see kernel_dirs.h.
#include "fs/kernel_dirs.h"

#include "base/cleanup.h"
#include "base/str.h"
#include "fs/walk.h"
#include "sys/file.h"

static int open_dir(int root_fd, const char *name, long magic)
{
	_cleanup_close_ int fd =
		lookup_open(root_fd, name, O_PATH | O_DIRECTORY,
			    RESOLVE_IN_ROOT | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS);
	struct statfs fs;

	if (fd < 0 || sys_fstatfs(fd, &fs) < 0 || fs.f_type != magic)
		return FD_NONE;
	return take_fd(&fd);
}

void kernel_dirs_open(struct kernel_dirs *dirs, int root_fd)
{
	dirs->proc_fd = open_dir(root_fd, "proc", PROC_SUPER_MAGIC_);
	dirs->sys_fd = open_dir(root_fd, "sys", SYSFS_MAGIC_);
}

void kernel_dirs_close(struct kernel_dirs *dirs)
{
	close_fd(&dirs->proc_fd);
	close_fd(&dirs->sys_fd);
}

int kernel_dirs_find(const struct kernel_dirs *dirs, const char *path, const char **ret_name)
{
	const char *in_proc = str_after(path, "/proc/"), *in_sys = str_after(path, "/sys/");
	const char *name = in_proc ? in_proc : in_sys;

	if (!name || !str_is_filename(name))
		return FD_NONE;
	*ret_name = name;
	return in_proc ? dirs->proc_fd : dirs->sys_fd;
}
