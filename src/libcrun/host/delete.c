// SPDX-License-Identifier: Apache-2.0
// crun delete: the end of a container, whole or half-made. Repeatable: what is gone is fine, the state directory goes last.
#include "host/verbs.h"

#include "base/log.h"
#include "cgroup/cgroup.h"
#include "host/intelrdt.h"
#include "host/netdev_return.h"
#include "host/trace.h"

#include <errno.h>

/* Whether plain delete may go on: the container is stopped, or was never started. */
static int check_deletable(const struct container *c, struct crun_error *err)
{
	if (c->status == LIBCRUN_STOPPED || c->status == LIBCRUN_CREATED)
		return 0;
	if (c->status == LIBCRUN_CREATING && c->cut_off)
		return err_set(err, KIND_STATE, EBUSY,
			       "cannot delete container `%s`: its creation was cut off and its "
			       "process %d lives on; use --force",
			       c->dir.id, (int)c->record->pid);
	if (c->status == LIBCRUN_CREATING)
		return err_set(err, KIND_STATE, EBUSY,
			       "cannot delete container `%s`: it is being created", c->dir.id);
	return err_set(err, KIND_STATE, EBUSY,
		       "cannot delete container `%s` that is not stopped: it is %s", c->dir.id,
		       c->unborn ? "being started" : libcrun_status_name(c->status));
}

int container_undo(const struct oci_record *record, struct cgroup *cg, int net_fd,
		   struct crun_error *err)
{
	int r = cg ? TRACED("cgroup.remove", cgroup_destroy(cg, err)) : 0;

	if (r == 0)
		r = intelrdt_remove(record, err);
	if (r == 0)
		netdevs_return(record, net_fd);
	return r;
}

/*
 * Undoes everything that the record knows of, and removes the state directory last, so that it can be repeated after a failure.
 * The lock must be held and init be dead.
 */
static int destroy(struct container *c, bool force, struct crun_error *err)
{
	struct cgroup *cg = NULL;
	int r = 0;

	if (force && cgroup_is_off_limits(c->record))
		/* Not a warning, which nobody sees by default: something may run on that was meant to end. */
		log_message(LOG_LEVEL_ERROR,
			    "the record of container `%s` names cgroup `%s`, which is the root or "
			    "above this process and cannot be the container's: it is left alone",
			    c->dir.id, c->record->cgroup_path);
	else
		r = cgroup_open(c->record, &cg, err);
	if (r < 0)
		return r;
	if (cg)
		cgroup_set_deadline(cg, &c->deadline);
	r = container_undo(c->record, cg, c->net_fd, err);
	cgroup_free(cg);
	if (r < 0)
		return r;
	container_poststop(c);
	return TRACED("state.remove", state_remove(&c->dir, err));
}

int container_end(struct container *c, struct crun_error *err)
{
	if (c->pidfd >= 0 && c->net_fd < 0 && c->record->net_devices_len)
		c->net_fd = netdevs_hold(c->record->pid);
	return TRACED("kill", container_kill(c, err));
}

int container_remove(struct container *c, struct crun_error *err)
{
	int r = container_end(c, err);

	return r < 0 ? r : destroy(c, false, err);
}

static int delete_known(struct container *c, bool force, struct crun_error *err)
{
	int r = force ? 0 : check_deletable(c, err);

	if (r < 0)
		return r;
	r = container_end(c, err);
	if (r < 0)
		return r;
	return destroy(c, force, err);
}

/*
 * The record is missing or unreadable, WHY says it. Missing means that nothing had been made yet, for the intent is written
 * first; of a damaged one nobody knows what it named, so only --force gives that up.
 */
static int delete_unknown(struct container *c, bool force, const struct crun_error *why,
			  struct crun_error *err)
{
	int r;

	if (why->errnum != ENODATA && !force) {
		*err = *why;
		return -err->errnum;
	}
	r = state_lock(&c->dir, &c->deadline, err);
	if (r < 0)
		return r;
	/* It may have got its record while we waited. */
	r = container_load(c, err);
	if (r == 0)
		return delete_known(c, force, err);
	if (err->kind != KIND_STATE)
		return r;
	log_warning("%s", err->text);
	return state_remove(&c->dir, err);
}

static int delete_container(struct container *c, bool force, struct crun_error *err)
{
	int r = force ? 0 : check_deletable(c, err);

	if (r == 0 && !c->cut_off)
		state_mark(&c->dir, STATE_MARK_DELETING);
	/* Before the lock, as a creation under way holds it for as long as its hooks take. */
	if (r < 0)
		return r;
	/*
	 * An init process whose runtime was killed may hold a copy of the lock; and a start whose hook hangs holds it for as long
	 * as init lives.
	 */
	if ((force || c->cut_off) && c->pidfd >= 0) {
		r = container_end(c, err);
		if (r < 0)
			return r;
	}
	r = container_lock(c, err);
	if (r < 0)
		return r;
	return delete_known(c, force, err);
}

int libcrun_delete(const struct libcrun_context *ctx, const char *id, bool force,
		   struct crun_error *err)
{
	_cleanup_container_ struct container c = CONTAINER_EMPTY;
	struct crun_error why;
	int r = container_open(ctx, id, &c, &why);

	if (r == 0)
		r = delete_container(&c, force, err);
	else if (c.dir.fd >= 0 && why.kind == KIND_STATE)
		r = delete_unknown(&c, force, &why, err);
	else
		*err = why;
	/* Engines delete twice, and whoever loses the race has what it wanted. */
	if (r < 0 && force && err->kind == KIND_NOT_FOUND)
		return 0;
	return r;
}
