/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where the time of a command goes (--trace): spans of the host side, which together with those of init (sync/trace.h) are written to a file when
 * the command ends. Off, each costs one test of a pointer. See libcrun_trace_begin().
 */
#pragma once

#include "sync/trace.h"

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

/* NAME: static, of letters that JSON leaves as they are. UNDO: what takes back the step of that name. */
size_t trace_host_begin(const char *name, bool undo);
void trace_host_end(size_t span, int result);
void trace_host_birth(pid_t pid);
void trace_host_execve(void);

static inline size_t trace_begin(const char *name)
{
	return trace_area ? trace_host_begin(name, false) : 0;
}

static inline size_t trace_begin_undo(const char *name)
{
	return trace_area ? trace_host_begin(name, true) : 0;
}

static inline void trace_end(size_t span, int result)
{
	if (trace_area)
		trace_host_end(span, result);
}

/* Init is the process PID; 0 or less: it was not born yet. */
static inline void trace_birth(pid_t pid)
{
	if (trace_area && pid > 0)
		trace_host_birth(pid);
}

/* The host side has seen the end of init: its execve, or its death. What init began and did not end, ends here. */
static inline void trace_execve(void)
{
	if (trace_area)
		trace_host_execve();
}

/* The value of CALL, which is >= 0 or -errno, and a span of that name around it. */
#define TRACED(name, call)                          \
	({                                          \
		size_t traced_ = trace_begin(name); \
		int traced_r_ = (call);             \
		trace_end(traced_, traced_r_);      \
		traced_r_;                          \
	})
