// SPDX-License-Identifier: Apache-2.0
// Reopens the cgroup of an existing container, and removes it.
#include "cgroup/internal.h"

#include "base/log.h"
#include "base/str.h"
#include "base/str_list.h"
#include "cgroup/systemd.h"
#include "sys/file.h"
#include "sys/io.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define PAUSE_MAX_MS 100
/* For a tree that a payload made, of any size, when there is no --timeout. */
#define TREE_MS 30000

/* Finds or opens the hierarchy whose mount point is the first ROOT_LEN bytes of DIR. NULL with *ret_r < 0, or 0 to skip it. */
static struct cg_hier *hier_of(struct cgroup *cg, const char *dir, size_t root_len, int *ret_r,
			       struct crun_error *err)
{
	_cleanup_free_ char *root = strndup(dir, root_len);
	_cleanup_close_ int fd = FD_NONE;
	const char *name;
	struct statfs fs;
	struct cg_hier *h;
	int r;

	*ret_r = 0;
	for (size_t i = 0; root && i < cg->hier_len; i++) {
		if (str_eq(cg->hier[i].root, root))
			return &cg->hier[i];
	}
	if (!root || cg->hier_len == CG_MAX_HIER) {
		*ret_r = err_sys(err, root ? -E2BIG : -ENOMEM, "cgroup `%s`", dir);
		return NULL;
	}
	fd = sys_openat(AT_FDCWD, root, O_RDONLY | O_DIRECTORY, 0);
	r = fd < 0 ? fd : sys_fstatfs(fd, &fs);
	if (r < 0 && r != -ENOENT && r != -ENOTDIR) {
		*ret_r =
			err_sys_code(err, CODE_CGROUP_MOUNT, r, "open cgroup hierarchy `%s`", root);
		return NULL;
	}
	/* Never below something that is not a cgroup file system, whatever a damaged record says. */
	if (r < 0 || (fs.f_type != CGROUP2_SUPER_MAGIC_ && fs.f_type != CGROUP_SUPER_MAGIC_)) {
		log_debug("cgroup `%s`: no cgroup file system is mounted at `%s`", dir, root);
		return NULL;
	}
	h = &cg->hier[cg->hier_len++];
	name = strrchr(root, '/') + 1;
	*h = (struct cg_hier){
		.v2 = fs.f_type == CGROUP2_SUPER_MAGIC_,
		.controllers = cg_controller_bits(name, ",", false),
		.dir_fd = FD_NONE,
	};
	h->root_fd = take_fd(&fd);
	h->root = take_ptr(root);
	return h;
}

/* The number of components of cg->path that the end of DIR is, 0 for none; *ret_root is what is before them. */
static size_t match_prefix(const struct cgroup *cg, const char *dir, size_t *ret_root)
{
	size_t len = strlen(dir);

	for (size_t n = cg->depth; n > 0; n--) {
		size_t part = 1u + cg->ends[n - 1];

		if (part < len && memcmp(dir + len - part, cg->path, part) == 0) {
			*ret_root = len - part;
			return n;
		}
	}
	return 0;
}

/* Opens the container's directory in H, which may be gone. MADE: by us, for this container. */
static int open_leaf(const struct cgroup *cg, struct cg_hier *h, const char *dir, bool made,
		     struct crun_error *err)
{
	int r = cg_open_dir(cg, h, false);

	/* By its payload: see cg_take_back(). */
	if (r == -EACCES && made && sys_fchmodat(h->root_fd, cg->path + 1, 0755) >= 0)
		r = cg_open_dir(cg, h, false);
	return r >= 0 || r == -ENOENT
		       ? 0
		       : err_sys_code(err, CODE_CGROUP_REMOVE, r, "open cgroup `%s`", dir);
}

/* MADE: the record says that we made it. Else it is one that the container lives in and that was there before. */
static int open_recorded(struct cgroup *cg, const char *dir, bool made, struct crun_error *err)
{
	struct cg_hier *h;
	size_t root_len, n;
	int r;

	n = dir[0] == '/' ? match_prefix(cg, dir, &root_len) : 0;
	if (n == 0 || (!made && n < cg->depth)) {
		log_debug("cgroup directory `%s` of the state record is not part of `%s`", dir,
			  cg->path);
		return 0;
	}
	h = hier_of(cg, dir, root_len, &r, err);
	if (!h)
		return r;
	if (made)
		h->made |= UINT64_C(1) << (n - 1);
	if (n < cg->depth || h->dir_fd >= 0)
		return 0;
	r = open_leaf(cg, h, dir, made, err);
	h->leaf_made = made && h->dir_fd >= 0;
	h->used = !made && h->dir_fd >= 0;
	return r;
}

static int open_scope(struct cgroup *cg, const struct oci_record *record, struct crun_error *err)
{
	cg->scope = strdup(record->systemd_scope);
	if (!cg->scope)
		return err_sys(err, -ENOMEM, "scope of container `%s`", record->id);
	cg_systemd_find_scope(cg);
	return cg_systemd_describe(cg, record->id, record->runtime_pid, record->annotations, err);
}

/* The path of a line of /proc/self/cgroup ("ID:CONTROLLERS:PATH") is below PATH. */
static bool is_below(const char *line, const char *path)
{
	const char *names = strchr(line, ':'), *own = names ? strchr(names + 1, ':') : NULL;
	const char *rest = own ? str_after(own + 1, path) : NULL;

	return rest && *rest == '/';
}

bool cgroup_is_off_limits(const struct oci_record *record)
{
	const char *path = record->cgroup_path;
	char text[8192], *rest = text, *line;

	if (!path || !path[0])
		return false;
	if (!path[strspn(path, "/")])
		return true;
	if (path[0] != '/' ||
	    io_read_file_at(AT_FDCWD, "/proc/self/cgroup", text, sizeof(text)) < 0)
		return false;
	while ((line = strsep(&rest, "\n"))) {
		if (is_below(line, path))
			return true;
	}
	return false;
}

int cgroup_open(const struct oci_record *record, struct cgroup **ret, struct crun_error *err)
{
	if (cgroup_is_off_limits(record))
		return err_set(
			err, CODE_CONTAINER_DAMAGED, EBUSY,
			"the record of container `%s` names cgroup `%s`, which is the root or "
			"above this process: `delete --force` gives the container up and leaves the cgroup alone",
			record->id, record->cgroup_path);
	return cg_open_record(record, ret, err);
}

int cg_open_record(const struct oci_record *record, struct cgroup **ret, struct crun_error *err)
{
	struct cgroup *cg = calloc(1, sizeof(*cg));
	int r = 0;

	if (!cg)
		return err_sys(err, -ENOMEM, "cgroup of container `%s`", record->id);
	if (record->cgroup_path && record->cgroup_path[0])
		r = cg_set_path(cg, record->cgroup_path, err);
	if (r >= 0 && record->systemd_scope && cg->path)
		r = open_scope(cg, record, err);
	for (size_t i = 0; r >= 0 && cg->path && i < record->cgroup_created_len; i++)
		r = open_recorded(cg, record->cgroup_created[i], true, err);
	for (size_t i = 0; r >= 0 && cg->path && i < record->cgroup_used_len; i++)
		r = open_recorded(cg, record->cgroup_used[i], false, err);
	cg_name_filter(cg, record->id, record->runtime_pid);
	if (r < 0) {
		cgroup_free(cg);
		return r;
	}
	*ret = cg;
	return 0;
}

struct names {
	char **items;
	size_t len;
};

/*
 * Removes all directories below FD, deepest first, with one fd however deep the payload nested them. -EBUSY: a process is in one of them;
 * -ETIMEDOUT, -ECANCELED: by D, and what was removed until then need not be again.
 */
static int remove_below(int fd, const struct deadline *d)
{
	_cleanup_close_ int cur = sys_openat(fd, ".", O_RDONLY | O_DIRECTORY, 0);
	struct names names = {0};
	char name[256];
	int r = cur;

	while (r >= 0 && (r = deadline_check(d)) >= 0) {
		r = cg_first_child(cur, name);
		if (r == 0 && names.len == 0)
			break;
		if (r == 0) {
			char *last = names.items[--names.len];

			r = cg_step(&cur, "..");
			if (r >= 0)
				r = sys_unlinkat(cur, last, AT_REMOVEDIR);
			free(last);
			r = r == -ENOENT ? 0 : r;
		} else if (r > 0) {
			r = sys_unlinkat(cur, name, AT_REMOVEDIR);
			if (r == -EACCES && sys_fchmod(cur, 0755) >= 0)
				r = sys_unlinkat(cur, name, AT_REMOVEDIR);
			if (r == -EBUSY)
				r = str_list_push(&names.items, &names.len, name);
			else if (r >= 0 || r == -ENOENT)
				continue;
			if (r >= 0)
				r = cg_step(&cur, name);
		}
		/* Somebody removes along with us. */
		if (r == -ENODEV)
			r = -EBUSY;
	}
	while (names.len > 0)
		free(names.items[--names.len]);
	free(names.items);
	return r < 0 ? r : 0;
}

static int remove_leaf(const struct cgroup *cg, const struct cg_hier *h)
{
	int r = sys_unlinkat(h->root_fd, cg->path + 1, AT_REMOVEDIR);

	return r == -ENOENT ? 0 : r;
}

/*
 * Kills and removes until the kernel lets go: a dying process may hold its directory for a moment after its pidfd says that it is gone, and
 * no event tells when (v1). The pauses between those tries double from 1 ms.
 */
static int remove_busy(struct cgroup *cg, const struct cg_hier *h, struct deadline *d)
{
	struct deadline tree = deadline_or(cg->deadline, TREE_MS);
	int pause = 1;

	/* A frozen v1 cgroup does not die; a failure to thaw shows up as a timeout. */
	if (cgroup_thaw_to_die(cg, ERR_IGNORED) < 0)
		log_debug("cgroup `%s` cannot be thawed", cg->path);
	for (;;) {
		int r = cg_kill_dir(h, d);

		if (r >= 0) {
			r = remove_below(h->dir_fd, &tree);
			/* That took its time; what is left to wait for has its own. */
			if (r >= 0)
				*d = deadline_or(cg->deadline, CG_DESTROY_MS);
		}
		if (r >= 0 || r == -ENODEV)
			r = remove_leaf(cg, h);
		if (r != -EBUSY && r != -ENODEV)
			return r;
		r = deadline_pause(d, pause);
		if (r < 0)
			return r;
		pause = pause < PAUSE_MAX_MS ? 2 * pause : PAUSE_MAX_MS;
	}
}

static int still_busy(const struct cgroup *cg, const struct cg_hier *h, const struct deadline *d,
		      int why, struct crun_error *err)
{
	struct cg_pids pids = {0};
	size_t n = 0;
	int first = 0;

	if (cg_read_pids(h->dir_fd, &pids) >= 0 && pids.len > 0) {
		n = pids.len;
		first = (int)pids.pids[0];
	}
	free(pids.pids);
	if (n)
		return deadline_err(d, why, err,
				    "removing cgroup `%s%s`, which still has %zu processes (one is "
				    "%d) that were killed",
				    h->root, cg->path, n, first);
	return deadline_err(d, why, err, "removing cgroup `%s%s`, which is still busy", h->root,
			    cg->path);
}

/* Only the container's own directory is emptied by force; the parents that we made go when nobody else uses them. */
static int destroy_in(struct cgroup *cg, struct cg_hier *h, struct deadline *d,
		      struct crun_error *err)
{
	int r = 0;

	if (h->inner)
		r = cg_open_outer(cg, h);
	if (r < 0 && r != -ENOENT)
		return err_sys_code(err, CODE_CGROUP_REMOVE, r, "open cgroup `%s%s`", h->root,
				    cg->path);
	if (h->leaf_made && h->dir_fd >= 0) {
		/* The usual case: all processes are gone, one call is enough. */
		r = remove_leaf(cg, h);
		if (r == -EBUSY)
			r = remove_busy(cg, h, d);
		if (r == -ETIMEDOUT || r == -ECANCELED)
			return still_busy(cg, h, d, r, err);
		if (r < 0)
			return err_sys_code(err, CODE_CGROUP_REMOVE, r, "remove cgroup `%s%s`",
					    h->root, cg->path);
		h->made &= ~(UINT64_C(1) << (cg->depth - 1));
		close_fd(&h->dir_fd);
	}
	cg_rmdir_made(cg, h);
	h->made = 0;
	h->leaf_made = false;
	close_fd(&h->dir_fd);
	h->used = false;
	return 0;
}

/* Without a pid namespace processes may be left in a directory that is not ours to empty. */
static void warn_of_left(struct cgroup *cg)
{
	bool used = false;
	pid_t *pids = NULL;
	size_t len = 0;

	for (size_t i = 0; i < cg->hier_len; i++)
		used = used || cg->hier[i].used;
	if (used && cgroup_pids(cg, &pids, &len, ERR_IGNORED) >= 0 && len > 0)
		log_warning("%zu processes (one is %d) stay in cgroup `%s`, which was not made for "
			    "this container",
			    len, (int)pids[0], cg->path);
	free(pids);
}

static int destroy_dirs(struct cgroup *cg, struct crun_error *err)
{
	struct deadline d = deadline_or(cg->deadline, CG_DESTROY_MS);
	int first = 0;

	cg_detach_filters(cg);
	warn_of_left(cg);
	/* v2 first: its cgroup.kill leaves no process to hunt for in the v1 hierarchies. */
	for (int v1 = 0; v1 <= 1; v1++) {
		for (size_t i = 0; i < cg->hier_len; i++) {
			struct cg_hier *h = &cg->hier[i];
			struct crun_error other;
			int r;

			if (h->v2 == v1)
				continue;
			r = destroy_in(cg, h, &d, first < 0 ? &other : err);
			if (r < 0 && first == 0)
				first = r;
		}
	}
	return first;
}

int cgroup_is_ours(struct cgroup *cg, struct crun_error *err)
{
	return cg->scope && cg->scope_depth ? cg_systemd_owns(cg, err) : 1;
}

int cgroup_destroy(struct cgroup *cg, struct crun_error *err)
{
	int r;

	if (!cg->scope || !cg->scope_depth)
		return destroy_dirs(cg, err);
	r = cg_systemd_owns(cg, err);
	/* Somebody else's by now; what we made next to it is empty, or not removed. */
	for (size_t i = 0; r == 0 && i < cg->hier_len; i++)
		cg_rmdir_made(cg, &cg->hier[i]);
	if (r <= 0)
		return r;
	r = destroy_dirs(cg, err);
	return r < 0 ? r : cg_systemd_stop(cg, err);
}
