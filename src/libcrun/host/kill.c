// SPDX-License-Identifier: Apache-2.0
// crun kill: a signal to the init process, or to all processes of a container. Takes no lock: it must reach a container whose start hangs.
#include "host/verbs.h"

#include "base/log.h"
#include "cgroup/cgroup.h"
#include "sys/pidfd.h"

#include <errno.h>
#include <signal.h>

static int signal_init(const struct container *c, int sig, struct crun_error *err)
{
	int r;

	if (c->pidfd < 0)
		return container_not_running(c, err);
	r = sys_pidfd_send_signal(c->pidfd, sig);
	if (r == -ESRCH)
		return err_set(err, KIND_STATE, ESRCH,
			       "container not running: container `%s` is stopped: no such process",
			       c->dir.id);
	if (r < 0)
		return err_sys(err, r, "send signal %d to process %d of container `%s`", sig,
			       (int)c->record->pid, c->dir.id);
	return 0;
}

/* Without a cgroup of its own only init is known to belong to the container. */
static bool owns_cgroup(const struct container *c)
{
	return c->record->cgroup_created_len > 0;
}

static int signal_all(const struct container *c, struct cgroup *cg, int sig, struct crun_error *err)
{
	int r;

	if (!owns_cgroup(c))
		return c->pidfd >= 0 ? signal_init(c, sig, err) : 0;
	/* While init lives its cgroup cannot be another's. */
	r = c->pidfd >= 0 ? 1 : cgroup_is_ours(cg, err);
	if (r > 0)
		r = cgroup_signal(cg, sig, err);
	if (r < 0)
		return r;
	/* Init may have moved itself elsewhere, and it is the one that must not survive. */
	if (sig == SIGKILL && c->pidfd >= 0)
		sys_pidfd_send_signal(c->pidfd, SIGKILL);
	return 0;
}

static int send_to_container(const struct container *c, struct cgroup *cg, int sig, bool all,
			     struct crun_error *err)
{
	int r;

	if (all) {
		r = signal_all(c, cg, sig, err);
	} else if (c->pidfd < 0) {
		r = container_not_running(c, err);
	} else if (sig == SIGKILL && !c->record->has_private_pid && owns_cgroup(c)) {
		/* Nobody else would end the rest: the kernel does that only with a pid namespace. */
		r = signal_all(c, cg, sig, err);
	} else {
		r = signal_init(c, sig, err);
	}
	if (r < 0)
		return r;
	/* Also one that runs as far as we know: the payload may have frozen a cgroup below its own with init in it. */
	return sig == SIGKILL ? cgroup_thaw_to_die(cg, err) : 0;
}

int libcrun_kill(const struct libcrun_context *ctx, const char *id, int signal, bool all,
		 struct crun_error *err)
{
	_cleanup_container_ struct container c = CONTAINER_EMPTY;
	struct cgroup *cg = NULL;
	int r;

	if (signal < 0 || signal > 64)
		return err_set(err, KIND_SPEC, EINVAL, "signal %d is not between 0 and 64", signal);
	r = container_open(ctx, id, &c, err);
	if (r < 0)
		return r;
	if (!all && (signal != SIGKILL || c.pidfd < 0))
		return signal_init(&c, signal, err);
	r = cgroup_open(c.record, &cg, err);
	/* What became of its cgroup is no reason to spare init. */
	if (r < 0)
		return all ? r : signal_init(&c, signal, err);
	cgroup_set_deadline(cg, &c.deadline);
	r = send_to_container(&c, cg, signal, all, err);
	cgroup_free(cg);
	return r;
}

/* CG may be NULL. */
static int kill_with_cgroup(struct container *c, struct cgroup *cg, struct crun_error *err)
{
	struct deadline limit;
	struct crun_error why;
	int r;

	/* Init itself is killed through its pidfd: a failure here only delays the others until the cgroup is destroyed. */
	if (cg && owns_cgroup(c) && cgroup_signal(cg, SIGKILL, &why) < 0)
		log_debug("kill container `%s`: %s", c->dir.id, why.text);
	r = sys_pidfd_send_signal(c->pidfd, SIGKILL);
	if (r < 0 && r != -ESRCH)
		return err_sys(err, r, "kill process %d of container `%s`", (int)c->record->pid,
			       c->dir.id);
	if (cg && cgroup_thaw_to_die(cg, &why) < 0)
		log_debug("kill container `%s`: %s", c->dir.id, why.text);
	limit = deadline_or(&c->deadline, DEADLINE_PROCESS_MS);
	r = sys_pidfd_wait(&limit, c->pidfd);
	if (r < 0)
		return deadline_err(
			&limit, r, err,
			"waiting for the end of process %d of container `%s`, which was sent "
			"SIGKILL",
			(int)c->record->pid, c->dir.id);
	close_fd(&c->pidfd);
	return 0;
}

int container_kill(struct container *c, struct crun_error *err)
{
	struct cgroup *cg = NULL;
	struct crun_error why;
	int r;

	if (c->pidfd < 0)
		return 0;
	if (cgroup_open(c->record, &cg, &why) < 0)
		log_debug("kill container `%s`: %s", c->dir.id, why.text);
	r = kill_with_cgroup(c, cg, err);
	if (cg)
		cgroup_free(cg);
	return r;
}
