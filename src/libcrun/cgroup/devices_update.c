// SPDX-License-Identifier: Apache-2.0
// The device filter of a container that exists gets new rules, on either cgroup version.
#include "cgroup/changes.h"
#include "cgroup/devices.h"

#include "base/log.h"
#include "cgroup/systemd.h"

#include <errno.h>

static int verdict(struct cg_changes *changes, enum update_verdict v, const char *reason,
		   struct crun_error *err)
{
	int r = update_report_add(changes->report, "devices", v, NULL, NULL, NULL, reason);

	return r < 0 ? err_sys_code(err, CODE_DEVICE_FILTER, r, "update the device filter") : 0;
}

static int find_filter(struct cgroup *cg, struct cg_device_change *c, struct crun_error *err)
{
	const struct cg_hier *h = cg_find(cg, CG_DEVICES, false);

	if (!h)
		h = cg_find_v2(cg);
	if (!h)
		return cg_no_controller(cg, CG_DEVICES, err);
	/* Only the container's directory: a filter on any other would hit strangers. */
	if (!h->leaf_made && !h->used)
		return err_set(err, KIND_INTERNAL, EINVAL,
			       "device filter for cgroup `%s%s`, which is not ours", h->root,
			       cg->path);
	c->h = h;
	c->cg = cg;
	return cgroup_is_frozen(cg, &c->frozen, err);
}

int cg_devices_prepare(struct cgroup *cg, struct cg_changes *changes, struct cg_device_change *ret,
		       struct crun_error *err)
{
	int r;

	if (!cg->plan->resources->devices_len)
		return 0;
	/* As when the container was made. Engines send their rules along with other limits. */
	if (cg->plan->unprivileged)
		return verdict(changes, UPDATE_IGNORED, "no power over the host's devices", err);
	r = find_filter(cg, ret, err);
	if (r >= 0)
		r = cg_rules_build(cg->plan, &ret->rules, err);
	if (r >= 0)
		r = ret->h->v2 ? cg_v2_devices_prepare(ret, err) : cg_v1_devices_prepare(ret, err);
	if (r < 0) {
		err_at(err, "/linux/resources/devices");
		return r;
	}
	if (r > 0)
		return 0;
	ret->h = NULL;
	return verdict(changes, UPDATE_UNCHANGED, NULL, err);
}

/*
 * On v2 systemd's filter holds besides ours. It never denies what the rules allow, so while the two are changed one after the other nothing
 * is allowed that neither the old nor the new rules allow.
 */
static int tell_systemd(struct cg_device_change *c, struct crun_error *err)
{
	return c->cg->scope && c->h->v2 ? cg_systemd_set_devices(c->cg, &c->rules, err) : 0;
}

int cg_devices_change(struct cg_changes *changes, struct cg_device_change *c,
		      struct crun_error *err)
{
	int r;

	if (!c->h)
		return 0;
	r = tell_systemd(c, err);
	if (r < 0)
		return err_at(err, "/linux/resources/devices");
	/* v1 may fail halfway, v2 all or nothing. */
	c->done = !c->h->v2;
	r = c->h->v2 ? cg_v2_devices_change(c, err)
		     : cg_v1_devices_change(c, &c->before, &c->after, err);
	if (r < 0)
		return err_at(err, "/linux/resources/devices");
	c->done = true;
	return verdict(changes, UPDATE_APPLIED, NULL, err);
}

void cg_devices_undo(struct cg_device_change *c, struct crun_error *err)
{
	struct crun_error why;
	int r;

	if (!c->h || !c->done)
		return;
	r = c->h->v2 ? cg_v2_devices_undo(c) : cg_v1_devices_undo(c, &why);
	if (r < 0)
		err_and(err, "the former device filter cannot be put back");
	c->done = false;
}

void cg_device_change_done(struct cg_device_change *c)
{
	for (size_t i = 0; i < c->old_len; i++)
		close_fd(&c->old[i]);
	c->old_len = 0;
	close_fd(&c->prog);
	cg_rules_done(&c->rules);
	cg_rules_done(&c->before.exceptions);
	cg_rules_done(&c->after.exceptions);
}
