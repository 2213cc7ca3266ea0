/* SPDX-License-Identifier: Apache-2.0 */
/* Whether init became the payload, or died on the way without a word; and which of its threads is to become it. */
#pragma once

#include "base/error.h"

#include <stdbool.h>
#include <sys/types.h>

/*
 * To be asked after the end of file on init's channel, which is its execve or its death: a seccomp filter can take from init all means
 * to say what happened. PID: the init process, as we see it. Returns 0, or -EPIPE with "read from the init process" (which Podman looks
 * for) when it died before the payload.
 */
int payload_check_began(pid_t pid, struct crun_error *err) CRUN_NODISCARD;

/* The same as a question. True from the moment in which it cannot say a word any more, although it may not be a zombie yet. */
bool payload_died_before(pid_t pid);

/*
 * The second thread of init, which becomes the payload when a seccomp filter has a listener (init/last/filtered.h). Returns its number as
 * we see it, or a negative errno.
 */
pid_t payload_find_thread(pid_t pid, struct crun_error *err) CRUN_NODISCARD;
