// SPDX-License-Identifier: Apache-2.0
// What only the host side may do to init: raise hard limits from outside its user namespace, and its OOM score.
#include "host/limits.h"

#include "base/log.h"
#include "sys/file.h"
#include "sys/io.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>

#define OWN_SCORE "/proc/self/oom_score_adj"

/*
 * Inside a user namespace nobody has the CAP_SYS_RESOURCE that raising a hard limit takes; init lowers the limits itself, late.
 */
static int raise_hard_limits(const struct launch_plan *plan, pid_t pid, struct crun_error *err)
{
	const struct plan_process *p = &plan->process;

	for (size_t i = 0; i < p->rlimits_len; i++) {
		const struct plan_rlimit *l = &p->rlimits[i];
		struct rlimit now;

		if (prlimit(pid, (__rlimit_resource_t)l->resource, NULL, &now) < 0)
			return err_sys_code(err, CODE_RLIMIT, -errno, "read %s of process %d",
					    l->name, pid);
		if (l->hard <= now.rlim_max)
			continue;
		now.rlim_max = l->hard;
		if (prlimit(pid, (__rlimit_resource_t)l->resource, &now, NULL) < 0) {
			err_sys_code(err, CODE_RLIMIT, -errno, "raise the hard limit %s to %llu",
				     l->name, (unsigned long long)l->hard);
			return err_at(err, "/process/rlimits/%zu/hard", i);
		}
	}
	return 0;
}

bool limits_lend_score(const struct launch_plan *plan, char was[OOM_SCORE_SIZE])
{
	char value[OOM_SCORE_SIZE];

	if (!plan->config->process->has_oom_score_adj || plan->facts.privileged ||
	    io_read_file_at(AT_FDCWD, OWN_SCORE, was, OOM_SCORE_SIZE) < 0)
		return false;
	snprintf(value, sizeof(value), "%d", plan->config->process->oom_score_adj);
	return strcmp(was, value) != 0 && io_write_file_at(AT_FDCWD, OWN_SCORE, value) >= 0;
}

void limits_take_score_back(const char *was)
{
	int r = io_write_file_at(AT_FDCWD, OWN_SCORE, was);

	if (r < 0)
		log_debug("our own OOM score is not %s again: %s", was, err_describe(-r));
}

static int set_oom_score(const struct launch_plan *plan, pid_t pid, struct crun_error *err)
{
	char path[64], value[16], now[16];
	int r;

	snprintf(path, sizeof(path), "/proc/%d/oom_score_adj", pid);
	snprintf(value, sizeof(value), "%d", plan->config->process->oom_score_adj);
	if (io_read_file_at(AT_FDCWD, path, now, sizeof(now)) >= 0 && strcmp(now, value) == 0)
		return 0;
	r = io_write_file_at(AT_FDCWD, path, value);
	if ((r == -EACCES || r == -EPERM) && plan->cgroup.unprivileged) {
		/* Lowering the score takes CAP_SYS_RESOURCE on the host; engines ask for it all the same. */
		log_warning("oomScoreAdj %s is left out: %s", value, err_describe(-r));
		return 0;
	}
	if (r < 0) {
		err_sys_code(err, CODE_OOM_SCORE, r, "set the OOM score adjustment to %s", value);
		return err_at(err, "/process/oomScoreAdj");
	}
	return 0;
}

int limits_apply(const struct launch_plan *plan, pid_t pid, struct crun_error *err)
{
	int r;

	if (plan_ns_is_own(plan, NS_USER) && plan->facts.privileged) {
		r = raise_hard_limits(plan, pid, err);
		if (r < 0)
			return r;
	}
	if (plan->config->process->has_oom_score_adj)
		return set_oom_score(plan, pid, err);
	return 0;
}
