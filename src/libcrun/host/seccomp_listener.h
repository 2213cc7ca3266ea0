/* SPDX-License-Identifier: Apache-2.0 */
/* Handing the notification fd of a seccomp filter to its listener: config-linux.md, "The Container Process State". */
#pragma once

#include "base/error.h"
#include "hooks/oci_state_json.h"
#include "plan/seccomp.h"
#include "sys/deadline.h"

/*
 * Connects to PLAN's listener, early: one that is not there is better found before anything was made. Returns the socket, which the
 * caller closes after its one message; errors as console_socket_connect(), with the place in the configuration.
 */
int seccomp_listener_connect(const struct plan_seccomp *plan, const struct deadline *d,
			     struct crun_error *err) CRUN_NODISCARD;

/*
 * Sends the container process state with FD, which the caller keeps, as its "seccompFd". STATE is the container's; without a status it is
 * "creating". A document that fits is one sendmsg; what is left goes without the fd. The listener has to read
 * all of it within ten seconds, or less if DEADLINE says so: KIND_TIMEOUT. Returns 0 or a negative errno.
 */
int seccomp_listener_send(int sock, int fd, const struct hook_state *state, const char *metadata,
			  const struct deadline *deadline, struct crun_error *err) CRUN_NODISCARD;
