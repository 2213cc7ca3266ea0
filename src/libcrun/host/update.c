// SPDX-License-Identifier: Apache-2.0
// crun update: new limits for a container that exists, all of them or none.
#include "host/verbs.h"

#include "base/log.h"
#include "base/str.h"
#include "cgroup/update.h"
#include "host/facts.h"
#include "host/intelrdt.h"
#include "host/update_report.h"
#include "host/update_values.h"

#include <errno.h>

/* Everything that one update holds until its end. */
struct update {
	const struct libcrun_update_options *opts;
	struct oci_arena arena;
	struct oci_text text; /* the document, if that is what we got */
	struct oci_linux_resources *resources;
	struct oci_config *config; /* the copy that the container was created from, or NULL */
	struct plan_cgroup request;
	struct cgroup *cgroup;
	struct cgroup_update *done;
	struct intelrdt rdt; /* with schemata: its base_fd is ours */
	struct update_report report;
};

static void update_done(struct update *u)
{
	cgroup_update_free(u->done);
	cgroup_free(u->cgroup);
	close_fd(&u->rdt.base_fd);
	update_report_done(&u->report);
	oci_arena_free(&u->arena);
}

static int check_status(const struct container *c, struct crun_error *err)
{
	switch (c->status) {
	case LIBCRUN_CREATED:
	case LIBCRUN_RUNNING:
	case LIBCRUN_PAUSED:
		return 0;
	default:
		return err_set(
			err, KIND_STATE, EINVAL,
			"cannot update container `%s`: it is %s, not created, running or paused",
			c->dir.id, libcrun_status_name(c->status));
	}
}

static bool wants_schemata(const struct libcrun_update_options *opts)
{
	return opts->l3_cache_schema || opts->mem_bw_schema;
}

/*
 * What only the configuration tells: the nodes that the payload must be able to use whatever the rules for devices say, and the class of
 * service. The copy stays as it was created: what an update changed is in the kernel's files, and only there.
 */
static int read_config(struct update *u, const struct container *c, struct crun_error *err)
{
	const struct plan_options options = {.id = c->dir.id, .bundle = c->record->bundle};
	struct launch_plan *plan;
	struct host_facts facts;
	int r;

	if (!u->resources->devices_len && !wants_schemata(u->opts))
		return 0;
	r = state_read_config(&c->dir, &u->arena, &u->config, err);
	if (r < 0)
		return r;
	if (!u->resources->devices_len)
		return 0;
	r = facts_gather(u->config, &facts, err);
	if (r >= 0)
		r = plan_build(u->config, &facts, &options, &u->arena, &plan, err);
	if (r < 0)
		return err_in(err, "the configuration of container `%s`", c->dir.id);
	u->request = plan->cgroup;
	return 0;
}

static int report_schemata(struct update *u, enum update_verdict verdict, const char *reason)
{
	int r = 0;

	if (u->opts->l3_cache_schema)
		r = update_report_add(&u->report, "intelRdt/l3CacheSchema", verdict, NULL, NULL,
				      NULL, reason);
	if (r >= 0 && u->opts->mem_bw_schema)
		r = update_report_add(&u->report, "intelRdt/memBwSchema", verdict, NULL, NULL, NULL,
				      reason);
	return r;
}

static int check_schemata(struct update *u, const struct container *c, struct crun_error *err)
{
	const struct oci_linux *lx = u->config ? u->config->linux : NULL;
	int fd, r;

	if (!wants_schemata(u->opts))
		return 0;
	fd = intelrdt_open(err);
	r = fd;
	if (fd >= 0)
		r = intelrdt_update_check(lx ? lx->intel_rdt : NULL, c->dir.id, fd, &u->rdt, err);
	if (r < 0 && report_schemata(u, UPDATE_UNSUPPORTED, err->text) < 0)
		log_debug("no memory for the report");
	return r < 0 ? r : 0;
}

static void undo_cgroup(struct update *u, struct crun_error *err)
{
	cgroup_update_undo(u->done, err);
	update_report_undone(&u->report);
}

static int change_schemata(struct update *u, struct crun_error *err)
{
	int r;

	if (!wants_schemata(u->opts))
		return 0;
	r = intelrdt_update(&u->rdt, u->opts->l3_cache_schema, u->opts->mem_bw_schema, err);
	if (r < 0)
		undo_cgroup(u, err);
	if (report_schemata(u, r < 0 ? UPDATE_FAILED : UPDATE_APPLIED, r < 0 ? err->text : NULL) <
	    0)
		log_debug("no memory for the report");
	return r;
}

static int change(struct update *u, struct container *c, struct crun_error *err)
{
	int r = read_config(u, c, err);

	if (r >= 0)
		r = check_schemata(u, c, err);
	if (r >= 0)
		r = cgroup_open(c->record, &u->cgroup, err);
	if (r < 0)
		return r;
	cgroup_set_deadline(u->cgroup, &c->deadline);
	u->request.resources = u->resources;
	r = cgroup_update(u->cgroup, &u->request, &u->report, &u->done, err);
	return r < 0 ? r : change_schemata(u, err);
}

static void note_unknown(void *data, const char *pointer)
{
	struct update *u = data;

	if (update_report_add(&u->report, pointer + 1, UPDATE_IGNORED, NULL, NULL, NULL,
			      "crun does not know this member") < 0)
		log_debug("no memory for the report");
	log_warning("`%s` of the new resources is ignored: crun does not know this member",
		    pointer);
}

/* config.md, "Extensibility": unknown properties must be ignored; whoever misspelled one wants to know. */
static int report_unknown(struct update *u, struct crun_error *err)
{
	int r = oci_each_unknown(&oci_linux_resources_type, u->text.data, u->text.len, note_unknown,
				 u);

	return r < 0 ? err_sys(err, r, "read the new resources") : 0;
}

static int run(const struct libcrun_context *ctx, const char *id, struct update *u,
	       struct crun_error *err)
{
	_cleanup_container_ struct container c = CONTAINER_EMPTY;
	int r = update_values_read(u->opts, &u->arena, &u->text, &u->resources, err);

	if (r >= 0 && u->text.data)
		r = report_unknown(u, err);
	if (r >= 0)
		r = container_open(ctx, id, &c, err);
	if (r >= 0)
		r = container_interruptible(&c, err);
	if (r >= 0)
		r = check_status(&c, err);
	/* Two updates at the same time would undo each other's values; and it must not be deleted meanwhile. */
	if (r >= 0)
		r = container_lock(&c, err);
	if (r >= 0)
		r = check_status(&c, err);
	return r < 0 ? r : change(u, &c, err);
}

int libcrun_update_check(const struct libcrun_update_options *opts, struct crun_error *err)
{
	_cleanup_(oci_arena_free) struct oci_arena arena = {0};
	struct oci_linux_resources *res;

	return update_values_read(opts, &arena, NULL, &res, err);
}

int libcrun_update(const struct libcrun_context *ctx, const char *id,
		   const struct libcrun_update_options *opts, enum libcrun_update_format format,
		   FILE *out, struct crun_error *err)
{
	struct update u = {.opts = opts, .rdt = {.base_fd = FD_NONE}};
	int r = run(ctx, id, &u, err);
	struct crun_error why;

	if (format != LIBCRUN_UPDATE_QUIET &&
	    update_report_write(&u.report, id, format, out, r < 0 ? &why : err) < 0 && r >= 0)
		r = -err->errnum;
	update_done(&u);
	return r;
}
