// SPDX-License-Identifier: Apache-2.0
// The systemd driver: which unit and which directories a container gets, and what a dead one left under that name.
#include "cgroup/systemd.h"

#include "base/log.h"
#include "base/str.h"
#include "cgroup/bus.h"
#include "sys/file.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define SLICE_ANNOTATION    "org.systemd.property.Slice"
#define TEXT_ANNOTATION	    "org.systemd.property.Description"
#define SUBGROUP_ANNOTATION "run.oci.systemd.subgroup"

static const char *annotation(const struct oci_string_map *map, const char *key)
{
	for (size_t i = 0; map && i < map->len; i++) {
		if (str_eq(map->items[i].key, key))
			return map->items[i].value;
	}
	return NULL;
}

/* By which we know our scope again: no two containers have the same id and were made by the same process. */
int cg_systemd_describe(struct cgroup *cg, const char *id, int runtime_pid,
			const struct oci_string_map *annotations, struct crun_error *err)
{
	const char *text = annotation(annotations, TEXT_ANNOTATION), *reason;
	struct cg_props props = {0};

	if (text && cg_prop_parse(&props, "Description", text, &reason) >= 0 &&
	    props.items[0].type == 's')
		cg->description = strdup(props.items[0].strings[0]);
	else
		cg->description =
			str_printf("crun container %s, made by process %d", id, runtime_pid);
	cg_props_done(&props);
	return cg->description ? 0 : err_sys(err, -ENOMEM, "description of the scope");
}

void cg_systemd_find_scope(struct cgroup *cg)
{
	char rel[CG_PATH_SIZE];

	for (size_t n = cg->depth; n > 0; n--) {
		const char *name;

		cg_prefix(cg, n, rel);
		name = strrchr(rel, '/');
		name = name ? name + 1 : rel;
		if (str_eq(name, cg->scope) || (name[0] == '_' && str_eq(name + 1, cg->scope)))
			cg->scope_depth = n;
	}
}

/* 'machine.slice', in quotes: the scope will not be where cgroupsPath says, and we must know where. */
static int slice_of_annotation(const struct plan_cgroup *plan, char **slice, struct crun_error *err)
{
	const char *text = annotation(plan->annotations, SLICE_ANNOTATION), *reason = NULL;
	struct cg_props props = {0};
	int r;

	if (!text)
		return 0;
	r = cg_prop_parse(&props, "Slice", text, &reason);
	if (r >= 0 && (props.items[0].type != 's' || !cg_slice_is_valid(props.items[0].strings[0])))
		reason = "is not the name of a slice in quotes";
	if (r >= 0 && !reason) {
		free(*slice);
		*slice = strdup(props.items[0].strings[0]);
	}
	cg_props_done(&props);
	if (r == -ENOMEM || (!reason && !*slice))
		return err_sys(err, -ENOMEM, "slice of the container");
	if (!reason)
		return 0;
	err_set(err, KIND_SPEC, EINVAL, "annotation `" SLICE_ANNOTATION "`: `%s` %s", text, reason);
	return err_at_key(err, "/annotations", SLICE_ANNOTATION);
}

/*
 * The cgroup of the payload below the scope, or "" for the scope itself. On v2 systemd owns the scope's own directory, and a payload that
 * manages cgroups below its own needs one that it may also leave; on v1 nothing is gained by one more.
 */
static int subgroup_of(const struct plan_cgroup *plan, const char **ret, struct crun_error *err)
{
	const char *name = annotation(plan->annotations, SUBGROUP_ANNOTATION);

	*ret = name ? name : (plan->layout == CGROUP_V2 ? "container" : "");
	if (!**ret || str_is_filename(*ret))
		return 0;
	err_set(err, KIND_SPEC, EINVAL,
		"annotation `" SUBGROUP_ANNOTATION "`: `%s` is not the name of a cgroup", *ret);
	return err_at_key(err, "/annotations", SUBGROUP_ANNOTATION);
}

/* On these systemd makes the directories down to the scope: there what is above the scope is not ours. */
static bool is_managed(const struct cg_hier *h)
{
	return h->v2 || (h->controllers &
			 (CG_BIT(CG_CPU) | CG_BIT(CG_CPUACCT) | CG_BIT(CG_IO) | CG_BIT(CG_MEMORY) |
			  CG_BIT(CG_DEVICES) | CG_BIT(CG_PIDS) | CG_BIT(CG_SYSTEMD)));
}

/* Processes in the scope's directory of any hierarchy: one pid, 0, or -errno. */
static int find_process(const struct cgroup *cg)
{
	char rel[CG_PATH_SIZE];

	cg_prefix(cg, cg->scope_depth, rel);
	for (size_t i = 0; i < cg->hier_len; i++) {
		_cleanup_close_ int fd =
			sys_openat(cg->hier[i].root_fd, rel, O_RDONLY | O_DIRECTORY, 0);
		struct cg_pids pids = {0};
		int pid = 0, r;

		if (cg_is_gone(fd))
			continue;
		if (fd < 0)
			return fd;
		r = cg_read_pids(fd, &pids);
		if (pids.len > 0)
			pid = (int)pids.pids[0];
		else if (r < 0)
			pid = r;
		free(pids.pids);
		if (pid)
			return pid;
	}
	return 0;
}

/* A unit of the same name: left by a dead container it is swept away later; one that lives is somebody's. */
static int look_for_stale(struct cgroup *cg, struct cg_bus *bus, struct crun_error *err)
{
	_cleanup_(cg_unit_done) struct cg_unit unit = {0};
	int pid, r = cg_bus_get_unit(bus, cg->scope, &unit, err);

	if (r < 0)
		return r;
	pid = find_process(cg);
	/* Who does not know that it is dead must not take it for dead. */
	if (pid < 0)
		return err_sys(err, pid, "read the processes of scope `%s`", cg->scope);
	if (pid && !(r && str_eq(unit.active, "deactivating"))) {
		err_set(err, CODE_CGROUP_IN_USE, EEXIST,
			"systemd scope `%s` exists already and has living processes (one is %d): delete "
			"the container that it belongs to, or choose another linux.cgroupsPath",
			cg->scope, pid);
		return err_at(err, "/linux/cgroupsPath");
	}
	cg->stale_unit = r > 0;
	return 0;
}

static void find_existing(struct cgroup *cg)
{
	char rel[CG_PATH_SIZE];
	struct stat st;

	for (size_t i = 0; i < cg->hier_len; i++) {
		struct cg_hier *h = &cg->hier[i];
		const bool managed = is_managed(h);

		h->existing = cg->scope_depth - 1;
		for (; !managed && h->existing > 0; h->existing--) {
			cg_prefix(cg, h->existing, rel);
			if (sys_fstatat(h->root_fd, rel, &st) >= 0)
				break;
		}
		cg_prefix(cg, cg->scope_depth, rel);
		cg->stale_dirs |= sys_fstatat(h->root_fd, rel, &st) >= 0;
	}
}

/* Sets the path from what the manager and the plan say. */
static int set_path(struct cgroup *cg, struct cg_bus *bus, const char *subgroup,
		    struct crun_error *err)
{
	_cleanup_free_ char *root = NULL, *scope = NULL, *path = NULL;
	int r = cg_bus_root(bus, &root, err);

	if (r < 0)
		return r;
	scope = cg_unit_path(root, cg->slice, cg->scope, &cg->scope_depth);
	path = scope ? str_printf("%s%s%s", scope, subgroup[0] ? "/" : "", subgroup) : NULL;
	return path ? cg_set_path(cg, path, err)
		    : err_sys(err, -ENOMEM, "cgroup of scope `%s`", cg->scope);
}

int cg_systemd_select(struct cgroup *cg, struct crun_error *err)
{
	const struct plan_cgroup *plan = cg->plan;
	_cleanup_bus_ struct cg_bus *bus = NULL;
	const char *subgroup;
	int r = cg_unit_names(plan->path, plan->id, &cg->slice, &cg->scope, err);

	if (r >= 0)
		r = slice_of_annotation(plan, &cg->slice, err);
	if (r >= 0)
		r = subgroup_of(plan, &subgroup, err);
	if (r >= 0)
		r = cg_systemd_describe(cg, plan->id, getpid(), plan->annotations, err);
	if (r >= 0)
		r = cg_bus_open(cg->deadline, &bus, err);
	if (r < 0)
		return r;
	if (!cg->slice)
		cg->slice = strdup(cg_bus_is_user(bus) ? "user.slice" : "system.slice");
	if (!cg->slice)
		return err_sys(err, -ENOMEM, "slice of the container");
	r = set_path(cg, bus, subgroup, err);
	if (r >= 0)
		r = cg_discover(cg, plan->layout, err);
	if (r >= 0 && cg->hier_len == 0)
		r = err_set(err, CODE_CGROUP_MOUNT, EOPNOTSUPP,
			    "no cgroup file system is mounted at `" CG_ROOT
			    "`: the systemd cgroup driver needs it");
	if (r >= 0)
		r = look_for_stale(cg, bus, err);
	if (r < 0)
		return r;
	find_existing(cg);
	return cg_list_planned(cg, err);
}
