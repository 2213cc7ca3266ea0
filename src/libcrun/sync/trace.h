/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where the time of init goes (--trace): a page that init shares with the host side and writes its spans into, without a message. There is none
 * unless somebody asked, and then all of it costs one test of a pointer for each phase.
 *
 * The clock is CLOCK_MONOTONIC of the host side on both sides. Whatever init writes ends with its execve: the mapping is not inherited.
 */
#pragma once

#include "base/error.h"

#include <stddef.h>
#include <stdint.h>
#include <time.h>

/* More than init has phases, with those around them. */
#define TRACE_SPANS_MAX 80

struct trace_span {
	uint64_t begin, end; /* in nanoseconds; end 0: it had not come to its end */
	uint32_t phase;	     /* as init_phase_name() reads it */
	int32_t result;
};

/* Init's part is to be read like anything that comes from init: with care. */
struct trace_area {
	clockid_t clock; /* what init reads, */
	int64_t shift;	 /* and what it adds */
	uint32_t len;
	struct trace_span spans[TRACE_SPANS_MAX];
};

/* NULL: nobody wants to know. Set before init is born, which has a copy of the pointer. */
extern struct trace_area *trace_area;

/* Nanoseconds of CLOCK_MONOTONIC. */
uint64_t trace_clock(void);

/* Maps the area. Returns 0 or -errno. */
int trace_share(void) CRUN_NODISCARD;
void trace_unshare(void);

/*
 * For an init that is there already, and is told by a message: puts a new area in the place of ours, which the descriptor leads to that is
 * returned, or -errno. Init maps it with trace_adopt(), which closes FD; without success nothing is written.
 */
int trace_lend(void);
void trace_adopt(int fd);

/*
 * For an init that is about to enter a time namespace, where CLOCK_MONOTONIC says something else: from here on the time is read from
 * CLOCK_REALTIME, which is everywhere the same, and moved by what the two differ now.
 */
void trace_leave_clock(void);

/* The values are not 0, which stands for a span that nobody wants to know about. */
size_t trace_span_begin(uint32_t phase);
void trace_span_end(size_t span, int result);

/* Returns what trace_init_end() needs. */
static inline size_t trace_init_begin(uint32_t phase)
{
	return trace_area ? trace_span_begin(phase) : 0;
}

static inline void trace_init_end(size_t span, int result)
{
	if (trace_area)
		trace_span_end(span, result);
}
