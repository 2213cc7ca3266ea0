// SPDX-License-Identifier: Apache-2.0
// The sockets of our caller: connected before birth, given the terminal, the pidfd and the seccomp listener after it. See launch.h.
#include "host/launch.h"

#include "base/cleanup.h"
#include "host/console_socket.h"
#include "host/payload.h"
#include "host/sched.h"
#include "host/seccomp_listener.h"

int launch_connect_sockets(struct launch *l, const char *console, struct crun_error *err)
{
	if (console) {
		l->console_sock = console_socket_connect(console, &l->deadline, err);
		if (l->console_sock < 0)
			return l->console_sock;
	}
	if (l->plan->pidfd_receiver) {
		l->pidfd_sock = console_socket_connect(l->plan->pidfd_receiver, &l->deadline, err);
		if (l->pidfd_sock < 0)
			return l->pidfd_sock;
	}
	if (l->plan->sync_listener) {
		l->listener_sock = seccomp_listener_connect(&l->plan->seccomp, &l->deadline, err);
		if (l->listener_sock < 0)
			return l->listener_sock;
	}
	return 0;
}

/* Schedulers belong to threads, and RESET_ON_FORK takes them from a new one. */
static int schedule_payload(struct launch *l, struct crun_error *err)
{
	const struct plan_process *p = &l->plan->process;

	if (!p->spec->scheduler && !p->spec->io_priority)
		return 0;
	l->payload = payload_find_thread(l->pid, err);
	return l->payload < 0 ? l->payload : sched_apply(p, l->payload, err);
}

int launch_pass_listener(struct launch *l, const struct hook_state *state, struct crun_error *err)
{
	_cleanup_close_ int fd = FD_NONE;
	int r = launch_expect(l, MSG_LISTENER, &fd, err);

	if (r < 0)
		return r;
	r = seccomp_listener_send(l->listener_sock, fd, state, l->plan->seccomp.metadata,
				  &l->deadline, err);
	/* config-linux.md: one message per connection. */
	close_fd(&l->listener_sock);
	return r < 0 ? r : schedule_payload(l, err);
}

int launch_await_ready(struct launch *l, struct crun_error *err)
{
	int r = launch_expect(l, MSG_READY, &l->master, err);

	if (r < 0)
		return r;
	if (l->console_sock >= 0) {
		r = console_socket_send(l->console_sock, l->master, err);
		if (r < 0)
			return r;
		close_fd(&l->console_sock);
		close_fd(&l->master);
	}
	return l->pidfd_sock >= 0 ? console_socket_send(l->pidfd_sock, l->pidfd, err) : 0;
}
