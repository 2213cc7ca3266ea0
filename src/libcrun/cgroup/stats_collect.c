// SPDX-License-Identifier: Apache-2.0
// What the kernel counts for a container, collected from all hierarchies: see stats.h.
#include "cgroup/internal.h"
#include "cgroup/stats_read.h"

#include <errno.h>

static void subtract(struct stat_value *ret, const struct stat_value *from,
		     const struct stat_value *what)
{
	if (ret->known || !from->known || !what->known)
		return;
	ret->known = true;
	ret->value = from->value >= STAT_V1_MAX	  ? STAT_MAX
		     : from->value >= what->value ? from->value - what->value
						  : 0;
}

int cgroup_stats_read(const struct cgroup *cg, struct cgroup_stats *ret, struct crun_error *err)
{
	struct stat_memory *m = &ret->memory;
	int r = 0;

	/* v2 first: on a hybrid host a controller of v1 knows more than the few files that every v2 directory has. */
	for (int v2 = 1; r >= 0 && v2 >= 0; v2--) {
		for (size_t i = 0; r >= 0 && i < cg->hier_len; i++) {
			const struct cg_hier *h = &cg->hier[i];

			if (h->dir_fd >= 0 && h->v2 == v2)
				r = h->v2 ? cg_v2_stats(h->dir_fd, ret)
					  : cg_v1_stats(h->dir_fd, ret);
		}
	}
	if (r < 0)
		return err_sys_code(err, CODE_CGROUP_READ, r, "statistics of cgroup `%s`",
				    cg->path ? cg->path : "");
	subtract(&m->swap.usage, &m->with_swap.usage, &m->usage.usage);
	subtract(&m->swap.limit, &m->with_swap.limit, &m->usage.limit);
	return 0;
}

void cgroup_stats_done(struct cgroup_stats *stats)
{
	oci_arena_free(&stats->arena);
	*stats = (struct cgroup_stats){0};
}
