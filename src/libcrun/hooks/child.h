/* SPDX-License-Identifier: Apache-2.0 */
/* One hook's process: started, watched, its last words kept. Knows nothing of stages. */
#pragma once

#include "base/error.h"
#include "sys/deadline.h"

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#define HOOK_TAIL 512 /* bytes of output that are kept */

struct hook_child {
	/* Set by the caller; fds are borrowed. */
	const char *path;
	int program_fd; /* of what is executed in the place of `path`, which is for messages then; or FD_NONE */
	const char *const *argv; /* NULL-terminated */
	const char *const *envp; /* NULL-terminated */
	const char *cwd;	 /* "/" is taken instead when it cannot be entered */
	int stdin_fd;
	int stdout_fd;			 /* FD_NONE: with stderr */
	int stderr_fd;			 /* FD_NONE: a pipe, whose tail is kept */
	int timeout;			 /* seconds, 0: none */
	const struct deadline *deadline; /* of the whole command, or NULL */
	bool dies_with_us; /* it is killed when the calling thread ends, however that comes about */

	/* Results. */
	bool timed_out;		  /* by `timeout` */
	int gave_up;		  /* what the deadline said: -ETIMEDOUT, -ECANCELED, or 0 */
	int exec_errno;		  /* positive: it was never executed */
	int status;		  /* wait status; defined unless exec_errno */
	char tail[HOOK_TAIL + 1]; /* the end of what went into the pipe, NUL-terminated */
	size_t tail_len;
};

/*
 * Runs the program and waits for its end, however it ends; kills its process group when it takes too long. Returns 0 with the results set, or a negative errno when it
 * could not be started or watched.
 */
int hook_child_run(struct hook_child *c, struct crun_error *err) CRUN_NODISCARD;

/* Writes the last line of c->tail that is not blank into BUF and returns BUF; empty when there is none. */
const char *hook_child_last_line(const struct hook_child *c, char *buf, size_t size);
