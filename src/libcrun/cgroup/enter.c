// SPDX-License-Identifier: Apache-2.0
// How a process that exec adds gets into the cgroup of its container, or into one below that.
#include "cgroup/internal.h"

#include "base/log.h"
#include "base/str.h"
#include "fs/walk.h"
#include "sys/file.h"
#include "sys/io.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* PATH ("sub", "/", "/a/b") below the container's directory in H; "/" is that directory itself. */
static int descend(const struct cgroup *cg, struct cg_hier *h, const char *path,
		   struct crun_error *err)
{
	int fd = -ENOENT;

	while (*path == '/')
		path++;
	if (*path == '\0')
		return 0;
	if (h->dir_fd >= 0)
		fd = lookup_open(h->dir_fd, path, O_RDONLY | O_DIRECTORY,
				 RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS);
	/* Not ENOENT's own words: engines take them for a missing command. */
	if (fd == -ENOENT)
		return err_set(err, CODE_CGROUP_PATH, EINVAL,
			       "there is no cgroup `%s` below the container's, `%s%s`", path,
			       h->root, cg->path);
	if (fd == -EXDEV)
		return err_set(err, CODE_CGROUP_PATH, EINVAL,
			       "cgroup `%s` is not below the container's, `%s%s`", path, h->root,
			       cg->path);
	if (fd < 0)
		return err_sys(err, fd, "open cgroup `%s` below `%s%s`", path, h->root, cg->path);
	close_fd(&h->dir_fd);
	h->dir_fd = fd;
	return 0;
}

/* The hierarchy's own name among the words of LIST (LEN bytes): "memory", "cpu,cpuacct" or one of these, "name=systemd". */
static bool is_named(const struct cg_hier *h, const char *list, size_t len)
{
	_cleanup_free_ char *copy = strndup(list, len);
	unsigned bits;

	if (!copy || h->v2)
		return false;
	bits = cg_controller_bits(copy, ",", false);
	if (str_after(copy, "name=") || str_eq(copy, "systemd"))
		return h->controllers & CG_BIT(CG_SYSTEMD);
	return bits & h->controllers;
}

/* One "[CONTROLLERS:]PATH". */
static int choose(struct cgroup *cg, const char *text, struct crun_error *err)
{
	const char *colon = strchr(text, ':');
	const char *path = colon ? colon + 1 : text;
	size_t len = colon ? (size_t)(colon - text) : 0;
	bool found = false;

	for (size_t i = 0; i < cg->hier_len; i++) {
		struct cg_hier *h = &cg->hier[i];
		int r;

		if (len > 0 && !is_named(h, text, len))
			continue;
		r = descend(cg, h, path, err);
		if (r < 0)
			return r;
		found = true;
	}
	if (found)
		return 0;
	if (len > 0)
		return err_set(err, CODE_CGROUP_PATH, EINVAL,
			       "the container has no cgroup of the controllers `%.*s` (cgroup v1)",
			       (int)len, text);
	return err_set(err, CODE_CGROUP_NONE, EINVAL, "the container has no cgroup of its own");
}

int cgroup_enter_open(const struct oci_record *record, const char *const *paths,
		      struct cgroup **ret, struct crun_error *err)
{
	struct cgroup *cg = NULL;
	int r = cg_open_record(record, &cg, err);

	if (r < 0)
		return r;
	cg->entering = true;
	for (size_t i = 0; r >= 0 && paths && paths[i]; i++)
		r = choose(cg, paths[i], err);
	if (r < 0)
		cgroup_free(cg);
	else
		*ret = cg;
	return r;
}

/* The path of the line "0::PATH" of /proc/PID/cgroup, in TEXT. */
static const char *unified_path(char *text)
{
	char *rest = text, *line;

	while ((line = strsep(&rest, "\n"))) {
		const char *path = str_after(line, "0::");

		if (path)
			return path;
	}
	return NULL;
}

bool cgroup_enter_retry(struct cgroup *cg, int r, pid_t init)
{
	char file[64], text[CG_PATH_SIZE * 2];
	struct cg_hier *h = NULL;
	const char *path;
	int fd;

	/* cgroups(7): it hands controllers down, or is threaded, or was removed. */
	if (cg->entered_inits || (r != -EBUSY && r != -EOPNOTSUPP && r != -ENOENT && r != -ENODEV))
		return false;
	cg->entered_inits = true;
	for (size_t i = 0; i < cg->hier_len && !h; i++)
		h = cg->hier[i].v2 ? &cg->hier[i] : NULL;
	snprintf(file, sizeof(file), "/proc/%d/cgroup", (int)init);
	if (!h || io_read_file_at(AT_FDCWD, file, text, sizeof(text)) < 0)
		return false;
	path = unified_path(text);
	/* A path that begins with "/.." is outside of our own cgroup namespace. */
	if (!path || str_after(path, "/.."))
		return false;
	fd = sys_openat(h->root_fd, path[1] ? path + 1 : ".", O_RDONLY | O_DIRECTORY, 0);
	if (fd < 0)
		return false;
	log_debug("cgroup `%s%s` takes no process: joining that of the container's first process, "
		  "`%s`",
		  h->root, cg->path, path);
	close_fd(&h->dir_fd);
	h->dir_fd = fd;
	return true;
}

int cgroup_enter(struct cgroup *cg, pid_t pid, struct crun_error *err)
{
	int r = cg_move_in(cg, pid, err);

	if ((r == -EACCES || r == -EPERM) && cg->scope)
		err_and(err,
			"the kernel moves a process of an ordinary user only below a cgroup of "
			"the user's, and this one is outside of the user's systemd manager: "
			"`systemd-run --user --scope` runs crun inside");
	return r;
}
