// SPDX-License-Identifier: Apache-2.0
// Init's spans of time, in memory that it shares with the host side: see trace.h.
#include "sync/trace.h"

#include "base/cleanup.h"
#include "sys/anon.h"
#include "sys/file.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

struct trace_area *trace_area;

/* What span 0 of the area is called outside: one that began in another area is none of this one. */
static size_t first_span = 1;

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

static int map_area(int fd)
{
	void *area = mmap(NULL, sizeof(*trace_area), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

	if (area == MAP_FAILED)
		return -errno;
	trace_unshare();
	trace_area = area;
	return 0;
}

int trace_lend(void)
{
	_cleanup_close_ int fd =
		sys_memfd_create("crun-trace", MFD_ALLOW_SEALING | MFD_NOEXEC_SEAL);
	int r = fd;

	if (r >= 0 && ftruncate(fd, sizeof(*trace_area)) < 0)
		r = -errno;
	/* Init is not to be killed by a page that is gone. */
	if (r >= 0)
		r = sys_add_seals(fd, F_SEAL_SHRINK);
	if (r >= 0)
		r = map_area(fd);
	if (r < 0)
		return r;
	/* Whatever its time namespace is: see trace_leave_clock(). */
	trace_leave_clock();
	return take_fd(&fd);
}

void trace_adopt(int fd)
{
	_cleanup_close_ int own = fd;
	int seals = sys_get_seals(own);
	struct stat st;

	if (seals < 0 || !(seals & F_SEAL_SHRINK) || sys_fstatat(own, "", &st) < 0 ||
	    st.st_size < (off_t)sizeof(*trace_area))
		return;
	if (map_area(own) == 0)
		first_span += TRACE_SPANS_MAX;
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
		return 0;
	trace_area->spans[i] = (struct trace_span){.begin = init_clock(), .phase = phase};
	trace_area->len++;
	return first_span + i;
}

void trace_span_end(size_t span, int result)
{
	if (span < first_span || span - first_span >= TRACE_SPANS_MAX)
		return;
	span -= first_span;
	trace_area->spans[span].result = result;
	trace_area->spans[span].end = init_clock();
}
