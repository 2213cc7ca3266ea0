/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Readiness of a payload in a service, sd_notify(3): it gets a socket of its own below PLAN_NOTIFY_DIR, and what it may say to a service
 * manager is passed on to the one in our $NOTIFY_SOCKET. Domain: the runtime on the host.
 */
#pragma once

#include "state/store.h"

#include <stdbool.h>
#include <sys/types.h>

struct notify {
	int fd;		  /* the payload's socket, bound in the state directory; or FD_NONE */
	const char *host; /* where the service manager listens, as in $NOTIFY_SOCKET; borrowed */
	pid_t main_pid; /* told to it as its main process, together with READY=1; 0: we stay, and are that ourselves */
	bool ready; /* READY=1 was passed on */
};

#define NOTIFY_EMPTY           \
	{                      \
		.fd = FD_NONE, \
	}

/* Whether TEXT, or NULL, is an address to send to: an absolute path, or '@' and a name, that a socket address can hold. */
bool notify_is_address(const char *text);

/* Makes the directory that is mounted in the container. */
int notify_make_dir(const struct state_dir *dir, struct crun_error *err) CRUN_NODISCARD;

/* Binds the socket in it: n->fd. To be called before the payload starts. */
int notify_listen(struct notify *n, const struct state_dir *dir,
		  struct crun_error *err) CRUN_NODISCARD;

/*
 * Passes on what the payload has sent until now: of its lines only those that say how it is, for others would have the manager do things with
 * its service (MAINPID=, FDSTORE=1, ...). A manager that cannot be reached is a warning.
 */
void notify_pass(struct notify *n);

/*
 * Waits until the payload said READY=1, or its process (PIDFD) has ended; both are a success. KIND_TIMEOUT and KIND_INTERRUPTED as D
 * has it. Returns after the manager has taken note, as far as that can be known: a sender that is gone is not known to be the service's.
 */
int notify_await(struct notify *n, const struct deadline *d, int pidfd,
		 struct crun_error *err) CRUN_NODISCARD;

void notify_done(struct notify *n);
