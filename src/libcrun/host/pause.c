// SPDX-License-Identifier: Apache-2.0
// crun pause and resume. They take no lock: a container whose start hangs can be paused, too.
#include "host/verbs.h"

#include "cgroup/cgroup.h"
#include "sys/pidfd.h"

#include <errno.h>

static int check_pausable(const struct container *c, struct crun_error *err)
{
	switch (c->status) {
	case LIBCRUN_CREATED:
	case LIBCRUN_RUNNING:
		break;
	case LIBCRUN_PAUSED:
		return err_set(err, KIND_STATE, EALREADY,
			       "cannot pause container `%s`: it is paused already", c->dir.id);
	default:
		return container_not_running(c, err);
	}
	/* Who else is in there, and what for, we do not know; and nobody would thaw it for the next container. */
	if (c->record->cgroup_used_len)
		return err_set(
			err, CODE_CGROUP_NONE, EOPNOTSUPP,
			"cannot pause container `%s`: its cgroup `%s` was not made for it, so others may be "
			"in there as well; create the container with a linux.cgroupsPath that "
			"does not exist yet to be able to pause it",
			c->dir.id, c->record->cgroup_path);
	if (!c->record->cgroup_path || c->record->cgroup_created_len == 0)
		return err_set(err, CODE_CGROUP_NONE, EOPNOTSUPP,
			       "cannot pause container `%s`: it has no cgroup of its own",
			       c->dir.id);
	return 0;
}

/* The signal came when there was nothing to wait for: it has the same effect as a moment before. */
static int undo_if_cancelled(const struct container *c, struct cgroup *cg, struct crun_error *err)
{
	int r = deadline_check(&c->deadline);

	if (r != -ECANCELED)
		return 0;
	deadline_err(&c->deadline, r, err, "freezing cgroup `%s`", c->record->cgroup_path);
	if (cgroup_thaw(cg, ERR_IGNORED) < 0)
		err_and(err, "it is left frozen");
	return -err->errnum;
}

static int freeze(struct container *c, struct cgroup *cg, struct crun_error *err)
{
	int r;

	if (!cgroup_exists(cg))
		return err_set(err, KIND_STATE, ENOENT,
			       "cannot pause container `%s`: its cgroup `%s` is gone", c->dir.id,
			       c->record->cgroup_path);
	cgroup_set_deadline(cg, &c->deadline);
	r = cgroup_freeze(cg, err);
	if (r >= 0)
		r = undo_if_cancelled(c, cg, err);
	/* What ends meanwhile may take its cgroup along. */
	if (r < 0 && !sys_pidfd_has_ended(c->pidfd))
		return err_in(err, "pause container `%s`", c->dir.id);
	/* It ended meanwhile: nothing of it may stay behind frozen, for nobody would resume it. */
	if (sys_pidfd_has_ended(c->pidfd)) {
		close_fd(&c->pidfd);
		r = cgroup_thaw(cg, err);
		return r < 0 ? r : container_not_running(c, err);
	}
	return 0;
}

int libcrun_pause(const struct libcrun_context *ctx, const char *id, struct crun_error *err)
{
	_cleanup_container_ struct container c = CONTAINER_EMPTY;
	struct cgroup *cg = NULL;
	int r = container_open(ctx, id, &c, err);

	if (r < 0)
		return r;
	r = check_pausable(&c, err);
	if (r >= 0)
		r = container_interruptible(&c, err);
	if (r < 0)
		return r;
	r = cgroup_open(c.record, &cg, err);
	if (r < 0)
		return r;
	r = freeze(&c, cg, err);
	cgroup_free(cg);
	return r;
}

int libcrun_resume(const struct libcrun_context *ctx, const char *id, struct crun_error *err)
{
	_cleanup_container_ struct container c = CONTAINER_EMPTY;
	struct cgroup *cg = NULL;
	int r = container_open(ctx, id, &c, err);

	if (r >= 0)
		r = container_check_doubt(&c, err);
	if (r < 0)
		return r;
	if (c.status != LIBCRUN_PAUSED && c.status != LIBCRUN_STOPPED)
		return err_set(err, KIND_STATE, EINVAL,
			       "container not paused: container `%s` is %s", c.dir.id,
			       libcrun_status_name(c.status));
	r = cgroup_open(c.record, &cg, err);
	if (r < 0)
		return r;
	cgroup_set_deadline(cg, &c.deadline);
	/* Also what a container left behind that was killed while it was paused must not stay frozen. */
	r = cgroup_resume(cg, err);
	cgroup_free(cg);
	if (r < 0)
		return err_in(err, "resume container `%s`", c.dir.id);
	return c.status == LIBCRUN_STOPPED ? container_not_running(&c, err) : 0;
}
