/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The proxied terminal of a foreground command: bytes go both ways between our standard streams and the master of the
 * container's pseudo terminal. Domain: the runtime. Nothing here waits: the caller polls (see run_wait.c).
 */
#pragma once

#include "base/cleanup.h"
#include "base/error.h"

#include <poll.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/ioctl.h>
#include <termios.h>

/* How many entries terminal_poll fills. */
#define TERMINAL_POLLFDS 3

/* Bytes under way in one direction. */
struct terminal_bytes {
	size_t start, len;
	char data[16384];
};

/* One of our own streams. */
struct terminal_stream {
	int fd;	    /* FD_NONE: it was closed when we were started, or it has ended */
	bool owned; /* fd is a description of our own, to be closed */
	bool is_tty;
	bool socket;
	bool nonblock; /* it may be tried without asking poll(2) first */
};

struct terminal {
	bool begun;		 /* terminal_done has something to do */
	int master;		 /* FD_NONE once it was hung up */
	int edges;		 /* epoll instance with the master, edge-triggered */
	bool readable, writable; /* the master, as far as we know */
	bool ended;	  /* the payload has exited: only what is left in the master counts */
	size_t left_over; /* bytes read since then */

	struct terminal_stream in, out;
	bool try_in;	    /* `in` has not been tried yet */
	bool in_ended;	    /* end of file, and it was not a terminal */
	bool line_start;    /* of what was sent to the payload */
	unsigned eof_told;  /* how often the payload was told the end of the input */
	bool eof_canonical; /* the mode in which it was told last */

	int tty; /* the user's terminal (borrowed): where the window size comes from; or FD_NONE */
	struct winsize size;  /* of tty, as last seen */
	int raw_fd;	      /* stdin (borrowed) if it is a terminal, else FD_NONE */
	bool raw;	      /* its modes are changed now */
	struct termios saved; /* its modes before */

	struct terminal_bytes input, output;
};

/*
 * Begins: puts STDIO[0] into raw mode if it is a terminal (stopping first, like any program, while we are a background job of
 * it), copies the window size of the first terminal among STDIO (three descriptors, borrowed) to MASTER unless SIZE_GIVEN says
 * that it has its size from the configuration. Takes MASTER over, also on failure. Release T with terminal_done in any case.
 */
int terminal_begin(struct terminal *t, int master, const int stdio[3], bool size_given,
		   struct crun_error *err) CRUN_NODISCARD;

/* Fills what to wait for and returns poll(2)'s timeout: 0 when there is work already, else -1. */
int terminal_poll(const struct terminal *t, struct pollfd fds[TERMINAL_POLLFDS]);

/* Moves what can be moved now; FDS is what poll(2) made of the entries. Never waits. */
void terminal_step(struct terminal *t, const struct pollfd fds[TERMINAL_POLLFDS]);

/* The payload has exited: input is of no use any more, what the master still holds is. */
void terminal_payload_ended(struct terminal *t);

/*
 * After terminal_payload_ended: true when all output of the payload was written. What a process that survives the payload
 * goes on writing to the terminal is not waited for.
 */
bool terminal_drained(const struct terminal *t);

/* Gives up on output that nobody reads. */
void terminal_abandon(struct terminal *t);

/* The user's window may have changed its size: tells the payload if it has. */
void terminal_resize(struct terminal *t);

/* Around a stop: the user's terminal gets its modes back, and loses them again. */
void terminal_suspend(struct terminal *t);
void terminal_resume(struct terminal *t);

/* Restores the user's terminal, closes the master. Accepts an all-zero or a finished T. */
void terminal_done(struct terminal *t);

#define _cleanup_terminal_ _cleanup_(terminal_done)
