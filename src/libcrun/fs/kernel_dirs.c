// SPDX-License-Identifier: Apache-2.0
// The container's /proc and /sys: see kernel_dirs.h.
#include "fs/kernel_dirs.h"

#include "base/cleanup.h"
#include "base/str.h"
#include "fs/walk.h"
#include "sys/file.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

static int open_dir(int root_fd, const char *name, long magic, int *ret)
{
	_cleanup_close_ int fd =
		lookup_open(root_fd, name, O_PATH | O_DIRECTORY,
			    RESOLVE_IN_ROOT | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS);
	struct statfs fs;
	int r = fd;

	*ret = FD_NONE;
	if (r >= 0)
		r = sys_fstatfs(fd, &fs);
	if (r < 0)
		return err_is_lack(r) ? r : 0;
	if (fs.f_type == magic)
		*ret = take_fd(&fd);
	return 0;
}

int kernel_dirs_open(struct kernel_dirs *dirs, int root_fd)
{
	int r;

	dirs->sys_fd = FD_NONE;
	r = open_dir(root_fd, "proc", PROC_SUPER_MAGIC_, &dirs->proc_fd);
	return r < 0 ? r : open_dir(root_fd, "sys", SYSFS_MAGIC_, &dirs->sys_fd);
}

void kernel_dirs_close(struct kernel_dirs *dirs)
{
	close_fd(&dirs->proc_fd);
	close_fd(&dirs->sys_fd);
}

/* The name is the last component: what is in front of it becomes *ret->own_fd. */
static int open_parent(int dir, const char *rest, struct kernel_name *ret)
{
	const char *slash = strrchr(rest, '/');
	char parent[PATH_MAX];
	int fd;

	if (!str_is_filename(slash + 1) || (size_t)(slash - rest) >= sizeof(parent))
		return 0;
	snprintf(parent, sizeof(parent), "%.*s", (int)(slash - rest), rest);
	fd = lookup_open(dir, parent, O_PATH | O_DIRECTORY,
			 RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS |
				 RESOLVE_NO_XDEV);
	if (fd < 0)
		return fd == -ENOENT || fd == -ENOTDIR || fd == -EACCES ? -ENOENT : 0;
	*ret = (struct kernel_name){.dir_fd = fd, .own_fd = fd, .name = slash + 1};
	return 1;
}

/* Behind slashes, and "." as a component. */
static const char *skip_nothing(const char *path)
{
	while (*path == '/' || (*path == '.' && path[1] == '/'))
		path++;
	return path;
}

/* Returns what comes behind NAME as a component of PATH, or NULL. */
static const char *after_component(const char *path, const char *name)
{
	const char *rest = str_after(path, name);

	return rest && *rest == '/' ? skip_nothing(rest) : NULL;
}

int kernel_dirs_find(const struct kernel_dirs *dirs, const char *path, struct kernel_name *ret)
{
	const char *in_proc, *in_sys, *rest, *back = path;
	int dir;

	ret->own_fd = FD_NONE;
	if (*path != '/')
		return 0;
	/* They are mounts on directories of the root: ".." leads back there. */
	do {
		back = skip_nothing(back);
		in_proc = after_component(back, "proc");
		in_sys = after_component(back, "sys");
		rest = in_proc ? in_proc : in_sys;
		dir = in_proc ? dirs->proc_fd : dirs->sys_fd;
		if (!rest || dir < 0)
			return 0;
		back = after_component(rest, "..");
	} while (back);
	/* "/proc//sys" is as good as any other way to say it. */
	if (strchr(rest, '/'))
		return open_parent(dir, rest, ret);
	if (!str_is_filename(rest))
		return 0;
	*ret = (struct kernel_name){.dir_fd = dir, .own_fd = FD_NONE, .name = rest};
	return 1;
}
