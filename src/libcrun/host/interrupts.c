// SPDX-License-Identifier: Apache-2.0
// Signals that call a command off: see interrupts.h.
#include "host/interrupts.h"

#include "base/cleanup.h"

#include <errno.h>
#include <sys/signalfd.h>

int interrupts_begin(struct interrupts *in, const sigset_t *callers, struct crun_error *err)
{
	static const int signals[] = {SIGHUP, SIGINT, SIGTERM};
	sigset_t set;
	bool any = false;

	*in = (struct interrupts){.fd = FD_NONE};
	if (!callers && sigprocmask(SIG_BLOCK, NULL, &in->mask) < 0)
		return err_sys(err, -errno, "sigprocmask");
	sigemptyset(&set);
	for (size_t i = 0; i < ARRAY_LEN(signals); i++) {
		struct sigaction action;

		/* A blocked signal is kept even if it is ignored: it would interrupt us after all. */
		if (sigaction(signals[i], NULL, &action) < 0 || action.sa_handler == SIG_IGN ||
		    sigismember(callers ? callers : &in->mask, signals[i]))
			continue;
		sigaddset(&set, signals[i]);
		any = true;
	}
	if (!any)
		return 0;
	in->fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	if (in->fd < 0) {
		int r = -errno;

		in->fd = FD_NONE;
		return err_sys(err, r, "signalfd");
	}
	/* Who knows the caller's mask has blocked them. */
	if (callers)
		return 0;
	if (sigprocmask(SIG_BLOCK, &set, NULL) < 0)
		return err_sys(err, -errno, "sigprocmask");
	in->blocked = true;
	return 0;
}

void interrupts_end(struct interrupts *in)
{
	close_fd(&in->fd);
	if (in->blocked)
		sigprocmask(SIG_SETMASK, &in->mask, NULL);
	in->blocked = false;
}
