// SPDX-License-Identifier: Apache-2.0
// futex(2) and threads: see futex.h.
#include "sys/futex.h"

#include "sys/ret.h"

#include <limits.h>
#include <linux/futex.h>
#include <pthread.h>
#include <signal.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

/* Our threads call a few functions; the C library's own part of a stack depends on its version. */
#define THREAD_STACK_SIZE (256 * 1024)

int sys_futex_wait(const uint32_t *word, uint32_t value, int timeout_us)
{
	struct timespec limit = {
		.tv_sec = timeout_us / 1000000,
		.tv_nsec = (long)(timeout_us % 1000000) * 1000,
	};

	return SYS_RET((int)syscall(SYS_futex, word, FUTEX_WAIT_PRIVATE, value,
				    timeout_us < 0 ? NULL : &limit, NULL, 0));
}

int sys_futex_wake(const uint32_t *word)
{
	return SYS_RET((int)syscall(SYS_futex, word, FUTEX_WAKE_PRIVATE, INT_MAX, NULL, NULL, 0));
}

pid_t sys_gettid(void)
{
	return (pid_t)syscall(SYS_gettid);
}

bool sys_thread_exists(pid_t tid)
{
	return syscall(SYS_tgkill, getpid(), tid, 0) == 0 || errno != ESRCH;
}

int sys_thread_start(void *(*fn)(void *), void *arg)
{
	pthread_attr_t attr;
	pthread_t thread;
	int r = pthread_attr_init(&attr);

	if (r)
		return -r;
	r = pthread_attr_setstacksize(&attr, THREAD_STACK_SIZE);
	if (r == 0)
		r = pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
	if (r == 0)
		r = pthread_create(&thread, &attr, fn, arg);
	pthread_attr_destroy(&attr);
	return -r;
}
