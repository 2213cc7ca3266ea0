// SPDX-License-Identifier: Apache-2.0
// Makes the container's directories, moves processes into them, and writes their files.
#include "cgroup/internal.h"

#include "base/log.h"
#include "base/str.h"
#include "cgroup/changes.h"
#include "cgroup/controllers.h"
#include "cgroup/systemd.h"
#include "sys/file.h"
#include "sys/io.h"
#include "sys/xattr.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* A container next to us that is deleted takes the shared parent along just when we want to use it: make it again. */
#define MKDIR_TRIES 100

int cg_write(const struct cg_dir *dir, const char *file, const char *value, const char *at,
	     struct crun_error *err)
{
	int r;

	if (dir->changes)
		return cg_changes_write(dir, file, value, at, err);
	r = io_write_file_at(dir->fd, file, value);
	if (r >= 0)
		return 0;
	/* Not ENOENT's own words: engines take them for a missing command. */
	if (r == -ENOENT)
		err_set(err, CODE_CGROUP_FEATURE, EOPNOTSUPP,
			"cgroup file `%s/%s` does not exist: this kernel was built or booted without it",
			dir->path, file);
	else
		err_sys_code(err, CODE_LIMIT_REFUSED, r, "write `%s` to `%s/%s`", value, dir->path,
			     file);
	return at ? err_at(err, "/linux/resources/%s", at) : -err->errnum;
}

int cg_write_u64(const struct cg_dir *dir, const char *file, uint64_t value, const char *at,
		 struct crun_error *err)
{
	char text[32];

	snprintf(text, sizeof(text), "%" PRIu64, value);
	return cg_write(dir, file, text, at, err);
}

int cg_write_i64(const struct cg_dir *dir, const char *file, int64_t value, const char *at,
		 struct crun_error *err)
{
	char text[32];

	snprintf(text, sizeof(text), "%" PRId64, value);
	return cg_write(dir, file, text, at, err);
}

int cg_write_max(const struct cg_dir *dir, const char *file, int64_t value, const char *at,
		 struct crun_error *err)
{
	if (value < 0)
		return cg_write(dir, file, "max", at, err);
	return cg_write_i64(dir, file, value, at, err);
}

bool cg_has_file(const struct cg_dir *dir, const char *file)
{
	struct stat st;

	/* Of what cannot be looked at, the write says why. */
	return sys_fstatat(dir->fd, file, &st) != -ENOENT;
}

int cg_read_u64(const struct cg_dir *dir, const char *file, uint64_t *ret)
{
	char text[64];
	int r = io_read_file_at(dir->fd, file, text, sizeof(text));

	if (r < 0)
		return r;
	if (str_eq(text, "max") || str_eq(text, "-1")) {
		*ret = UINT64_MAX;
		return 0;
	}
	r = str_to_u64(text, UINT64_MAX, ret);
	/* v1 counts in pages of a signed number of bytes: "no limit" is the largest of these. */
	if (r == 0 && *ret >= INT64_MAX - 0xffff)
		*ret = UINT64_MAX;
	return r;
}

int cg_unsupported(const struct cg_dir *dir, const char *at, const char *reason,
		   struct crun_error *err)
{
	err_set(err, CODE_CGROUP_FEATURE, EOPNOTSUPP, "%s", reason);
	err_at(err, "/linux/resources/%s", at);
	return dir->changes ? cg_changes_unsupported(dir->changes, at, err) : -err->errnum;
}

static bool is_permission(int r)
{
	return r == -EPERM || r == -EACCES || r == -EROFS;
}

/* "trusted" attributes need CAP_SYS_ADMIN, and cgroups have had "user" ones since 5.7: v2 only. */
static const char *const marks[] = {"trusted.crun.parent", "user.crun.parent"};

/*
 * Says of a parent that it was made for containers and not by somebody else. Containers share parents: whoever made one may be gone before
 * the last that uses it, which has to take it along. Where attributes do not work the parent stays.
 */
static void mark_parent(const struct cg_hier *h, const char *rel)
{
	_cleanup_close_ int fd = sys_openat(h->root_fd, rel, O_RDONLY | O_DIRECTORY, 0);

	for (size_t i = 0; fd >= 0 && i < ARRAY_LEN(marks); i++) {
		if (sys_fsetxattr(fd, marks[i], "1", 1, 0) >= 0)
			return;
	}
}

static bool is_marked(const struct cg_hier *h, const char *rel)
{
	_cleanup_close_ int fd = sys_openat(h->root_fd, rel, O_RDONLY | O_DIRECTORY, 0);

	for (size_t i = 0; fd >= 0 && i < ARRAY_LEN(marks); i++) {
		if (sys_fgetxattr(fd, marks[i], NULL, 0) >= 0)
			return true;
	}
	return false;
}

void cg_rmdir_made(const struct cgroup *cg, struct cg_hier *h)
{
	char rel[CG_PATH_SIZE];

	for (size_t d = cg->depth; d-- > 0;) {
		uint64_t bit = UINT64_C(1) << d;
		int r;

		cg_prefix(cg, d + 1, rel);
		if (!(h->made & bit) && (d + 1 == cg->depth || !is_marked(h, rel)))
			continue;
		r = sys_unlinkat(h->root_fd, rel, AT_REMOVEDIR);
		if (r < 0 && r != -ENOENT)
			break; /* in use, so all above it are */
		h->made &= ~bit;
	}
	if (!(h->made & (UINT64_C(1) << (cg->depth - 1))))
		h->leaf_made = false;
}

/* Whatever the caller's umask: the payload's user reads its limits there, and a service manager may run us with 0077. */
static int make_component(int root_fd, const char *rel)
{
	return sys_mkdirat_exact(root_fd, rel, 0755);
}

/* Makes the missing components. On failure what was made stays marked, for the caller to undo. */
static int make_path(const struct cgroup *cg, struct cg_hier *h)
{
	char rel[CG_PATH_SIZE];
	int tries = MKDIR_TRIES;

	for (size_t d = h->existing; d < cg->depth;) {
		int r;

		cg_prefix(cg, d + 1, rel);
		r = make_component(h->root_fd, rel);
		if (r >= 0) {
			h->made |= UINT64_C(1) << d++;
			if (d < cg->depth)
				mark_parent(h, rel);
		} else if (r == -EEXIST && d + 1 == cg->scope_depth) {
			h->made |= UINT64_C(1) << d++; /* by systemd, for us */
		} else if (r == -EEXIST && d + 1 < cg->depth) {
			d++; /* made by a container next to us, whose it is */
		} else if (r == -ENOENT && d > 0 && tries-- > 0) {
			d--;
			h->made &= ~(UINT64_C(1) << d);
		} else {
			return r;
		}
	}
	h->leaf_made = !h->used;
	return 0;
}

int cg_open_outer(const struct cgroup *cg, struct cg_hier *h)
{
	int fd = sys_openat(h->root_fd, cg->path + 1, O_RDONLY | O_DIRECTORY, 0);

	if (fd < 0)
		return fd;
	close_fd(&h->dir_fd);
	h->dir_fd = fd;
	h->inner = false;
	return 0;
}

int cg_open_dir(const struct cgroup *cg, struct cg_hier *h, bool make)
{
	int fd, r = cg_open_outer(cg, h);

	if (r < 0 || !cg->scope || cg->depth != cg->scope_depth || h->v2 ||
	    !(h->controllers & CG_BIT(CG_DEVICES)))
		return r;
	if (make)
		r = make_component(h->dir_fd, CG_INNER);
	if (r < 0 && r != -EEXIST)
		return r;
	fd = sys_openat(h->dir_fd, CG_INNER, O_RDONLY | O_DIRECTORY | O_NOFOLLOW, 0);
	/* That of an ordinary user has none, for it has no rules. */
	if (fd < 0)
		return fd == -ENOENT ? 0 : fd;
	close_fd(&h->dir_fd);
	h->dir_fd = fd;
	h->inner = true;
	return 0;
}

static int make_in(struct cgroup *cg, struct cg_hier *h, struct crun_error *err)
{
	int r = make_path(cg, h);

	if (r == -EEXIST) {
		err_set(err, CODE_CGROUP_IN_USE, EEXIST,
			"cgroup `%s%s` was made by somebody else meanwhile", h->root, cg->path);
		return err_at(err, "/linux/cgroupsPath");
	}
	if (r == -EROFS)
		return err_set(
			err, CODE_CGROUP_READ_ONLY, EROFS,
			"make cgroup `%s%s`: `%s` is mounted read-only: mount it writable, or "
			"use --cgroup-manager=disabled to go without a cgroup",
			h->root, cg->path, h->root);
	/* Documentation/admin-guide/cgroup-v2.rst, "Core Interface Files" */
	if (r == -EAGAIN && h->v2)
		return err_set(
			err, CODE_CGROUP_CREATE, EAGAIN,
			"make cgroup `%s%s`: a cgroup above it may have no more below it "
			"(cgroup.max.descendants or cgroup.max.depth): remove some, or raise that",
			h->root, cg->path);
	if (r < 0)
		return err_sys_code(err, CODE_CGROUP_CREATE, r, "make cgroup `%s%s`", h->root,
				    cg->path);
	r = cg_open_dir(cg, h, !cg->plan->unprivileged);
	if (r < 0)
		err_sys_code(err, CODE_CGROUP_CREATE, r, "open cgroup `%s%s`", h->root, cg->path);
	return r < 0 ? r : 0;
}

unsigned cg_v1_controllers(const struct cgroup *cg)
{
	unsigned bits = 0;

	for (size_t i = 0; i < cg->hier_len; i++)
		bits |= cg->hier[i].v2 ? 0 : cg->hier[i].controllers;
	return bits;
}

/* Leaves the hierarchy alone: nothing is made, nobody is moved there. */
static void drop_hier(struct cgroup *cg, size_t i)
{
	struct cg_hier *h = &cg->hier[i];

	cg_rmdir_made(cg, h);
	close_fd(&h->dir_fd);
	h->made = 0;
	h->leaf_made = false;
	h->used = false;
}

/* A hierarchy that is not ours to write to can be left out when nothing is asked of it. */
static bool can_drop(const struct cgroup *cg, const struct cg_hier *h, unsigned needed)
{
	const struct oci_linux_resources *res = cg->plan->resources;
	unsigned v1 = cg_v1_controllers(cg);

	if (h->v2 && res && res->unified && res->unified->len)
		return false; /* "cgroup.max.depth" needs no controller */
	return h->v2 ? v1 && !(needed & ~v1) : !(needed & h->controllers);
}

static int make_all(struct cgroup *cg, struct crun_error *err)
{
	unsigned needed = cg_needed(cg->plan);
	size_t made = 0;
	int r;

	for (size_t i = 0; i < cg->hier_len; i++) {
		struct cg_hier *h = &cg->hier[i];

		r = make_in(cg, h, err);
		if (r >= 0) {
			made++;
			continue;
		}
		if (!is_permission(r) || !can_drop(cg, h, needed))
			return r;
		/* An ordinary user can write to few of them; for root it is a surprise, seen late: `pause` needs the freezer. */
		log_message(cg->plan->unprivileged ? LOG_LEVEL_DEBUG : LOG_LEVEL_WARNING,
			    "%s: the container has no cgroup of its own there", err->text);
		drop_hier(cg, i);
	}
	return made ? 0 : -err->errnum;
}

static int create_all(struct cgroup *cg, struct crun_error *err)
{
	int r = make_all(cg, err);

	return r < 0 ? r : cg_apply(cg, err);
}

static void undo_create(struct cgroup *cg)
{
	cg_detach_filters(cg);
	for (size_t i = 0; i < cg->hier_len; i++)
		drop_hier(cg, i);
}

/* Empty objects, as engines write them, ask for nothing either. */
static bool is_optional(const struct plan_cgroup *plan)
{
	return plan->optional ||
	       (plan->unprivileged && !(plan->path && plan->path[0]) && !cg_needed(plan));
}

int cgroup_create(struct cgroup *cg, struct crun_error *err)
{
	int r;

	if (!cg->path)
		return 0;
	if (cg->scope)
		return cg_systemd_create(cg, err);
	r = create_all(cg, err);
	if (r >= 0)
		return 0;
	undo_create(cg);
	if (!is_optional(cg->plan) || !is_permission(r)) {
		bool lacks = is_permission(r) || err->kind == KIND_UNSUPPORTED;

		return lacks && cg->plan->unprivileged && cg_needed(cg->plan)
			       ? cg_explain_rootless(cg, err)
			       : r;
	}
	log_debug("%s: going without a cgroup", err->text);
	*err = (struct crun_error){0};
	cg_close(cg);
	cg->absent = true;
	return 0;
}

void cgroup_cannot_clone(struct cgroup *cg)
{
	cg->adopt = true;
}

bool cgroup_needs_adopt(const struct cgroup *cg)
{
	if ((cg->scope && !cg->entering) || (cg->adopt && cg->hier_len > 0))
		return true;
	for (size_t i = 0; i < cg->hier_len; i++) {
		if (!cg->hier[i].v2)
			return true;
	}
	return false;
}

int cgroup_clone_fd(const struct cgroup *cg)
{
	if (cg->hier_len == 0 || cgroup_needs_adopt(cg))
		return FD_NONE;
	return cg->hier[0].dir_fd;
}

int cg_move_in(struct cgroup *cg, pid_t pid, struct crun_error *err)
{
	char text[16];

	snprintf(text, sizeof(text), "%d", (int)pid);
	for (size_t i = 0; i < cg->hier_len; i++) {
		const struct cg_hier *h = &cg->hier[i];
		int r;

		if (h->dir_fd < 0)
			continue;
		r = io_write_file_at(h->dir_fd, "cgroup.procs", text);
		if (r == -EBUSY && h->v2)
			return err_set(
				err, CODE_CGROUP_BUSY, EBUSY,
				"cgroup `%s%s` gives its controllers to cgroups below it, so it takes no "
				"process itself",
				h->root, cg->path);
		if (r < 0)
			return err_sys_code(err, CODE_CGROUP_ATTACH, r,
					    "move process %d into cgroup `%s%s`", (int)pid, h->root,
					    cg->path);
	}
	return 0;
}

/* An empty cpuset of v1 takes no process. */
static int fill_cpusets(struct cgroup *cg, struct crun_error *err)
{
	int r = 0;

	for (size_t i = 0; r >= 0 && i < cg->hier_len; i++) {
		const struct cg_hier *h = &cg->hier[i];

		if (!h->v2 && h->dir_fd >= 0 && (h->controllers & CG_BIT(CG_CPUSET)))
			r = cg_v1_cpuset_inherit(cg, h, err);
	}
	return r;
}

int cg_place(struct cgroup *cg, pid_t pid, struct crun_error *err)
{
	int r = make_all(cg, err);

	if (r >= 0)
		r = fill_cpusets(cg, err);
	/* Before the controllers are handed down: a v2 cgroup that gives them away must have no process itself. */
	if (r >= 0)
		r = cg_move_in(cg, pid, err);
	return r < 0 ? r : cg_apply(cg, err);
}

int cgroup_adopt(struct cgroup *cg, pid_t pid, struct crun_error *err)
{
	return cg->scope ? cg_systemd_adopt(cg, pid, err) : cg_move_in(cg, pid, err);
}
