// SPDX-License-Identifier: Apache-2.0
// The beginning of exec: the container is looked at, the process read and planned. Nothing is touched yet.
#include "host/exec.h"

#include "base/str.h"
#include "host/facts.h"
#include "plan/exec.h"

#include <errno.h>
#include <stdlib.h>

static int check_status(const struct exec *x, struct crun_error *err)
{
	const struct container *c = &x->c;

	switch (c->status) {
	case LIBCRUN_CREATED:
	case LIBCRUN_RUNNING:
		return 0;
	case LIBCRUN_PAUSED:
		if (x->opts->ignore_paused)
			return 0;
		return err_set(
			err, KIND_STATE, EBUSY,
			"cannot exec in a paused container: container `%s` is paused, the process "
			"would not run before `resume` (use --ignore-paused)",
			c->dir.id);
	default:
		return container_not_running(c, err);
	}
}

/*
 * `run` names its init in the record before that has made the container's file system: its lock tells when it has. Other commands hold the
 * lock too, for as long as it takes them to change what we look at.
 */
static int settle(struct exec *x, struct crun_error *err)
{
	int r;

	if (x->c.status != LIBCRUN_RUNNING || x->c.record->phase != OCI_RECORD_PHASE_RUNNING ||
	    !state_is_busy(&x->c.dir))
		return 0;
	r = container_lock(&x->c, err);
	if (r < 0)
		return r;
	state_unlock(&x->c.dir);
	return check_status(x, err);
}

static int check_terminal(const struct exec *x, struct crun_error *err)
{
	bool terminal = x->l.plan->process.terminal;

	if (terminal && x->opts->detach && !x->opts->console_socket) {
		err_set(err, CODE_TERMINAL_MISMATCH, EINVAL,
			"a detached process with a terminal needs somebody to hold it: use "
			"--console-socket");
		return err_at(err, "/process/terminal");
	}
	if (!terminal && x->opts->console_socket)
		return err_set(err, CODE_TERMINAL_MISMATCH, EINVAL,
			       "--console-socket is given, but the process has no terminal");
	return 0;
}

static int plan(struct exec *x, const struct oci_process *process, struct crun_error *err)
{
	const struct oci_record *rec = x->c.record;
	struct oci_config whole = *x->config;
	const struct plan_exec_options options = {
		.id = x->l.id,
		.bundle = rec->bundle,
		.joins = x->joins,
		.pidfd_socket = x->opts->pidfd_socket,
		.seccomp_receiver = getenv(SECCOMP_RECEIVER_ENV),
		.preserve_fds = x->opts->preserve_fds,
		.listen_fds = x->opts->listen_fds,
		.new_keyring = !rec->callers_keyring,
		.detach = x->opts->detach,
	};
	struct host_facts facts;
	int r;

	/* Labels are looked for where the process asks for some. */
	whole.process = (struct oci_process *)process;
	r = facts_gather(&whole, &facts, err);
	if (r < 0)
		return r;
	r = plan_exec(x->config, process, &facts, &options, &x->l.arena, &x->l.plan, err);
	if (r < 0)
		return r;
	x->l.plan->self_audit = x->l.ctx->self_audit;
	return 0;
}

int exec_load(struct exec *x, struct crun_error *err)
{
	struct oci_process *process;
	int r = container_open(x->l.ctx, x->l.id, &x->c, err);

	if (r < 0)
		return r;
	r = check_status(x, err);
	if (r >= 0)
		r = settle(x, err);
	if (r < 0)
		return r;
	r = state_read_config(&x->c.dir, &x->l.arena, &x->config, err);
	if (r < 0)
		return r;
	r = exec_read_process(x, &process, err);
	if (r >= 0)
		r = exec_find_namespaces(x, err);
	if (r >= 0)
		r = plan(x, process, err);
	return r < 0 ? r : check_terminal(x, err);
}
