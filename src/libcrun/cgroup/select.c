// SPDX-License-Identifier: Apache-2.0
// Decides where the container's cgroup goes and which directories have to be made for it; touches nothing.
#include "cgroup/internal.h"

#include "base/log.h"
#include "base/str.h"
#include "cgroup/systemd.h"
#include "sys/file.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Names tried for a container without linux.cgroupsPath: other state roots may have a container of the same id. */
#define DEFAULT_NAMES 1000

void cg_close(struct cgroup *cg)
{
	for (size_t i = 0; i < cg->hier_len; i++) {
		close_fd(&cg->hier[i].root_fd);
		close_fd(&cg->hier[i].dir_fd);
		free(cg->hier[i].root);
	}
	cg->hier_len = 0;
}

static void free_list(char ***list)
{
	for (char **p = *list; p && *p; p++)
		free(*p);
	free(*list);
	*list = NULL;
}

void cg_clear(struct cgroup *cg)
{
	cg_close(cg);
	free(cg->path);
	cg->path = NULL;
	cg->depth = 0;
	free_list(&cg->planned);
	free_list(&cg->used);
}

void cgroup_free(struct cgroup *cg)
{
	if (!cg)
		return;
	cg_clear(cg);
	free(cg->slice);
	free(cg->scope);
	free(cg->description);
	free(cg);
}

void cg_prefix(const struct cgroup *cg, size_t n, char buf[CG_PATH_SIZE])
{
	size_t len = n ? cg->ends[n - 1] : 0;

	memcpy(buf, cg->path + 1, len);
	buf[len] = '\0';
}

static int bad_path(struct crun_error *err, const char *path, const char *reason)
{
	err_set(err, CODE_CGROUP_PATH, EINVAL, "linux.cgroupsPath `%s` %s", path, reason);
	return err_at(err, "/linux/cgroupsPath");
}

int cg_set_path(struct cgroup *cg, const char *path, struct crun_error *err)
{
	const char *rel = path + (path[0] == '/');
	size_t depth = 0;

	if (strlen(path) > CG_PATH_SIZE / 2)
		return bad_path(err, path, "is too long");
	if (!rel[0])
		return bad_path(err, path, "is the root cgroup, which no container can have");
	for (const char *p = rel;; p++) {
		size_t n = strcspn(p, "/");

		if (n == 0)
			return bad_path(err, path, "has an empty component");
		if (n > NAME_MAX)
			return bad_path(err, path, "has a component of more than 255 bytes");
		if ((n == 1 && p[0] == '.') || (n == 2 && p[0] == '.' && p[1] == '.'))
			return bad_path(err, path, "has a component `.` or `..`");
		/* The kernel refuses it: it would break the lines of /proc/PID/cgroup. */
		if (memchr(p, '\n', n))
			return bad_path(err, path, "has a line break in it");
		if (depth == CG_MAX_DEPTH)
			return bad_path(err, path, "has more than 64 components");
		p += n;
		cg->ends[depth++] = (uint16_t)(p - rel);
		if (!*p)
			break;
	}
	free(cg->path);
	cg->path = str_printf("/%s", rel);
	if (!cg->path)
		return err_sys(err, -ENOMEM, "cgroup path `%s`", path);
	cg->depth = depth;
	return 0;
}

static bool exists(const struct cg_hier *h, const char *rel)
{
	struct stat st;

	return sys_fstatat(h->root_fd, rel, &st) >= 0;
}

static bool exists_anywhere(const struct cgroup *cg)
{
	for (size_t i = 0; i < cg->hier_len; i++) {
		if (exists(&cg->hier[i], cg->path + 1))
			return true;
	}
	return false;
}

static int set_path_below(struct cgroup *cg, const char *base, const char *name,
			  struct crun_error *err)
{
	_cleanup_free_ char *path = str_printf("%s/%s", base, name);

	if (!path)
		return err_sys(err, -ENOMEM, "cgroup `%s`", name);
	return cg_set_path(cg, path, err);
}

uint64_t cg_hash(const char *text)
{
	uint64_t hash = 0xcbf29ce484222325; /* FNV-1a */

	for (const char *p = text; *p; p++)
		hash = (hash ^ (unsigned char)*p) * 0x100000001b3;
	return hash;
}

/*
 * The path of a container whose configuration names none: one directory right below the root or what was delegated to us, so that no parent is shared with other
 * containers. An id may be longer than a file name; ':' is in no id.
 */
static int default_path(struct cgroup *cg, const char *id, struct crun_error *err)
{
	char name[NAME_MAX + 1], base[CG_PATH_SIZE];
	uint64_t hash = cg_hash(id);
	int r;

	cg_delegated_base(cg, base);
	for (int i = 1; i <= DEFAULT_NAMES; i++) {
		if (strlen(id) > 200)
			snprintf(name, sizeof(name), "crun-%.200s:%016llx", id,
				 (unsigned long long)hash);
		else
			snprintf(name, sizeof(name), "crun-%s", id);
		if (i > 1)
			snprintf(name + strlen(name), sizeof(name) - strlen(name), ":%d", i);
		r = set_path_below(cg, base, name, err);
		if (r < 0)
			return r;
		if (!exists_anywhere(cg))
			return 0;
	}
	return err_set(err, CODE_CGROUP_IN_USE, EEXIST,
		       "cgroups `crun-%s` to `crun-%s:%d` exist already", id, id, DEFAULT_NAMES);
}

static int dir_is_fit(const struct cgroup *cg, const struct cg_hier *h, int fd, const char *rel,
		      struct crun_error *err)
{
	_cleanup_free_ char *dir = str_printf("%s/%s", h->root, rel);

	if (!dir)
		return err_sys(err, -ENOMEM, "cgroup `%s`", cg->path);
	return h->used ? cg_check_reuse(cg, h, dir, err) : cg_check_thawed(h, fd, dir, err);
}

/* Finds out how much of the path is there in H, and whether the container may live there. */
static int find_existing(struct cgroup *cg, struct cg_hier *h, struct crun_error *err)
{
	_cleanup_close_ int fd = FD_NONE;
	char rel[CG_PATH_SIZE];

	for (h->existing = cg->depth; h->existing > 0; h->existing--) {
		cg_prefix(cg, h->existing, rel);
		if (exists(h, rel))
			break;
	}
	h->used = h->existing == cg->depth;
	if (h->existing == 0)
		return 0;
	fd = sys_openat(h->root_fd, rel, O_RDONLY | O_DIRECTORY, 0);
	/* Gone again, or not ours to look into: making the directory will tell. */
	if (fd < 0 && !h->used)
		return 0;
	return dir_is_fit(cg, h, fd, rel, err);
}

static char **new_list(const struct cgroup *cg)
{
	return calloc(cg->hier_len * cg->depth + 1, sizeof(char *));
}

int cg_list_planned(struct cgroup *cg, struct crun_error *err)
{
	char rel[CG_PATH_SIZE];
	size_t n = 0, used = 0;

	cg->planned = new_list(cg);
	cg->used = new_list(cg);
	if (!cg->planned || !cg->used)
		return err_sys(err, -ENOMEM, "cgroup `%s`", cg->path);
	for (size_t i = 0; i < cg->hier_len; i++) {
		for (size_t d = cg->hier[i].existing; d < cg->depth; d++) {
			cg_prefix(cg, d + 1, rel);
			cg->planned[n] = str_printf("%s/%s", cg->hier[i].root, rel);
			if (!cg->planned[n++])
				return err_sys(err, -ENOMEM, "cgroup `%s`", cg->path);
		}
		if (!cg->hier[i].used)
			continue;
		cg->used[used] = str_printf("%s%s", cg->hier[i].root, cg->path);
		if (!cg->used[used++])
			return err_sys(err, -ENOMEM, "cgroup `%s`", cg->path);
	}
	return 0;
}

static int select_dirs(struct cgroup *cg, struct crun_error *err)
{
	const struct plan_cgroup *plan = cg->plan;
	int r;

	/* A wrong path is reported even where there would be no cgroup to make. */
	if (plan->path && plan->path[0]) {
		r = cg_set_path(cg, plan->path, err);
		if (r < 0)
			return r;
	}
	r = cg_discover(cg, plan->layout, err);
	if (r < 0)
		return r;
	if (cg->hier_len == 0) {
		if (!plan->optional)
			return err_set(
				err, CODE_CGROUP_MOUNT, EOPNOTSUPP,
				"no cgroup file system is mounted at `" CG_ROOT
				"`: mount it, or use --cgroup-manager=disabled to go without");
		log_debug("no cgroup file system at " CG_ROOT ": going without a cgroup");
		cg_clear(cg);
		return 0;
	}
	if (cg->path) {
		for (size_t i = 0; r >= 0 && i < cg->hier_len; i++)
			r = find_existing(cg, &cg->hier[i], err);
	} else {
		r = default_path(cg, plan->id, err);
		/* One right below the root has nothing above it that could exist. */
		for (size_t i = 0; r >= 0 && cg->depth > 1 && i < cg->hier_len; i++)
			r = find_existing(cg, &cg->hier[i], err);
	}
	return r < 0 ? r : cg_list_planned(cg, err);
}

/* A part of the cgroup for the payload to manage: v1 has no way to give one away. */
static int check_delegate(const struct cgroup *cg, struct crun_error *err)
{
	const char *name = cg->plan->delegate;

	if (!name || !cg->path)
		return 0;
	if (cg->plan->layout != CGROUP_V2)
		err_set(err, KIND_UNSUPPORTED, EOPNOTSUPP,
			"annotation `run.oci.delegate-cgroup` needs cgroup v2");
	else if (!str_is_filename(name))
		err_set(err, KIND_SPEC, EINVAL,
			"annotation `run.oci.delegate-cgroup`: `%s` is not the name of a cgroup",
			name);
	else
		return 0;
	return err_at(err, "/annotations/run.oci.delegate-cgroup");
}

int cgroup_select(const struct plan_cgroup *plan, const struct deadline *deadline,
		  struct cgroup **ret, struct crun_error *err)
{
	struct cgroup *cg;
	int r = 0;

	cg = calloc(1, sizeof(*cg));
	if (!cg)
		return err_sys(err, -ENOMEM, "cgroup of container `%s`", plan->id);
	cg->plan = plan;
	cg->deadline = deadline;
	if (plan->id)
		cg_name_filter(cg, plan->id, getpid());
	if (plan->manager == CGROUP_MANAGER_CGROUPFS)
		r = select_dirs(cg, err);
	else if (plan->manager == CGROUP_MANAGER_SYSTEMD)
		r = cg_systemd_select(cg, err);
	if (r >= 0)
		r = check_delegate(cg, err);
	if (r < 0) {
		cgroup_free(cg);
		return r;
	}
	*ret = cg;
	return 0;
}

void cgroup_set_deadline(struct cgroup *cg, const struct deadline *deadline)
{
	cg->deadline = deadline;
}

const char *cgroup_scope(const struct cgroup *cg)
{
	return cg->scope;
}

const char *cgroup_path(const struct cgroup *cg)
{
	return cg->absent ? NULL : cg->path;
}

static const char *const *list_of(const struct cgroup *cg, char **list)
{
	static const char *const none[] = {NULL};

	return list && !cg->absent ? (const char *const *)list : none;
}

const char *const *cgroup_planned(const struct cgroup *cg)
{
	return list_of(cg, cg->planned);
}

const char *const *cgroup_used(const struct cgroup *cg)
{
	return list_of(cg, cg->used);
}

bool cgroup_exists(const struct cgroup *cg)
{
	for (size_t i = 0; i < cg->hier_len; i++) {
		if (cg->hier[i].dir_fd >= 0)
			return true;
	}
	return false;
}
