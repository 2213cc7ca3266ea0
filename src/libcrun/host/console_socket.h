/* SPDX-License-Identifier: Apache-2.0 */
/* Handing one descriptor to whoever listens on a socket: --console-socket and --pidfd-socket. Domain: the runtime. */
#pragma once

#include "base/error.h"
#include "sys/deadline.h"

/*
 * Connects to the listening AF_UNIX stream socket PATH, relative to the working directory or absolute, of any length that
 * open(2) takes. Returns the socket (close-on-exec), which the caller closes. Connect early: a listener that is not there is
 * better found before anything was made. A listener whose backlog stays full for ten seconds, or until D (or NULL), is KIND_TIMEOUT.
 */
int console_socket_connect(const char *path, const struct deadline *d,
			   struct crun_error *err) CRUN_NODISCARD;

/*
 * Sends FD, which the caller keeps, in one message with one byte of data: receivers take exactly one SCM_RIGHTS descriptor and
 * no reply is defined, so this never waits for anybody to read. -EPIPE when the listener is gone.
 */
int console_socket_send(int sock, int fd, struct crun_error *err) CRUN_NODISCARD;
