// SPDX-License-Identifier: Apache-2.0
// To be preloaded: the n-th allocation of the runtime, or of the processes that it makes, fails; or the clock jumps. See README.md.
#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

void *__libc_malloc(size_t size);
void *__libc_calloc(size_t count, size_t size);
void *__libc_realloc(void *old, size_t size);
/* Where the address sanitizer has taken the place of the C library's, it is to see the calls behind us. */
__attribute__((weak)) void *__interceptor_malloc(size_t size);
__attribute__((weak)) void *__interceptor_calloc(size_t count, size_t size);
__attribute__((weak)) void *__interceptor_realloc(void *old, size_t size);

/* Shared through $FAULT_COUNTS, so that the counts of a process that was killed can be read. */
struct counts {
	uint64_t host, others, fired;
};

static struct counts *counts;
static long main_pid;
static uint64_t fail_host, fail_others;
static long clock_steps;

__attribute__((constructor)) static void begin(void)
{
	const char *path = getenv("FAULT_COUNTS"), *host = getenv("FAULT_HOST"),
		   *others = getenv("FAULT_OTHERS");
	const char *steps = getenv("FAULT_CLOCK"), *pid = getenv("FAULT_PID");
	char own[32];
	int fd = -1;
	void *area;

	clock_steps = steps ? strtol(steps, NULL, 10) : 0;
	main_pid = syscall(SYS_getpid);
	/* A program that the runtime starts is left alone, but not the copy of itself that it executes. */
	if (path && (!pid || strtol(pid, NULL, 10) == main_pid))
		fd = open(path, O_RDWR | O_CLOEXEC);
	if (fd < 0)
		return;
	area = mmap(NULL, sizeof(*counts), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	close(fd);
	if (area == MAP_FAILED)
		return;
	fail_host = host ? strtoull(host, NULL, 10) : 0;
	fail_others = others ? strtoull(others, NULL, 10) : 0;
	counts = area;
	snprintf(own, sizeof(own), "%ld", main_pid);
	setenv("FAULT_PID", own, 1);
}

static int fails_now(void)
{
	int is_host;
	uint64_t now;

	if (!counts)
		return 0;
	is_host = syscall(SYS_getpid) == main_pid;
	now = __atomic_add_fetch(is_host ? &counts->host : &counts->others, 1, __ATOMIC_RELAXED);
	if (now != (is_host ? fail_host : fail_others))
		return 0;
	counts->fired = 1;
	errno = ENOMEM;
	return 1;
}

static void *take(size_t size)
{
	if (fails_now())
		return NULL;
	return __interceptor_malloc ? __interceptor_malloc(size) : __libc_malloc(size);
}

static void *resize(void *old, size_t size)
{
	if (fails_now())
		return NULL;
	return __interceptor_realloc ? __interceptor_realloc(old, size) : __libc_realloc(old, size);
}

void *malloc(size_t size)
{
	return take(size);
}

void *calloc(size_t count, size_t size)
{
	if (fails_now())
		return NULL;
	return __interceptor_calloc ? __interceptor_calloc(count, size)
				    : __libc_calloc(count, size);
}

void *realloc(void *old, size_t size)
{
	return resize(old, size);
}

/* The sanitizer's own versions of these would allocate behind our back. */
static char *copy_of(const char *text, size_t len)
{
	char *copy = take(len + 1);

	if (!copy)
		return NULL;
	memcpy(copy, text, len);
	copy[len] = '\0';
	return copy;
}

char *strdup(const char *text)
{
	return copy_of(text, strlen(text));
}

char *strndup(const char *text, size_t size)
{
	return copy_of(text, strnlen(text, size));
}

void *reallocarray(void *old, size_t count, size_t size)
{
	size_t bytes;

	if (__builtin_mul_overflow(count, size, &bytes)) {
		errno = ENOMEM;
		return NULL;
	}
	return resize(old, bytes);
}

/* With every look the wall clock is ahead by $FAULT_CLOCK seconds, or behind by as much. */
int clock_gettime(clockid_t clock, struct timespec *ret)
{
	static unsigned looks;
	long r = syscall(SYS_clock_gettime, clock, ret);

	if (r == 0 && clock == CLOCK_REALTIME && clock_steps)
		ret->tv_sec += looks++ % 2 ? -clock_steps : clock_steps;
	return (int)r;
}
