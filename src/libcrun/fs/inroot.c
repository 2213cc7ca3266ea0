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

int inroot_make(int root_fd, const char *path, mode_t mode, unsigned flags, bool *ret_created,
		struct crun_error *err)
{
	struct walk w = {
		.root_fd = root_fd,
		.resolve = RESOLVE_INROOT,
		.nofollow = (flags & INROOT_NOFOLLOW) != 0,
		.create = mode,
	};
	int r;

	if (ret_created)
		*ret_created = false;
	/* Nearly always everything is there. */
	r = inroot_open(root_fd, path, O_PATH | ((flags & INROOT_NOFOLLOW) ? O_NOFOLLOW : 0));
	if (r >= 0)
		return r;
	if (strlen(path) >= sizeof(w.todo))
		return err_sys(err, -ENAMETOOLONG, "path of %zu bytes", strlen(path));
	r = walk_to(&w, path);
	walk_done(&w);
	if (r < 0)
		return err_sys(err, r, "path `%s` in the root filesystem: component `/%s%s%s`",
			       path, w.done, w.done[0] && w.name[0] ? "/" : "", w.name);
	if (ret_created)
		*ret_created = w.created;
	return r;
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
