// SPDX-License-Identifier: Apache-2.0
// Init's spans of time, in memory that it shares with the host side: see trace.h.
#include "sync/trace.h"

#include <errno.h>
#include <sys/mman.h>

struct trace_area *trace_area;

/* From the vDSO as a rule: no system call, also below a seccomp filter. */
static uint64_t read_clock(clockid_t clock)
{
	struct timespec now;

	clock_gettime(clock, &now);
	return (uint64_t)now.tv_sec * 1000000000U + (uint64_t)now.tv_nsec;
}

uint64_t trace_clock(void)
{
	return read_clock(CLOCK_MONOTONIC);
}

int trace_share(void)
{
	void *area = mmap(NULL, sizeof(*trace_area), PROT_READ | PROT_WRITE,
			  MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	if (area == MAP_FAILED)
		return -errno;
	trace_area = area;
	trace_area->clock = CLOCK_MONOTONIC;
	return 0;
}

void trace_unshare(void)
{
	if (trace_area)
		munmap(trace_area, sizeof(*trace_area));
	trace_area = NULL;
}

void trace_leave_clock(void)
{
	if (!trace_area)
		return;
	trace_area->shift = (int64_t)(trace_clock() - read_clock(CLOCK_REALTIME));
	trace_area->clock = CLOCK_REALTIME;
}

static uint64_t init_clock(void)
{
	return read_clock(trace_area->clock) + (uint64_t)trace_area->shift;
}

size_t trace_span_begin(uint32_t phase)
{
	size_t i = trace_area->len;

	if (i >= TRACE_SPANS_MAX)
		return TRACE_SPANS_MAX;
	trace_area->spans[i] = (struct trace_span){.begin = init_clock(), .phase = phase};
	trace_area->len++;
	return i;
}

void trace_span_end(size_t span, int result)
{
	if (span >= TRACE_SPANS_MAX)
		return;
	trace_area->spans[span].result = result;
	trace_area->spans[span].end = init_clock();
}
