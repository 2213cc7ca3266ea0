/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Until when a command may wait. Whoever waits polls through this: every wait then ends in time, and when the user interrupts the
 * command. Milliseconds of CLOCK_MONOTONIC, which stands still while the machine sleeps.
 */
#pragma once

#include "base/error.h"

#include <poll.h>
#include <stdbool.h>
#include <stdint.h>

/* What a command that was given no time of its own (--timeout) allows for one wait. */
#define DEADLINE_PROCESS_MS 10000 /* the end of a process that was sent SIGKILL */
#define DEADLINE_INIT_MS \
	600000 /* init's next word, while it runs no hooks: remote file systems are slow */
#define DEADLINE_NEVER (-1)

/* All-zero is not valid: take deadline_in() or deadline_none(). */
struct deadline {
	int64_t at;    /* clock_ms() of the end, DEADLINE_NEVER: there is none */
	int64_t limit; /* how long that was when it was set, for the error */
	int cancel_fd; /* a signalfd: what comes there cancels the wait; or FD_NONE */
};

/* Milliseconds of CLOCK_MONOTONIC. */
int64_t clock_ms(void);

struct deadline deadline_none(void);

/* MS from now; 0 is over at once, DEADLINE_NEVER is deadline_none(). */
struct deadline deadline_in(int64_t ms);

/* D itself when it has an end, else DEFAULT_MS from now, with the same cancel_fd. NULL is a D without anything. */
struct deadline deadline_or(const struct deadline *d, int64_t default_ms);

/* The sooner of D and MS from now, with the same cancel_fd: for a wait that is to be cut short whatever the user allows. */
struct deadline deadline_within(const struct deadline *d, int64_t ms);

/* The timeout for poll(2): -1 without an end, 0 when it is over. */
int deadline_left(const struct deadline *d);

/*
 * poll(2) until the deadline, EINTR retried; N may be 0. D NULL: without an end. Returns the number of ready descriptors (> 0),
 * -ETIMEDOUT, -ECANCELED when a signal came by cancel_fd (which is not read) and no descriptor is ready, or another negative errno.
 */
int deadline_poll(const struct deadline *d, struct pollfd *fds, unsigned n);

/* Whether it is over, without waiting: 0, -ETIMEDOUT or -ECANCELED. For loops over something that is always ready. */
int deadline_check(const struct deadline *d);

/* Waits for FD to become readable or to hang up. Returns 0 or as deadline_poll. */
int deadline_wait_in(const struct deadline *d, int fd);

/* A pause of MS between two tries. Returns 0, or -ETIMEDOUT or -ECANCELED as soon as that is so. */
int deadline_pause(const struct deadline *d, int ms);

/*
 * Sets *err for what one of these returned, or any other negative errno; FMT names what was waited for, as "removing cgroup `x`".
 * -ETIMEDOUT: KIND_TIMEOUT, "FMT: not done after 5 s". -ECANCELED: reads the signal from cancel_fd into err->signal,
 * KIND_INTERRUPTED, EINTR, "FMT: interrupted by signal 2". Else err_sys. Returns -err->errnum.
 */
int deadline_err(const struct deadline *d, int r, struct crun_error *err, const char *fmt, ...)
	CRUN_PRINTF(4, 5);
