// SPDX-License-Identifier: Apache-2.0
// Id mappings of mounts: see mount_idmap.h.
#include "fs/mount_idmap.h"

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/str.h"
#include "fs/mountinfo.h"
#include "fs/procfs.h"
#include "sys/file.h"
#include "sys/mount.h"
#include "sys/statx.h"

#include <limits.h>

#define IDMAPPED "idmapped" /* the word of mountinfo */

/* The mount that refuses; the texts may be empty. */
struct culprit {
	const char *fstype, *mount_point, *options;
};

static int describe(int r, const struct culprit *c, struct crun_error *err)
{
	const char *at = c->mount_point[0] ? " at `" : "", *end = c->mount_point[0] ? "`" : "";

	if (r == -ENOSYS)
		return err_set(err, CODE_KERNEL_TOO_OLD, ENOSYS,
			       "idmapped mounts need Linux 5.12: Function not implemented");
	if (r == -EINVAL)
		return err_set(err, CODE_MOUNT_IDMAP, EINVAL,
			       "the %s file system%s%s%s cannot be idmapped by this kernel: "
			       "Invalid argument",
			       c->fstype, at, c->mount_point, end);
	if (r == -EPERM && mountinfo_has_option(c->options, IDMAPPED, strlen(IDMAPPED)))
		return err_set(err, KIND_PERMISSION, EPERM,
			       "the mount%s%s%s is idmapped already, which it can be only once: "
			       "Operation not permitted",
			       at, c->mount_point, end);
	if (r == -EPERM)
		return err_set(
			err, KIND_PERMISSION, EPERM,
			"only root of the user namespace in which the %s file system%s%s%s was "
			"mounted may idmap it, and only for a namespace below its own: "
			"Operation not permitted",
			c->fstype, at, c->mount_point, end);
	return err_sys(err, r, "idmap the %s file system%s%s%s", c->fstype, at, c->mount_point,
		       end);
}

static int explain(int r, const struct culprit *c, struct crun_error *err)
{
	describe(r, c, err);
	return err_code_of_step(err, CODE_MOUNT_IDMAP);
}

/* Tries the mount at PATH alone. Only errors of the mapping itself count. */
static bool refuses(const char *path, int userns_fd, int error)
{
	_cleanup_close_ int fd = sys_open_tree(AT_FDCWD, path, OPEN_TREE_CLONE);

	return fd >= 0 && sys_mount_setattr_idmap(fd, 0, 0, 0, userns_fd) == error;
}

static bool is_below(const char *path, const char *top)
{
	const char *rest = str_after(path, str_eq(top, "/") ? "" : top);

	return rest && *rest == '/';
}

/* Which mount made the kernel say R: the one of PATH, or, of a tree, the first one below that refuses on its own. */
static void find_culprit(char *text, const char *path, const char *real, uint64_t mount_id, int r,
			 bool recursive, int userns_fd, struct culprit *ret)
{
	bool top_is_fine = recursive && !refuses(path, userns_fd, r);
	struct mountinfo m;

	while (mountinfo_next(&text, &m)) {
		if (top_is_fine
			    ? is_below(m.mount_point, real) && refuses(m.mount_point, userns_fd, r)
			    : m.id == mount_id) {
			*ret = (struct culprit){m.fstype, m.mount_point, m.options};
			return;
		}
	}
}

static int explain_clone(int r, const char *path, bool recursive, int userns_fd,
			 struct crun_error *err)
{
	struct culprit culprit = {"source's", path, ""};
	_cleanup_buf_ struct buf text = {0};
	_cleanup_close_ int proc = FD_NONE;
	_cleanup_close_ int fd = FD_NONE;
	struct sys_mount_place place;
	char real[PATH_MAX];

	proc = procfs_open_host(ERR_IGNORED);
	fd = sys_openat(AT_FDCWD, path, O_PATH, 0);
	if (proc >= 0 && fd >= 0 && sys_mount_place(fd, &place) == 0 &&
	    procfs_fd_path(proc, fd, real, sizeof(real)) >= 0 &&
	    mountinfo_read(proc, "self/mountinfo", &text, ERR_IGNORED) == 0)
		find_culprit(text.data, path, real, place.mount_id, r, recursive, userns_fd,
			     &culprit);
	return explain(r, &culprit, err);
}

int mount_idmap_clone(int fd, const char *path, bool recursive, int userns_fd,
		      struct crun_error *err)
{
	int r = sys_mount_setattr_idmap(fd, recursive, 0, 0, userns_fd);

	return r < 0 ? explain_clone(r, path, recursive, userns_fd, err) : 0;
}

int mount_idmap_instance(int fd, const char *fstype, int userns_fd, struct crun_error *err)
{
	const struct culprit culprit = {fstype, "", ""};
	int r = sys_mount_setattr_idmap(fd, 0, 0, 0, userns_fd);

	return r < 0 ? explain(r, &culprit, err) : 0;
}
