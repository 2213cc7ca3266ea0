// SPDX-License-Identifier: Apache-2.0
// crun kill: a signal to the init process, or to all processes of a container. Takes no lock: it must reach a container whose start hangs.
#include "host/verbs.h"

#include "base/log.h"
#include "cgroup/cgroup.h"
#include "sys/io.h"
#include "sys/pidfd.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <unistd.h>

static bool is_denied(int r)
{
	return r == -EPERM || r == -EACCES;
}

/* The security label of a process, or "none". With several LSMs the plain file belongs to the first one (since 5.1). */
static const char *label_of(pid_t pid, char *buf, size_t size)
{
	static const char *const files[] = {"apparmor/current", "current"};
	char path[64], text[256];

	for (size_t i = 0; i < ARRAY_LEN(files); i++) {
		snprintf(path, sizeof(path), "/proc/%d/attr/%s", (int)pid, files[i]);
		if (io_read_file_at(AT_FDCWD, path, text, sizeof(text)) <= 0 || !text[0])
			continue;
		snprintf(buf, size, "`%s`", text);
		return buf;
	}
	return "none";
}

/* We are who made the container: that the kernel refuses us its processes is nearly always the work of an LSM's policy (moby#47749). */
static int explain_denial(const struct container *c, int r, struct crun_error *err)
{
	char ours[260], theirs[260];

	if (!is_denied(r) || c->pidfd < 0)
		return r;
	return err_in(err,
		      "signals to container `%s` are denied, perhaps by a security policy: the "
		      "label of crun is %s, that of process %d is %s",
		      c->dir.id, label_of(getpid(), ours, sizeof(ours)), (int)c->record->pid,
		      label_of(c->record->pid, theirs, sizeof(theirs)));
}

static int signal_init(const struct container *c, int sig, struct crun_error *err)
{
	int r;

	if (c->pidfd < 0)
		return container_not_running(c, err);
	r = sys_pidfd_send_signal(c->pidfd, sig);
	if (r == -ESRCH)
		return err_set(err, CODE_CONTAINER_STOPPED, ESRCH,
			       "container not running: container `%s` is stopped: no such process",
			       c->dir.id);
	if (r < 0)
		return err_sys_code(err, CODE_SIGNAL_REFUSED, r,
				    "send signal %d to process %d of container `%s`", sig,
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
	/* Init may have moved itself elsewhere, and it is the one that must not survive. */
	if (sig == SIGKILL && c->pidfd >= 0)
		sys_pidfd_send_signal(c->pidfd, SIGKILL);
	return r < 0 ? r : 0;
}

/* The kernel asks no LSM about a write to cgroup.kill; and what it ends with init would not outlive it either. */
static int kill_init(const struct container *c, struct cgroup *cg, struct crun_error *err)
{
	int r = signal_init(c, SIGKILL, err);

	if (!is_denied(r) || !owns_cgroup(c))
		return r;
	log_debug("%s: trying its cgroup instead", err->text);
	return cgroup_signal(cg, SIGKILL, err);
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
		r = sig == SIGKILL ? kill_init(c, cg, err) : signal_init(c, sig, err);
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
		return err_set(err, CODE_USAGE, EINVAL, "signal %d is not between 0 and 64",
			       signal);
	r = container_open(ctx, id, &c, err);
	if (r < 0)
		return r;
	if (!all && (signal != SIGKILL || c.pidfd < 0))
		return explain_denial(&c, signal_init(&c, signal, err), err);
	r = cgroup_open(c.record, &cg, err);
	/* What became of its cgroup is no reason to spare init. */
	if (r < 0)
		return all ? r : explain_denial(&c, signal_init(&c, signal, err), err);
	cgroup_set_deadline(cg, &c.deadline);
	r = explain_denial(&c, send_to_container(&c, cg, signal, all, err), err);
	cgroup_free(cg);
	return r;
}

/* CG may be NULL. */
static int kill_with_cgroup(struct container *c, struct cgroup *cg, struct crun_error *err)
{
	struct deadline limit;
	struct crun_error why;
	bool all_killed = false;
	int r;

	/* Init itself is killed through its pidfd: a failure here only delays the others until the cgroup is destroyed. */
	if (cg && owns_cgroup(c)) {
		all_killed = cgroup_signal(cg, SIGKILL, &why) >= 0;
		if (!all_killed)
			log_debug("kill container `%s`: %s", c->dir.id, why.text);
	}
	r = sys_pidfd_send_signal(c->pidfd, SIGKILL);
	if (r < 0 && r != -ESRCH && !(all_killed && is_denied(r))) {
		err_sys_code(err, CODE_SIGNAL_REFUSED, r, "kill process %d of container `%s`",
			     (int)c->record->pid, c->dir.id);
		return explain_denial(c, r, err);
	}
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
