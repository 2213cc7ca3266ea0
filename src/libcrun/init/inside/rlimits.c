// SPDX-License-Identifier: Apache-2.0
// process.rlimits, late: a low limit must not get in the way of setting the container up.
#include "init/inside/phase.h"

#include <errno.h>
#include <sys/resource.h>

/* host/sources.c may have raised the soft limit to have room for its own descriptors; the payload gets the caller's. */
static int restore_nofile(const struct launch_plan *plan, struct crun_error *err)
{
	uint64_t soft = plan->facts.nofile;
	struct rlimit now;

	if (!plan_raises_nofile(plan) || getrlimit(RLIMIT_NOFILE, &now) < 0 || now.rlim_cur == soft)
		return 0;
	now.rlim_cur = soft;
	if (setrlimit(RLIMIT_NOFILE, &now) < 0)
		return err_sys(err, -errno, "set RLIMIT_NOFILE to %llu", (unsigned long long)soft);
	return 0;
}

bool init_limit_is_late(int resource)
{
	return resource == RLIMIT_NOFILE || resource == RLIMIT_NPROC || resource == RLIMIT_AS ||
	       resource == RLIMIT_DATA;
}

/*
 * Raised now, while we may: `limits` of init/last lowers it. A few descriptors would not be enough to find the payload and to accept
 * its start; a few processes or little memory not for hooks and for the thread that a seccomp listener takes. False: there is nothing to
 * be raised.
 */
static bool put_off_lowering(const struct plan_rlimit *l, struct rlimit *value)
{
	struct rlimit now;

	if (!init_limit_is_late(l->resource) ||
	    getrlimit((__rlimit_resource_t)l->resource, &now) < 0)
		return true;
	if (value->rlim_cur < now.rlim_cur)
		value->rlim_cur = now.rlim_cur;
	if (value->rlim_max < now.rlim_max)
		value->rlim_max = now.rlim_max;
	return value->rlim_cur != now.rlim_cur || value->rlim_max != now.rlim_max;
}

int phase_rlimits(struct inside *in, struct crun_error *err)
{
	const struct plan_process *p = &in->plan->process;
	int r = restore_nofile(in->plan, err);

	if (r < 0)
		return r;
	for (size_t i = 0; i < p->rlimits_len; i++) {
		const struct plan_rlimit *l = &p->rlimits[i];
		struct rlimit value = {.rlim_cur = l->soft, .rlim_max = l->hard}, now;

		if (!put_off_lowering(l, &value) ||
		    setrlimit((__rlimit_resource_t)l->resource, &value) == 0)
			continue;
		err_sys(err, -errno, "set %s to %llu (hard limit %llu)", l->name,
			(unsigned long long)l->soft, (unsigned long long)l->hard);
		if (err->errnum == EPERM && getrlimit((__rlimit_resource_t)l->resource, &now) == 0)
			err_in(err, "the hard limit of the caller is %llu",
			       (unsigned long long)now.rlim_max);
		return err_at(err, "/process/rlimits/%zu", i);
	}
	return 0;
}
