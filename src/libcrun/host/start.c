// SPDX-License-Identifier: Apache-2.0
// crun start: lets the init process of a created container go on to the payload, and waits until it is there.
#include "host/verbs.h"

#include "host/payload.h"
#include "state/gate.h"
#include "sync/channel.h"
#include "sys/process.h"

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
	int r = sys_poll_in(ch->fd, -1);

	if (r < 0)
		return err_sys(err, r, "wait for %s", ch->peer);
	if (getsockopt(ch->fd, SOL_SOCKET, SO_ERROR, &error, &len) < 0)
		return err_sys(err, -errno, "getsockopt SO_ERROR");
	if (error)
		return err_set(err, KIND_STATE, ESRCH,
			       "read from %s: it died before it was started", ch->peer);
	return 0;
}

static int open_gate(const struct container *c, struct crun_error *err)
{
	_cleanup_(channel_close) struct channel ch = {.fd = FD_NONE, .peer = "the init process"};
	int r;

	ch.fd = gate_connect(&c->dir, err);
	if (ch.fd < 0)
		return ch.fd;
	/*
	 * First the name, then the message: should we be killed in between, init sees the end of the connection and gives up,
	 * while the other order could leave a running container that looks merely created, and is deleted without --force.
	 */
	r = gate_remove(&c->dir);
	if (r < 0)
		return err_sys(err, r, "remove the start gate of container `%s`", c->dir.id);
	r = channel_send(&ch, MSG_START, FD_NONE, err);
	if (r < 0)
		return r;
	r = check_start_was_read(&ch, err);
	if (r < 0)
		return r;
	r = channel_expect_eof(&ch, err);
	if (r < 0)
		return r;
	return payload_check_began(c->record->pid, err);
}

int libcrun_start(const struct libcrun_context *ctx, const char *id, struct crun_error *err)
{
	_cleanup_container_ struct container c = CONTAINER_EMPTY;
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
	r = open_gate(&c, err);
	state_unlock(&c.dir);
	if (r < 0)
		return r;
	return container_poststart(&c, err);
}
