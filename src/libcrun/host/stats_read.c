// SPDX-License-Identifier: Apache-2.0
// Collects what is known of a container's use of resources: see stats.h.
#include "host/stats.h"

#include "cgroup/cgroup.h"

#include <errno.h>
#include <stdlib.h>

/* Without the controller `pids` the processes, if not the threads, can still be counted. */
static int count_processes(const struct cgroup *cg, struct stat_pids *ret, struct crun_error *err)
{
	pid_t *pids = NULL;
	size_t len;
	int r;

	if (ret->current.known)
		return 0;
	/* It is not changed. */
	r = cgroup_pids((struct cgroup *)cg, &pids, &len, err);
	if (r < 0)
		return r;
	free(pids);
	ret->current = (struct stat_value){.known = true, .value = len};
	return 0;
}

int container_stats_read(const struct container *c, const struct cgroup *cg,
			 struct container_stats *ret, struct crun_error *err)
{
	int r;

	ret->id = c->dir.id;
	ret->status = c->status;
	ret->taken_ms = (uint64_t)clock_ms();
	ret->any = cgroup_exists(cg);
	if (!ret->any)
		return 0;
	r = cgroup_stats_read(cg, &ret->cg, err);
	if (r < 0)
		return r;
	cgroup_oom_read(cg, &ret->oom);
	r = c->pidfd >= 0 ? net_stats_read(c->record->pid, c->pidfd, &ret->net) : 0;
	if (r < 0)
		return err_sys(err, r, "statistics of container `%s`", c->dir.id);
	return count_processes(cg, &ret->cg.pids, err);
}

void container_stats_done(struct container_stats *stats)
{
	cgroup_stats_done(&stats->cg);
	free(stats->net.items);
	intelrdt_stats_done(&stats->rdt);
	*stats = (struct container_stats){0};
}

int container_stats_none(const struct container *c, struct crun_error *err)
{
	if (c->pidfd < 0)
		return container_not_running(c, err);
	return err_set(err, CODE_CGROUP_NONE, EOPNOTSUPP,
		       "container `%s` has no cgroup of its own: nothing is counted for it",
		       c->dir.id);
}
