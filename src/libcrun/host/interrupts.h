/* SPDX-License-Identifier: Apache-2.0 */
/*
 * SIGHUP, SIGINT and SIGTERM while a container is made, updated or paused: they do not kill us half-way, but end whatever is being waited
 * for (sys/deadline.h), and what was done is undone. SIGQUIT still ends us at once, for the case that a file system does not answer.
 * Domain: the runtime, single-threaded.
 */
#pragma once

#include "base/error.h"

#include <signal.h>
#include <stdbool.h>

struct interrupts {
	int fd; /* a signalfd, for struct deadline's cancel_fd; or FD_NONE */
	sigset_t mask;
	bool blocked;
};

/*
 * Blocks those of the signals that the caller of this process left us: neither ignored (nohup, a shell's background job) nor in CALLERS,
 * the mask that we were started with; NULL: the present one. Children inherit the mask and must reset it. *IN need not be initialised;
 * release it also on failure.
 */
int interrupts_begin(struct interrupts *in, const sigset_t *callers,
		     struct crun_error *err) CRUN_NODISCARD;

/* Restores the mask: a signal that came and was not read takes its effect now. Can be called twice. */
void interrupts_end(struct interrupts *in);
