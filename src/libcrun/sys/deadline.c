// SPDX-License-Identifier: Apache-2.0
// Waiting with an end: see deadline.h.
#include "sys/deadline.h"

#include "base/cleanup.h"

#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/signalfd.h>
#include <time.h>

/* More descriptors than these nobody waits for at once. */
#define MAX_FDS 8

int64_t clock_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

struct deadline deadline_none(void)
{
	return (struct deadline){.at = DEADLINE_NEVER, .cancel_fd = FD_NONE};
}

struct deadline deadline_in(int64_t ms)
{
	if (ms < 0)
		return deadline_none();
	return (struct deadline){.at = clock_ms() + ms, .limit = ms, .cancel_fd = FD_NONE};
}

struct deadline deadline_or(const struct deadline *d, int64_t default_ms)
{
	struct deadline fresh;

	if (d && d->at >= 0)
		return *d;
	fresh = deadline_in(default_ms);
	if (d)
		fresh.cancel_fd = d->cancel_fd;
	return fresh;
}

struct deadline deadline_within(const struct deadline *d, int64_t ms)
{
	struct deadline fresh = deadline_in(ms);

	if (d && d->at >= 0 && (fresh.at < 0 || d->at < fresh.at))
		return *d;
	if (d)
		fresh.cancel_fd = d->cancel_fd;
	return fresh;
}

int deadline_left(const struct deadline *d)
{
	int64_t left;

	if (!d || d->at < 0)
		return -1;
	left = d->at - clock_ms();
	if (left <= 0)
		return 0;
	return left > INT_MAX ? INT_MAX : (int)left;
}

int deadline_poll(const struct deadline *d, struct pollfd *fds, unsigned n)
{
	struct pollfd all[MAX_FDS + 1];

	if (n > MAX_FDS)
		return -EINVAL;
	if (n)
		memcpy(all, fds, n * sizeof(*fds));
	/* poll(2) passes negative descriptors over. */
	all[n] = (struct pollfd){.fd = d ? d->cancel_fd : FD_NONE, .events = POLLIN};
	for (;;) {
		int left = deadline_left(d);
		int r = poll(all, n + 1, left);

		if (r < 0 && errno != EINTR)
			return -errno;
		if (r < 0)
			continue;
		if (n)
			memcpy(fds, all, n * sizeof(*fds));
		/* What has come about counts more than the wish that it be called off. */
		if (r > (all[n].revents != 0))
			return r - (all[n].revents != 0);
		if (all[n].revents)
			return -ECANCELED;
		if (left != INT_MAX)
			return -ETIMEDOUT;
	}
}

int deadline_check(const struct deadline *d)
{
	struct deadline now = {.at = 0, .cancel_fd = d ? d->cancel_fd : FD_NONE};
	int r = now.cancel_fd < 0 ? -ETIMEDOUT : deadline_poll(&now, NULL, 0);

	if (r != -ETIMEDOUT)
		return r;
	return deadline_left(d) == 0 ? -ETIMEDOUT : 0;
}

int deadline_wait_in(const struct deadline *d, int fd)
{
	struct pollfd p = {.fd = fd, .events = POLLIN};
	int r = deadline_poll(d, &p, 1);

	return r < 0 ? r : 0;
}

int deadline_pause(const struct deadline *d, int ms)
{
	struct deadline pause = deadline_within(d, ms);
	int r = deadline_poll(&pause, NULL, 0);

	if (r != -ETIMEDOUT)
		return r;
	return deadline_left(d) == 0 ? -ETIMEDOUT : 0;
}

/* The signal that waits at FD, taken from there; 0 when there is none. */
static int take_signal(int fd)
{
	struct signalfd_siginfo info;
	ssize_t n;

	do
		n = read(fd, &info, sizeof(info));
	while (n < 0 && errno == EINTR);
	return n == (ssize_t)sizeof(info) ? (int)info.ssi_signo : 0;
}

int deadline_err(const struct deadline *d, int r, struct crun_error *err, const char *fmt, ...)
{
	char what[sizeof(err->text)];
	va_list ap;
	int sig;

	va_start(ap, fmt);
	vsnprintf(what, sizeof(what), fmt, ap);
	va_end(ap);
	if (r == -ETIMEDOUT && d && d->at >= 0) {
		int64_t ms = d->limit;

		if (ms % 1000)
			return err_set(err, KIND_TIMEOUT, ETIMEDOUT,
				       "%s: not done after %" PRId64 ".%03d s", what, ms / 1000,
				       (int)(ms % 1000));
		return err_set(err, KIND_TIMEOUT, ETIMEDOUT, "%s: not done after %" PRId64 " s",
			       what, ms / 1000);
	}
	if (r != -ECANCELED || !d)
		return err_sys(err, r, "%s", what);
	sig = take_signal(d->cancel_fd);
	err_set(err, KIND_INTERRUPTED, EINTR, "%s: interrupted by signal %d", what, sig);
	err->signal = (uint16_t)sig;
	return -EINTR;
}
