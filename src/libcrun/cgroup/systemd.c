// SPDX-License-Identifier: Apache-2.0
// The systemd driver: the life of the container's scope. See systemd.h.
#include "cgroup/systemd.h"

#include "base/log.h"
#include "base/str.h"
#include "cgroup/bus.h"
#include "cgroup/devices.h"
#include "sys/file.h"
#include "sys/io.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FORGET_MS 1000

/* ---- create ---- */

/* H once more, with the scope's own directory as the container's. */
static int copy_hier(const struct cgroup *cg, const struct cg_hier *h, struct cgroup *ret)
{
	struct cg_hier *copy = &ret->hier[ret->hier_len];

	*copy = *h;
	copy->root = strdup(h->root);
	copy->root_fd = sys_openat(h->root_fd, ".", O_RDONLY | O_DIRECTORY, 0);
	copy->dir_fd = FD_NONE;
	ret->hier_len++;
	if (!copy->root)
		return -ENOMEM;
	if (copy->root_fd < 0)
		return copy->root_fd;
	copy->dir_fd = sys_openat(copy->root_fd, ret->path + 1, O_RDONLY | O_DIRECTORY, 0);
	copy->leaf_made = copy->dir_fd >= 0;
	copy->made = copy->leaf_made ? UINT64_C(1) << (cg->scope_depth - 1) : 0;
	return 0;
}

/* Kills what is in the scope and removes its directories, where they are left. */
static int sweep_scope(struct cgroup *cg, struct crun_error *err)
{
	struct cgroup scope = {.deadline = cg->deadline};
	char rel[CG_PATH_SIZE];
	int r;

	cg_prefix(cg, cg->scope_depth, rel);
	r = cg_set_path(&scope, rel, err);
	for (size_t i = 0; r >= 0 && i < cg->hier_len; i++) {
		r = copy_hier(cg, &cg->hier[i], &scope);
		if (r < 0)
			err_sys(err, r, "open cgroup `%s%s`", cg->hier[i].root, scope.path);
	}
	if (r >= 0)
		r = cgroup_destroy(&scope, err);
	cg_clear(&scope);
	return r;
}

static int stop_unit(struct cgroup *cg, struct cg_bus *bus, struct crun_error *err)
{
	int r = cg_bus_stop_unit(bus, cg->scope, err);

	return r < 0 ? r : cg_bus_reset_failed(bus, cg->scope, err);
}

int cg_systemd_create(struct cgroup *cg, struct crun_error *err)
{
	_cleanup_bus_ struct cg_bus *bus = NULL;
	int r = 0;

	if (!cg->stale_unit && !cg->stale_dirs)
		return 0;
	log_debug("systemd scope `%s` was left by a dead container: sweeping it away", cg->scope);
	if (cg->stale_unit)
		r = cg_bus_open(cg->deadline, &bus, err);
	if (r >= 0 && cg->stale_unit)
		r = stop_unit(cg, bus, err);
	return r < 0 ? r : sweep_scope(cg, err);
}

/* ---- adopt ---- */

static int set_basic(const struct cgroup *cg, pid_t pid, struct cg_props *props)
{
	static const char *const on[] = {"Delegate",	 "CPUAccounting",   "MemoryAccounting",
					 "IOAccounting", "TasksAccounting", "DefaultDependencies"};
	int r = cg_prop_string(props, "Description", cg->description);

	if (r >= 0)
		r = cg_prop_string(props, "Slice", cg->slice);
	for (size_t i = 0; r >= 0 && i < ARRAY_LEN(on); i++) {
		r = cg_prop_bool(props, on[i], !str_eq(on[i], "DefaultDependencies"));
		/* Accounting comes and goes with systemd's versions; without delegation nothing below the scope would be ours. */
		if (r >= 0)
			props->items[props->len - 1].optional = strstr(on[i], "Accounting");
	}
	/* A scope whose processes were killed for want of memory counts as failed: without this it would stay in memory, and the name taken. */
	if (r >= 0)
		r = cg_prop_string(props, "CollectMode", "inactive-or-failed");
	if (r >= 0)
		props->items[props->len - 1].optional = true;
	return r < 0 ? r : cg_prop_entry(props, "PIDs", 'U', NULL, NULL, (uint64_t)pid);
}

static int set_devices(const struct cgroup *cg, struct cg_props *props, struct crun_error *err)
{
	struct cg_rules rules = {0};
	int r;

	/* v1: see CG_INNER. The scope's own directory has no rules then, so that any can follow below. */
	if (cg->plan->unprivileged || (cg_v1_controllers(cg) & CG_BIT(CG_DEVICES)))
		return 0;
	r = cg_rules_build(cg->plan, &rules, err);
	if (r < 0)
		return r;
	r = cg_props_of_devices(&rules, props);
	cg_rules_done(&rules);
	return r < 0 ? err_sys_code(err, CODE_SYSTEMD_REFUSED, r, "properties of scope `%s`",
				    cg->scope)
		     : 0;
}

static int start_scope(struct cgroup *cg, struct cg_bus *bus, pid_t pid, struct crun_error *err)
{
	_cleanup_(cg_props_done) struct cg_props props = {0};
	int r = set_basic(cg, pid, &props);

	if (r >= 0)
		r = cg_props_of_resources(cg->plan->resources, cg->plan->layout == CGROUP_V2,
					  &props);
	if (r < 0)
		return err_sys_code(err, CODE_SYSTEMD_REFUSED, r, "properties of scope `%s`",
				    cg->scope);
	r = set_devices(cg, &props, err);
	/* Last: what the configuration says itself holds. */
	if (r >= 0)
		r = cg_props_of_annotations(cg->plan->annotations, &props, err);
	if (r < 0)
		return r;
	r = cg_bus_start_scope(bus, cg->scope, &props, &cg->scope_began, err);
	if (r == -EEXIST)
		return err_at(err, "/linux/cgroupsPath");
	return r;
}

/* Where a line of /proc/PID/cgroup ("ID:CONTROLLERS:PATH") says systemd keeps the process: v2, or its own v1 hierarchy. */
static const char *path_of_line(const char *line, enum cgroup_layout layout)
{
	const char *names = strchr(line, ':'), *path = names ? strchr(names + 1, ':') : NULL;

	if (!path)
		return NULL;
	if (layout == CGROUP_V2)
		return path == names + 1 ? path + 1 : NULL;
	return str_after(names, ":name=systemd:");
}

/* That init is where we expect it, before anything is written there. */
static int check_place(const struct cgroup *cg, pid_t pid, struct crun_error *err)
{
	char file[64], text[8192], want[CG_PATH_SIZE], *rest = text, *line;
	const char *path = NULL;
	int r;

	snprintf(file, sizeof(file), "/proc/%d/cgroup", (int)pid);
	r = io_read_file_at(AT_FDCWD, file, text, sizeof(text));
	if (r < 0)
		return err_sys(err, r, "read %s", file);
	while (!path && (line = strsep(&rest, "\n")))
		path = path_of_line(line, cg->plan->layout);
	cg_prefix(cg, cg->scope_depth, want);
	if (path && path[0] == '/' && str_eq(path + 1, want))
		return 0;
	return err_set(
		err, KIND_UNSUPPORTED, EOPNOTSUPP,
		"systemd has put init of scope `%s` into cgroup `%s`, where `/%s` was expected: "
		"does this systemd run in another cgroup namespace?",
		cg->scope, path ? path : "(none)", want);
}

/* For the user's manager: what it was not given it cannot give, and the administrator must hear how. */
static int check_delegated(const struct cgroup *cg, struct cg_bus *bus, struct crun_error *err)
{
	unsigned missing = cg_needed(cg->plan) & ~cg_v1_controllers(cg);
	char rel[CG_PATH_SIZE + 32], text[512];

	if (!cg_bus_is_user(bus))
		return 0;
	cg_prefix(cg, cg->scope_depth, rel);
	snprintf(rel + strlen(rel), 32, "/cgroup.controllers");
	for (size_t i = 0; i < cg->hier_len; i++) {
		if (!cg->hier[i].v2)
			continue;
		if (io_read_file_at(cg->hier[i].root_fd, rel, text, sizeof(text)) >= 0)
			missing &= ~cg_controller_bits(text, " ", true);
	}
	for (unsigned c = 0; c < CG_CONTROLLERS; c++) {
		if (!(missing & CG_BIT(c)) || !cg_controller_names[c].v2)
			continue;
		err_set(err, KIND_UNSUPPORTED, EOPNOTSUPP,
			"the cgroup controller `%s` is not delegated to this user: an administrator can do so "
			"with a file /etc/systemd/system/user@.service.d/delegate.conf of the two lines "
			"`[Service]` and `Delegate=cpu cpuset io memory pids`, `systemctl daemon-reload`, "
			"and a new login of the user",
			cg_controller_names[c].v2);
		return err_code(err, CODE_CGROUP_DELEGATION);
	}
	return 0;
}

int cg_systemd_adopt(struct cgroup *cg, pid_t pid, struct crun_error *err)
{
	_cleanup_bus_ struct cg_bus *bus = NULL;
	int r = cg_bus_open(cg->deadline, &bus, err);

	if (r >= 0)
		r = start_scope(cg, bus, pid, err);
	if (r >= 0)
		r = check_place(cg, pid, err);
	if (r >= 0)
		r = check_delegated(cg, bus, err);
	return r < 0 ? r : cg_place(cg, pid, err);
}

/* ---- the end ---- */

/*
 * There is no manager to talk to, but it may be there. It hears that the scope is empty from the directory, and only while that exists (the
 * kernel's notification comes later than the last process goes): so it gets a moment before we remove what it has not.
 */
static void leave_to_systemd(struct cgroup *cg)
{
	struct deadline deadline = deadline_within(cg->deadline, FORGET_MS);
	char rel[CG_PATH_SIZE];
	struct stat st;

	if (cgroup_signal(cg, SIGKILL, ERR_IGNORED) < 0)
		return;
	cg_prefix(cg, cg->scope_depth, rel);
	for (size_t i = 0; i < cg->hier_len; i++) {
		const struct cg_hier *h = &cg->hier[i];

		if (!h->v2 && !(h->controllers & CG_BIT(CG_SYSTEMD)))
			continue;
		while (sys_fstatat(h->root_fd, rel, &st) >= 0) {
			if (deadline_pause(&deadline, 10) < 0)
				return;
		}
	}
}

/* Once: each step of a deletion opens a connection of its own. */
static void warn_left(struct cgroup *cg, const struct crun_error *why)
{
	if (!cg->scope_left)
		log_warning("%s; scope `%s` is left to systemd, which forgets it once it is empty",
			    why->text, cg->scope);
	cg->scope_left = true;
}

int cg_systemd_owns(struct cgroup *cg, struct crun_error *err)
{
	_cleanup_(cg_unit_done) struct cg_unit unit = {0};
	_cleanup_bus_ struct cg_bus *bus = NULL;
	int r;

	/* We never got as far as to have one started. */
	if (cg->plan && !cg->scope_began)
		return 0;
	r = cg_bus_open(cg->deadline, &bus, err);
	if (r == -EOPNOTSUPP) {
		warn_left(cg, err);
		*err = (struct crun_error){0};
		leave_to_systemd(cg);
		return 1;
	}
	if (r >= 0)
		r = cg_bus_get_unit(bus, cg->scope, &unit, err);
	if (r < 0)
		return r;
	/* Gone already: what there may be of directories nobody else can have made. */
	if (r == 0 || str_eq(unit.description, cg->description))
		return 1;
	log_debug("systemd scope `%s` is not ours but `%s`", cg->scope, unit.description);
	return 0;
}

int cg_systemd_stop(struct cgroup *cg, struct crun_error *err)
{
	_cleanup_bus_ struct cg_bus *bus = NULL;
	struct crun_error ignored;
	int r = sweep_scope(cg, err);

	if (r < 0)
		return r;
	r = cg_bus_open(cg->deadline, &bus, &ignored);
	if (r == -EOPNOTSUPP) {
		warn_left(cg, &ignored);
		return 0;
	}
	if (r < 0) {
		*err = ignored;
		return r;
	}
	r = stop_unit(cg, bus, err);
	/* systemd makes what it finds missing when it is told to stop; and it leaves what it did not make. */
	return r < 0 ? r : sweep_scope(cg, err);
}
