// SPDX-License-Identifier: Apache-2.0
// The self-audit's part about the seccomp filter, which is looked at by a thread that is not under it: see audit.h.
#include "init/last/audit.h"

#include "base/cleanup.h"
#include "base/log.h"
#include "init/seccomp_load.h"
#include "sys/futex.h"
#include "sys/io.h"
#include "sys/wall.h"

#include <errno.h>
#include <linux/seccomp.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* How often the second thread looks: the first one cannot be asked to wake anybody once it is under the filter. */
#define LOOK_US_FIRST 100
#define LOOK_US_MAX   10000

/* Longer than any line that is asked for. */
#define LINE_MAX_ 64

enum { LOADING, LOADED, FAILED };

static struct watch {
	struct channel *channel;
	struct wall wall; /* keeps the first thread from its execve */
	int status_fd;
	struct audit_filters before;
	uint32_t state; /* futex */
} watch;

/* The number behind KEY in TEXT, or -1: also while its line is not complete. */
static long number_of(const char *text, const char *key)
{
	const char *line = strstr(text, key);

	return line && strchr(line + 1, '\n') ? strtol(line + strlen(key), NULL, 10) : -1;
}

int audit_filters_read(int status_fd, struct audit_filters *ret)
{
	static char text[LINE_MAX_ + 4096 + 1];
	size_t kept = 0;
	off_t at = 0;

	*ret = (struct audit_filters){-1, -1};
	/* The line before these is as long as the list of groups. */
	for (;;) {
		ssize_t n = pread(status_fd, text + kept, sizeof(text) - 1 - kept, at);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (n == 0)
			return ret->mode < 0 ? -ENODATA : 0;
		at += n;
		text[kept + (size_t)n] = '\0';
		if (ret->mode < 0)
			ret->mode = number_of(text, "\nSeccomp:\t");
		if (ret->count < 0)
			ret->count = number_of(text, "\nSeccomp_filters:\t");
		kept += (size_t)n;
		if (kept > LINE_MAX_) {
			memmove(text, text + kept - LINE_MAX_, LINE_MAX_);
			kept = LINE_MAX_;
		}
	}
}

int audit_filters(const struct audit_filters *before, const struct audit_filters *now,
		  struct crun_error *err)
{
	if (now->mode != SECCOMP_MODE_FILTER)
		return err_set(err, CODE_SELF_AUDIT, EPERM,
			       "self-audit: the seccomp mode is %ld, not %d: no filter is in force",
			       now->mode, SECCOMP_MODE_FILTER);
	/* Linux 5.9 tells their number. One may have been there before, of whatever our caller runs in. */
	if (before->count >= 0 && now->count != before->count + 1)
		return err_set(err, CODE_SELF_AUDIT, EPERM,
			       "self-audit: %ld seccomp filters are in force, not %ld", now->count,
			       before->count + 1);
	return 0;
}

static uint32_t await_load(struct watch *w)
{
	int look_us = LOOK_US_FIRST;
	uint32_t state;

	while ((state = __atomic_load_n(&w->state, __ATOMIC_ACQUIRE)) == LOADING) {
		(void)sys_futex_wait(&w->state, LOADING, look_us);
		look_us = look_us * 2 < LOOK_US_MAX ? look_us * 2 : LOOK_US_MAX;
	}
	return state;
}

/* The second thread. It is not under the filter, and so may say what is wrong, and end the process. */
static void *look(void *arg)
{
	struct watch *w = arg;
	struct audit_filters now;
	struct crun_error err = {0};
	int r = 0;

	if (await_load(w) == LOADED) {
		r = audit_filters_read(w->status_fd, &now);
		r = r < 0 ? err_sys_code(&err, CODE_SELF_AUDIT, r,
					 "self-audit: read our own `status` in /proc")
			  : audit_filters(&w->before, &now, &err);
	}
	if (r < 0) {
		(void)channel_send_error(w->channel, &err);
		_exit(1);
	}
	/* Nothing of the audit is left when the payload's path is looked up. */
	close_fd(&w->status_fd);
	(void)sys_wall_open(&w->wall);
	return NULL;
}

static int begin(struct last *last, struct watch *w)
{
	int r;

	*w = (struct watch){.channel = last->channel, .state = LOADING};
	w->status_fd = take_fd(&last->status_fd);
	r = audit_filters_read(w->status_fd, &w->before);
	if (r >= 0)
		r = sys_wall_make(&w->wall);
	if (r >= 0) {
		r = sys_thread_start(look, w);
		if (r < 0)
			sys_wall_done(&w->wall);
	}
	if (r < 0)
		close_fd(&w->status_fd);
	return r;
}

int audit_load_filter(struct last *last, struct crun_error *err)
{
	int watched = begin(last, &watch), r;

	/* Before Linux 5.11, without room for a thread (pids.limit), or with SCHED_DEADLINE (sched(7)): then nobody can look. */
	if (watched < 0)
		log_debug("self-audit: the seccomp filter cannot be looked at: %s",
			  strerror(-watched));
	r = init_seccomp_load(last->seccomp, err);
	if (watched < 0)
		return r;
	__atomic_store_n(&watch.state, r < 0 ? FAILED : LOADED, __ATOMIC_RELEASE);
	/* No system call from here on: the profile need not allow any but execve. */
	sys_wall_wait(&watch.wall);
	return r;
}
