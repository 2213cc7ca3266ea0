/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The payload's thread, for filters with a listener. config-linux.md has the listener told while the container is being created, so the
 * filter must be loaded then; but init has to wait for its start, run hooks and talk to the runtime after that, and no profile is written
 * for what init does. So a second thread of init loads the filter, for itself alone (no TSYNC): the first one stays free of it, hands the
 * notification fd out, and does everything else. When all is done it tells the second one to execute the payload: execve makes the thread
 * that calls it the whole process, with the process's pid.
 *
 * Of the payload's filter this asks for futex and execve, and even if it refuses futex it works (the thread then yields in a loop).
 */
#pragma once

#include "base/error.h"
#include "init/context.h"

struct filtered;

/*
 * Starts the thread and waits until it has loaded LAST's filter. Returns the notification fd (close-on-exec, the caller's), with
 * *ret for filtered_execve(); or a negative errno. *RET is released by execve or exit.
 */
int filtered_start(const struct last *last, struct filtered **ret,
		   struct crun_error *err) CRUN_NODISCARD;

/*
 * Has the thread execute the payload. Returns only if it could not: the POSITIVE errno of execve, for the caller to explain; or -EPIPE, with
 * *err set, when the filter killed the thread.
 */
int filtered_execve(struct filtered *f, const struct last *last,
		    struct crun_error *err) CRUN_NODISCARD;

/* Whether FD is one of those with which it waits; they are close-on-exec. */
bool filtered_holds(const struct filtered *f, int fd);
