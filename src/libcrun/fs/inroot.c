// SPDX-License-Identifier: Apache-2.0
// Paths inside a hostile tree: see inroot.h.
#include "fs/inroot.h"

#include "base/cleanup.h"
#include "base/str.h"
#include "fs/walk.h"
#include "sys/file.h"

#include <limits.h>
#include <stdio.h>

/* Magic links are never followed in-root today, but openat2(2) reserves the right to change that: say it. */
#define RESOLVE_INROOT (RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS)

int inroot_open(int root_fd, const char *path, int flags)
{
	/* The root itself is "." for openat2: an empty path would be -ENOENT. */
	return lookup_open(root_fd, *path ? path : ".", flags, RESOLVE_INROOT);
}

/* "/a/b", and nothing that a look-up would have to work out: no empty, "." or ".." component. */
static bool is_plain(const char *path)
{
	if (*path != '/')
		return false;
	while (*path == '/') {
		size_t len = strcspn(++path, "/");

		if (len == 0 || (path[0] == '.' && (len == 1 || (len == 2 && path[1] == '.'))))
			return false;
		path += len;
	}
	return *path == '\0';
}

static int open_straight(int root_fd, const char *path, int flags)
{
	return lookup_open(root_fd, path, O_PATH | flags, RESOLVE_INROOT | RESOLVE_NO_SYMLINKS);
}

/* The directory PATH, of which nothing but the last component is missing. Any failure is for the walk to look into. */
static int make_last(int root_fd, const char *path, mode_t mode)
{
	const char *name = strrchr(path, '/') + 1;
	_cleanup_close_ int parent_fd = FD_NONE;
	char parent[PATH_MAX];
	size_t len = (size_t)(name - path);
	int r;

	if (len >= sizeof(parent))
		return -ENAMETOOLONG;
	memcpy(parent, path, len);
	parent[len] = '\0';
	parent_fd = open_straight(root_fd, parent, O_DIRECTORY);
	if (parent_fd < 0)
		return parent_fd;
	r = sys_mkdirat(parent_fd, name, mode & 07777);
	return r < 0 ? r : sys_openat(parent_fd, name, O_PATH | O_DIRECTORY | O_NOFOLLOW, 0);
}

static int make_by_walk(int root_fd, const char *path, mode_t mode, bool nofollow,
			bool *ret_created, struct crun_error *err)
{
	struct walk w = {
		.root_fd = root_fd,
		.resolve = RESOLVE_INROOT,
		.nofollow = nofollow,
		.create = mode,
	};
	int r;

	if (strlen(path) >= sizeof(w.todo))
		return err_sys(err, -ENAMETOOLONG, "path of %zu bytes", strlen(path));
	r = walk_to(&w, path);
	walk_done(&w);
	if (r < 0)
		return err_sys(err, r, "path `%s` in the root filesystem: component `/%s%s%s`",
			       path, w.done, w.done[0] && w.name[0] ? "/" : "", w.name);
	*ret_created = w.created;
	return r;
}

int inroot_make(int root_fd, const char *path, mode_t mode, unsigned flags,
		struct inroot_found *ret, struct crun_error *err)
{
	bool nofollow = flags & INROOT_NOFOLLOW;
	struct inroot_found ignored;
	int r = -ELOOP;

	ret = ret ? ret : &ignored;
	*ret = (struct inroot_found){0};
	/* Nearly always there is no link on the way. */
	if (is_plain(path))
		r = open_straight(root_fd, path, 0);
	if (r == -ENOENT && S_ISDIR(mode)) {
		r = make_last(root_fd, path, mode);
		ret->created = r >= 0;
	}
	ret->as_spelled = r >= 0;
	if (r < 0)
		r = inroot_open(root_fd, path, O_PATH | (nofollow ? O_NOFOLLOW : 0));
	return r >= 0 ? r : make_by_walk(root_fd, path, mode, nofollow, &ret->created, err);
}

int inroot_make_parent(int root_fd, const char *path, char *name, size_t size,
		       struct crun_error *err)
{
	char parent[PATH_MAX];
	size_t end = strlen(path), start;

	while (end > 0 && path[end - 1] == '/')
		end--;
	for (start = end; start > 0 && path[start - 1] != '/'; start--)
		;
	if (end - start >= size || start >= sizeof(parent))
		return err_sys(err, -ENAMETOOLONG, "path `%s`", path);
	memcpy(name, path + start, end - start);
	name[end - start] = '\0';
	if (!str_is_filename(name))
		return err_set(err, KIND_SPEC, EINVAL, "path `%s` does not end with a file name",
			       path);
	while (start > 1 && path[start - 1] == '/')
		start--;
	memcpy(parent, path, start);
	parent[start] = '\0';
	return inroot_make(root_fd, parent, S_IFDIR | 0755, 0, NULL, err);
}
