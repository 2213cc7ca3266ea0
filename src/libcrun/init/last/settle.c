// SPDX-License-Identifier: Apache-2.0
// What the payload inherits besides its identity: signals, umask, file descriptors and their number.
#include "init/last/phase.h"

#include "init/fds.h"
#include "sync/channel.h"
#include "sys/file.h"
#include "sys/process.h"

#include <errno.h>
#include <sys/resource.h>
#include <sys/stat.h>

int phase_signals(struct last *last, struct crun_error *err)
{
	(void)err;
	/* Callers start us with SIGPIPE ignored and signals blocked (conmon does); execve would keep both. */
	sys_reset_signals();
	umask(last->plan->process.umask);
	return 0;
}

int phase_limits(struct last *last, struct crun_error *err)
{
	const struct plan_process *p = &last->plan->process;

	for (size_t i = 0; i < p->rlimits_len; i++) {
		const struct plan_rlimit *l = &p->rlimits[i];
		const struct rlimit value = {.rlim_cur = l->soft, .rlim_max = l->hard};

		if (!init_limit_is_late(l->resource) ||
		    setrlimit((__rlimit_resource_t)l->resource, &value) == 0)
			continue;
		err_sys(err, -errno, "set %s to %llu (hard limit %llu)", l->name,
			(unsigned long long)l->soft, (unsigned long long)l->hard);
		return err_at(err, "/process/rlimits/%zu", i);
	}
	return 0;
}

int phase_fds(struct last *last, struct crun_error *err)
{
	unsigned first = 3 + last->plan->process.preserve_fds;
	struct fd_set_list keep = {0};
	int r;

	fds_keep(&keep, last->channel->fd);
	fds_keep(&keep, last->gate_fd);
	fds_keep(&keep, last->console_fd);
	fds_keep(&keep, last->label_fd);
	fds_keep(&keep, last->status_fd);
	r = fds_close_others(&keep, first);
	fds_done(&keep);
	if (r < 0)
		return err_sys(err, r, "close file descriptors from %u on", first);
	return 0;
}
