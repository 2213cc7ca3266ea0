// SPDX-License-Identifier: Apache-2.0
// The end of creation: FILTER, READY, and the gate at which a created container waits for its start.
#include "init/last/phase.h"

#include "base/cleanup.h"
#include "base/log.h"
#include "sync/ladder.h"
#include "sync/trace.h"
#include "sys/deadline.h"
#include "sys/process.h"

#include <errno.h>
#include <sys/prctl.h>
#include <sys/socket.h>

int phase_filter(struct last *last, struct crun_error *err)
{
	return channel_expect(last->channel, MSG_FILTER, NULL, NULL, err);
}

int phase_ready(struct last *last, struct crun_error *err)
{
	int r;

	/* From here on the container is complete: the runtime may go, the payload does not die with it. */
	r = sys_prctl(PR_SET_PDEATHSIG, 0, 0);
	if (r < 0)
		return err_sys(err, r, "outlive the runtime: prctl");
	r = channel_send(last->channel, MSG_READY, last->console_fd, err);
	if (r < 0)
		return r;
	close_fd(&last->console_fd);
	/*
	 * The runtime of `create` reads nothing more. A line for the log that it leaves unread would turn its end of the channel into
	 * ECONNRESET, which comes before the SETTLED that it has sent (unix(7)).
	 */
	if (last->plan->gate)
		log_set_sink(NULL, NULL, LOG_LEVEL_ERROR);
	return 0;
}

int phase_settled(struct last *last, struct crun_error *err)
{
	return channel_expect(last->channel, MSG_SETTLED, NULL, NULL, err);
}

/* How often, in milliseconds, what the machine lacked is asked for again once somebody waits to be accepted. */
#define ACCEPT_PAUSE_MS 100

static bool is_lack(int r)
{
	return r == -EMFILE || r == -ENFILE || r == -ENOMEM || r == -ENOBUFS;
}

/*
 * accept(2) takes the new descriptor first and waits then, so that it may fail although nobody comes for hours. A created container must
 * not end for what the machine was short of meanwhile: without somebody to tell, `start` would only find it stopped.
 */
static int accept_start(int gate_fd)
{
	struct deadline forever = deadline_none();
	int r;

	for (;;) {
		r = accept4(gate_fd, NULL, NULL, SOCK_CLOEXEC);
		if (r >= 0)
			return r;
		r = -errno;
		if (r == -EINTR || r == -ECONNABORTED)
			continue;
		if (!is_lack(r))
			return r;
		r = deadline_wait_in(&forever, gate_fd);
		if (r >= 0)
			r = deadline_pause(&forever, ACCEPT_PAUSE_MS);
		if (r < 0)
			return r;
	}
}

int phase_gate(struct last *last, struct crun_error *err)
{
	int trace_fd = FD_NONE, fd, r;

	/* The runtime waits for the end of file to know that nobody holds its end any more. */
	channel_close(last->channel);
	fd = accept_start(last->gate_fd);
	if (fd < 0)
		return err_sys(err, fd, "wait for start");
	/* Whoever comes second finds nobody listening. */
	close_fd(&last->gate_fd);
	*last->channel = (struct channel){.fd = fd, .peer = "start"};
	r = channel_expect(last->channel, MSG_START, NULL, &trace_fd, err);
	if (trace_fd >= 0)
		trace_adopt(trace_fd);
	return r;
}
