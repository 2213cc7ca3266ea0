// SPDX-License-Identifier: Apache-2.0
// New limits for a container that exists: see update.h.
#include "cgroup/update.h"

#include "base/log.h"
#include "base/str.h"
#include "cgroup/changes.h"
#include "cgroup/devices.h"
#include "cgroup/systemd.h"
#include "sys/io.h"

#include <errno.h>
#include <stdlib.h>

struct cgroup_update {
	struct cg_changes changes;
	struct cg_device_change devices;
	struct cgroup *cg;
	struct cg_props former; /* of the scope */
	struct deadline undo;	/* for putting back */
};

/* Without a limit of its own a systemd that hangs would have it all over again. */
#define UNDO_MS 5000

/* One at a time: those that this host has must not be missing because of one that it has not, which the first pass then names. */
static int enable_each(const struct cgroup *cg, struct cg_hier *h, unsigned required,
		       struct crun_error *err)
{
	for (unsigned c = 0; c < CG_CONTROLLERS; c++) {
		int r = required & CG_BIT(c) ? cg_v2_enable(cg, h, CG_BIT(c), err) : 0;

		if (r == -EOPNOTSUPP)
			log_debug("%s", err->text);
		else if (r < 0)
			return r;
	}
	return 0;
}

/* What a reopened cgroup does not know of itself: the controllers that its cgroup2 directory has; more are enabled as they are needed. */
static int enable(struct cgroup *cg, struct crun_error *err)
{
	unsigned required = cg_v2_required(cg);

	for (size_t i = 0; i < cg->hier_len; i++) {
		struct cg_hier *h = &cg->hier[i];
		char list[512];
		int r;

		if (!h->v2 || h->dir_fd < 0)
			continue;
		r = io_read_file_at(h->dir_fd, "cgroup.controllers", list, sizeof(list));
		if (r < 0)
			return err_sys_code(err, CODE_CGROUP_READ, r,
					    "read `%s%s/cgroup.controllers`", h->root, cg->path);
		h->controllers = cg_controller_bits(list, " ", true);
		if (!(required & ~h->controllers))
			continue;
		/* Above its scope, systemd enables what the scope's properties need. */
		r = cg->scope ? cg_systemd_update(cg, err) : 0;
		if (r == -EOPNOTSUPP)
			log_debug("%s", err->text);
		else if (r < 0)
			return r;
		r = enable_each(cg, h, required, err);
		if (r < 0)
			return r;
	}
	return 0;
}

/* The directories that the container lives in are all that may be written to: its own, or those that it was given to use. */
static bool has_directory(const struct cgroup *cg)
{
	for (size_t i = 0; i < cg->hier_len; i++) {
		if (cg->hier[i].dir_fd >= 0 && (cg->hier[i].leaf_made || cg->hier[i].used))
			return true;
	}
	return false;
}

static int no_directory(void *data, const char *key, enum cg_controller c, struct crun_error *err)
{
	struct cg_changes *changes = data;

	(void)c;
	err_set(err, CODE_CGROUP_NONE, EOPNOTSUPP,
		"the container has no cgroup that could be given limits");
	err_at(err, "/linux/resources/%s", key);
	return cg_changes_unsupported(changes, key, err);
}

/* The first pass: what can be known to fail fails before anything is written. */
static int look(struct cgroup *cg, struct cg_changes *changes, struct crun_error *err)
{
	int r;

	changes->checking = true;
	if (!has_directory(cg))
		r = cg_each_key(cg->plan->resources, no_directory, changes, err);
	else
		r = enable(cg, err);
	if (r >= 0 && has_directory(cg))
		r = cg_apply_limits(cg, changes, err);
	changes->checking = false;
	if (r < 0 || !changes->first.kind)
		return r;
	*err = changes->first;
	return -err->errnum;
}

struct leftovers {
	const struct oci_linux_resources *res;
	struct update_report *report;
	const struct crun_error *failure;
};

static bool has_verdict(const struct update_report *report, const char *key)
{
	for (size_t i = 0; i < report->len; i++) {
		if (str_eq(report->items[i].key + 1, key))
			return true;
	}
	return false;
}

static int give_verdict(void *data, const char *key, enum cg_controller c, struct crun_error *err)
{
	const struct leftovers *l = data;
	enum update_verdict verdict = UPDATE_UNCHANGED;
	const char *reason = "this value means that it is not set";
	const char *at = str_after(err->at, "/linux/resources/");

	(void)c;
	if (has_verdict(l->report, key))
		return 0;
	if (str_eq(key, "memory/kernel") || str_eq(key, "memory/kernelTCP")) {
		/* config-linux.md, "Memory": NOT RECOMMENDED, and kernels since 5.4 have neither. */
		verdict = UPDATE_IGNORED;
		reason = "the kernel no longer has such a limit";
	} else if (l->failure) {
		const char *rest = at ? str_after(at, key) : NULL;
		bool cause = rest && (*rest == '\0' || *rest == '/');

		verdict = cause ? UPDATE_FAILED : UPDATE_LEFT;
		reason = cause ? l->failure->text : NULL;
	}
	return update_report_add(l->report, key, verdict, NULL, NULL, NULL, reason) < 0 ? -ENOMEM
											: 0;
}

/* Nothing is passed over in silence: each key that was given is in the report. */
static int complete(const struct cgroup *cg, struct update_report *report, int result,
		    struct crun_error *err)
{
	struct leftovers l = {
		.res = cg->plan->resources,
		.report = report,
		.failure = result < 0 ? err : NULL,
	};
	struct crun_error where = {0};

	if (result < 0)
		where = *err;
	if (result < 0)
		update_report_undone(report);
	if (cg_each_key(cg->plan->resources, give_verdict, &l, &where) < 0 && result >= 0)
		return err_sys(err, -ENOMEM, "report of the update");
	return result;
}

/* Its properties make the limits last; the files, which have the exact values, get them again in case it wrote them. */
static int tell_systemd(struct cgroup *cg, struct cgroup_update *u, struct crun_error *err)
{
	int r = cg_systemd_update(cg, err);

	return r < 0 ? r : cg_apply_limits(cg, &u->changes, err);
}

/* A signal that came while nobody was waiting. Once all is done, time that ran out meanwhile is no reason to undo it. */
static int check_cancelled(const struct cgroup *cg, struct crun_error *err)
{
	int r = deadline_check(cg->deadline);

	return r == -ECANCELED
		       ? deadline_err(cg->deadline, r, err, "updating cgroup `%s`", cg->path)
		       : 0;
}

static int run(struct cgroup *cg, struct cgroup_update *u, struct crun_error *err)
{
	int r = look(cg, &u->changes, err);

	if (r >= 0)
		r = cg_devices_prepare(cg, &u->changes, &u->devices, err);
	if (r >= 0)
		r = cg_apply_limits(cg, &u->changes, err);
	if (r >= 0)
		r = cg_devices_change(&u->changes, &u->devices, err);
	if (r >= 0 && cg->scope)
		r = tell_systemd(cg, u, err);
	if (r >= 0)
		r = check_cancelled(cg, err);
	if (r < 0)
		cgroup_update_undo(u, err);
	return r;
}

int cgroup_update(struct cgroup *cg, const struct plan_cgroup *request,
		  struct update_report *report, struct cgroup_update **ret, struct crun_error *err)
{
	const struct oci_linux_memory *mem = request->resources->memory;
	struct cgroup_update *u = calloc(1, sizeof(*u));
	int r;

	if (!u)
		return err_sys(err, -ENOMEM, "update cgroup `%s`", cg->path);
	u->changes.report = report;
	u->changes.deadline = cg->deadline;
	u->cg = cg;
	cg->former = &u->former;
	u->devices = (struct cg_device_change)CG_DEVICE_CHANGE_NONE;
	if (mem && (mem->kernel || mem->kernel_tcp))
		log_warning("memory.kernel and memory.kernelTCP of linux.resources are ignored");
	cg->plan = request;
	r = run(cg, u, err);
	r = complete(cg, report, r, err);
	cg->plan = NULL;
	if (r < 0) {
		cgroup_update_free(u);
		return r;
	}
	*ret = u;
	return 0;
}

/*
 * What interrupted the update, or ran out, does not end this. systemd writes the container's files, and not as exactly as we do: so it comes
 * first.
 */
void cgroup_update_undo(struct cgroup_update *u, struct crun_error *err)
{
	struct crun_error why;

	u->undo = deadline_in(UNDO_MS);
	u->cg->deadline = &u->undo;
	u->changes.deadline = &u->undo;
	if (cg_systemd_undo(u->cg, &why) < 0)
		err_and(err, "the former properties of scope `%s` cannot be put back: %s",
			u->cg->scope, why.text);
	cg_devices_undo(&u->devices, err);
	cg_changes_undo(&u->changes, err);
}

void cgroup_update_free(struct cgroup_update *u)
{
	if (!u)
		return;
	/* Without a request, the cgroup goes on living. */
	u->cg->former = NULL;
	u->cg->deadline = NULL;
	cg_device_change_done(&u->devices);
	cg_changes_done(&u->changes);
	cg_props_done(&u->former);
	free(u);
}
