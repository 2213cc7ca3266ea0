/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The foreground wait of `run` and `exec`: forward signals, reap, proxy the terminal, return the payload's status.
 * Domain: the runtime, single-threaded, after the container was made.
 */
#pragma once

#include "base/cleanup.h"
#include "base/error.h"

#include <signal.h>
#include <stdbool.h>
#include <sys/types.h>

/* What run_wait_prepare changed in this process. */
struct run_wait {
	int signal_fd;
	bool prepared;
	bool was_subreaper;
	sigset_t mask;
	struct sigaction chld;
};

#define RUN_WAIT_EMPTY               \
	{                            \
		.signal_fd = FD_NONE \
	}
#define _cleanup_run_wait_ _cleanup_(run_wait_done)

struct run_wait_args {
	pid_t pid;  /* the payload: our child */
	int pidfd;  /* of it; borrowed */
	int master; /* of its pseudo terminal: taken over, closed in any case; FD_NONE without one */
	struct notify *
		notify; /* the payload's socket, or NULL: what it says is passed on (host/notify.h) */
	bool console_size; /* the master has its window size from process.consoleSize */
};

/*
 * To be called before the payload is born, so that no signal falls between: from here on signals are kept for run_wait to
 * forward. Blocks all but SIGKILL, SIGSTOP, SIGTTIN, SIGTTOU and a SIGHUP that we were started to ignore (nohup); resets
 * SIGCHLD's action, because an inherited SIG_IGN would make the kernel reap for us; with SUBREAPER becomes the reaper of the
 * payload's orphans. Children inherit the mask: they must reset it (sys_reset_signals). *W must be RUN_WAIT_EMPTY; release it
 * with run_wait_done also on failure.
 */
int run_wait_prepare(struct run_wait *w, bool subreaper, struct crun_error *err) CRUN_NODISCARD;

/*
 * Waits until the payload has exited and what it wrote to its terminal was passed on. Nothing else is waited for: not the end
 * of our stdin, not other holders of the terminal or of pipes. Reaps all children. *ret_status is the payload's exit status, or
 * 128+N after signal N. Without a terminal our standard streams are not touched.
 *
 * Signals: SIGCHLD and SIGWINCH are for ourselves; SIGTSTP stops us (with the user's terminal restored meanwhile); all others
 * go to the payload. Once it is dead, SIGHUP, SIGINT, SIGQUIT and SIGTERM end the wait for a reader of its last output.
 */
int run_wait(struct run_wait *w, const struct run_wait_args *args, int *ret_status,
	     struct crun_error *err) CRUN_NODISCARD;

/* Instead of run_wait_done(), when this process ends anyway. */
void run_wait_forget(struct run_wait *w);

/* Undoes run_wait_prepare and forgets signals that are still pending: there is nobody left to send them to. */
void run_wait_done(struct run_wait *w);
