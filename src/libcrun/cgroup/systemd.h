/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The systemd driver: the container's cgroup is a transient scope, which systemd makes with init in it; what is below the scope is
 * ours (Delegate=). What is above is systemd's alone: we neither make, remove nor write there on the hierarchies that it manages.
 */
#pragma once

#include "cgroup/internal.h"
#include "cgroup/systemd_value.h"

#define CG_UNIT_NAME_MAX 255

/* ---- systemd_names.c: pure ---- */

/*
 * What linux.cgroupsPath (PATH, NULL or "" for none) means, engine-contract style:
 *   "slice:prefix:name"  PREFIX-NAME.scope in SLICE ("" is NULL, "-" the root slice; an empty prefix leaves out the '-')
 *   the same with a name that ends in ".slice"  crun-ID.scope in that slice, which must be SLICE's child if SLICE is given
 *   "P" without a colon  P.scope in slice P
 *   none                 crun-ID.scope in NULL
 * *ret_slice NULL is the manager's default slice. Characters that no unit name may have become \xNN, but a '/' or a control character
 * is an error, which points to /linux/cgroupsPath. Both results are malloc'd.
 */
int cg_unit_names(const char *path, const char *id, char **ret_slice, char **ret_scope,
		  struct crun_error *err) CRUN_NODISCARD;

/* True for what systemd takes for the name of a slice: "a-b.slice", "-.slice"; not "a--b.slice" or "a". */
bool cg_slice_is_valid(const char *slice);

/*
 * The path that systemd gives the unit SCOPE in SLICE below its own ROOT: "a-b.slice" is /a.slice/a-b.slice; a name that a file of the
 * cgroup file system could have gets a '_' in front. *ret_depth is the number of components. malloc'd; NULL without memory.
 */
char *cg_unit_path(const char *root, const char *slice, const char *scope, size_t *ret_depth);

/* ---- systemd_props.c: pure ---- */

/* linux.resources as properties, as far as systemd has them. V2: the host has cgroup v2 alone. 0 or -ENOMEM. */
int cg_props_of_resources(const struct oci_linux_resources *res, bool v2, struct cg_props *props);

/*
 * DevicePolicy and DeviceAllow. systemd knows no exceptions from what is allowed, so what it gets never denies what RULES allow; our own
 * filter decides the rest. Not used on v1, where systemd's would take the place of ours. 0 or -ENOMEM.
 */
struct cg_rules;
int cg_props_of_devices(const struct cg_rules *rules, struct cg_props *props);

/* All org.systemd.property.* of ANNOTATIONS (may be NULL). */
int cg_props_of_annotations(const struct oci_string_map *annotations, struct cg_props *props,
			    struct crun_error *err) CRUN_NODISCARD;

/* ---- systemd_select.c ---- */

/*
 * Sets cg->description: what the scope is called in systemd's lists, and how it is known again. RUNTIME_PID is that of the crun that made
 * it, ANNOTATIONS may name another one.
 */
int cg_systemd_describe(struct cgroup *cg, const char *id, int runtime_pid,
			const struct oci_string_map *annotations,
			struct crun_error *err) CRUN_NODISCARD;

/* Sets cg->scope_depth from the path and the scope's name; 0 when the path has no such component. */
void cg_systemd_find_scope(struct cgroup *cg);

/* ---- systemd.c: the driver; each is called for a cgroup of plan->manager (or record) systemd ---- */

/* cgroup_select: asks the manager where its units are, and whether the name is free. Changes nothing. */
int cg_systemd_select(struct cgroup *cg, struct crun_error *err) CRUN_NODISCARD;

/* cgroup_create: sweeps away what a dead container of that name left. */
int cg_systemd_create(struct cgroup *cg, struct crun_error *err) CRUN_NODISCARD;

/* cgroup_adopt: the scope is started with PID, PID moved into the final directory, limits written. */
int cg_systemd_adopt(struct cgroup *cg, pid_t pid, struct crun_error *err) CRUN_NODISCARD;

/*
 * cgroup_destroy, before any process is killed: whether the scope is (or may be) ours. Without a manager to ask it is, with a warning.
 * Returns 1, 0 or -errno.
 */
int cg_systemd_owns(struct cgroup *cg, struct crun_error *err) CRUN_NODISCARD;

/* cgroup_destroy, after all processes are gone: stops the unit and has it forgotten. */
int cg_systemd_stop(struct cgroup *cg, struct crun_error *err) CRUN_NODISCARD;

/* ---- systemd_update.c ---- */

/*
 * The part of cg->plan->resources, an update, that systemd keeps as properties of the running scope, until it is stopped; with them a
 * daemon-reload later on changes nothing. What it leaves out, and systemd needs, is read from the container's files, so they are
 * written before. systemd writes some of them itself and may round: they are to be written again afterwards.
 */
int cg_systemd_update(struct cgroup *cg, struct crun_error *err) CRUN_NODISCARD;

/* DevicePolicy and DeviceAllow for RULES, instead of what was there. systemd applies them before it answers. */
int cg_systemd_set_devices(struct cgroup *cg, const struct cg_rules *rules,
			   struct crun_error *err) CRUN_NODISCARD;

/*
 * Gives the scope the properties back that cg->former has. Returns 0, also when there are none, or -errno: then it is not known which
 * systemd has.
 */
int cg_systemd_undo(struct cgroup *cg, struct crun_error *err) CRUN_NODISCARD;
