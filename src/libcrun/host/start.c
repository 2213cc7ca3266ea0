// SPDX-License-Identifier: Apache-2.0
// crun start: lets the init process of a created container go on to the payload, and waits until it is there.
#include "host/verbs.h"

#include "base/log.h"
#include "host/notify.h"
#include "host/payload.h"
#include "host/trace.h"
#include "state/gate.h"
#include "sync/channel.h"
#include "sys/pidfd.h"

#include <errno.h>
#include <sys/socket.h>

static int check_created(const struct container *c, struct crun_error *err)
{
	switch (c->status) {
	case LIBCRUN_CREATED:
		return 0;
	case LIBCRUN_RUNNING:
		return err_set(err, KIND_STATE, EALREADY,
			       "cannot start an already running container: `%s` is running",
			       c->dir.id);
	default:
		return err_set(err, KIND_STATE, EINVAL,
			       "cannot start container `%s`: it is in the %s state, not created",
			       c->dir.id, libcrun_status_name(c->status));
	}
}

/*
 * A socket whose other end vanished before reading START is reset; after that its end looks like the execve. Only the first
 * can be told from a success, so it is.
 */
static int check_start_was_read(const struct channel *ch, struct crun_error *err)
{
	int error = 0;
	socklen_t len = sizeof(error);

	if (getsockopt(ch->fd, SOL_SOCKET, SO_ERROR, &error, &len) < 0)
		return err_sys(err, -errno, "getsockopt SO_ERROR");
	if (error)
		return err_set(err, CODE_CONTAINER_STOPPED, ESRCH,
			       "read from %s: it died before it was started", ch->peer);
	return 0;
}

/* config.md, "POSIX-platform Hooks": one without a timeout is waited for. Init runs those of startContainer. */
static struct deadline start_deadline(const struct container *c)
{
	bool no_hooks = c->record->has_start_container && !c->record->start_container;

	return deadline_or(&c->deadline, no_hooks ? DEADLINE_INIT_MS : DEADLINE_NEVER);
}

static int await_execve(const struct container *c, struct channel *ch, struct crun_error *err)
{
	struct deadline limit = start_deadline(c);
	int r = deadline_wait_in(&limit, ch->fd);

	if (r < 0) {
		deadline_err(&limit, r, err, "waiting for %s", ch->peer);
	} else {
		r = check_start_was_read(ch, err);
		if (r == 0)
			r = channel_expect_eof(ch, &limit, err);
	}
	trace_execve();
	return r;
}

/* Somebody who wants to know what init does from here on sends the memory along into which it writes that. */
static int send_start(struct channel *ch, pid_t init, struct crun_error *err)
{
	_cleanup_close_ int trace_fd = trace_area ? trace_lend() : FD_NONE;

	trace_birth(init);
	return channel_send(ch, MSG_START, trace_fd, err);
}

static int pass_gate(const struct container *c, struct channel *ch, struct crun_error *err)
{
	int r;

	/*
	 * First the name, then the message: should we be killed in between, init sees the end of the connection and gives up,
	 * while the other order could leave a running container that looks merely created, and is deleted without --force.
	 */
	r = gate_remove(&c->dir);
	if (r < 0)
		return err_sys(err, r, "remove the start gate of container `%s`", c->dir.id);
	r = send_start(ch, c->record->pid, err);
	if (r < 0)
		return r;
	r = TRACED("execve", await_execve(c, ch, err));
	return r < 0 ? r : payload_check_began(c->record->pid, err);
}

/*
 * Nobody can start it again, so who reads our error finds a stopped container and not one that is about to end, or a payload that works although
 * we gave it up. Init that has TOLD why ends by itself, and keeps its exit status.
 */
static void end_unstarted(struct container *c, bool told, struct crun_error *err)
{
	struct deadline limit = deadline_or(&c->deadline, DEADLINE_PROCESS_MS);
	struct crun_error why;

	if (c->pidfd < 0 || (told && sys_pidfd_wait(&limit, c->pidfd) == 0))
		return;
	if (!told && err->kind == KIND_TIMEOUT)
		err_in(err,
		       "start container `%s`: neither its startContainer hooks nor the execve of the "
		       "payload came to an end, it was killed",
		       c->dir.id);
	c->deadline = deadline_none();
	if (container_kill(c, &why) < 0)
		log_warning("%s", why.text);
}

static int start_init(struct container *c, struct crun_error *err)
{
	_cleanup_(channel_close) struct channel ch = {.fd = FD_NONE, .peer = "the init process"};
	int r;

	ch.fd = TRACED("gate", gate_connect(&c->dir, err));
	if (ch.fd < 0)
		return ch.fd;
	r = pass_gate(c, &ch, err);
	if (r < 0) {
		channel_close(&ch);
		end_unstarted(c, ch.heard_failure, err);
	}
	return r;
}

/* Our caller's service manager comes before the one that create was called by, which may not exist any more. */
static int listen_for_payload(const struct libcrun_context *ctx, const struct container *c,
			      struct notify *n, struct crun_error *err)
{
	if (!c->record->notify_socket)
		return 0;
	n->host = notify_is_address(ctx->notify_socket) ? ctx->notify_socket
							: c->record->notify_socket;
	if (!notify_is_address(n->host))
		return 0;
	n->main_pid = c->record->pid;
	return notify_listen(n, &c->dir, err);
}

/* The payload runs, and whoever supervises us is to hear when it is ready. One that never gets there is ended. */
static int await_ready(struct container *c, struct notify *n, struct crun_error *err)
{
	struct crun_error why;
	int r = notify_await(n, &c->deadline, c->pidfd, err);

	if (r >= 0 || err->kind != KIND_TIMEOUT)
		return r;
	c->deadline = deadline_none();
	if (container_kill(c, &why) < 0)
		log_warning("%s", why.text);
	return err_in(err, "start container `%s`: it was killed", c->dir.id);
}

int libcrun_start(const struct libcrun_context *ctx, const char *id, struct crun_error *err)
{
	_cleanup_container_ struct container c = CONTAINER_EMPTY;
	_cleanup_(notify_done) struct notify n = NOTIFY_EMPTY;
	int r = container_open(ctx, id, &c, err);

	if (r < 0)
		return r;
	/* Before the lock: a hook of the creation that calls start gets an answer instead of waiting for its own end. */
	r = check_created(&c, err);
	if (r < 0)
		return r;
	r = container_lock(&c, err);
	if (r < 0)
		return r;
	r = check_created(&c, err);
	if (r < 0)
		return r;
	r = listen_for_payload(ctx, &c, &n, err);
	if (r < 0)
		return r;
	r = start_init(&c, err);
	state_unlock(&c.dir);
	if (r < 0)
		return r;
	r = TRACED("poststart", container_poststart(&c, err));
	return r < 0 || n.fd < 0 ? r : await_ready(&c, &n, err);
}
