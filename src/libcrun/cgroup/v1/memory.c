// SPDX-License-Identifier: Apache-2.0
// cgroup v1: the memory controller.
#include "cgroup/controllers.h"

#include <errno.h>

#define LIMIT "memory.limit_in_bytes"
#define MEMSW "memory.memsw.limit_in_bytes"

/*
 * memory.limit_in_bytes may never exceed memory.memsw.limit_in_bytes: to raise both, the second goes first; to lower them, the first.
 * The kernel refuses the wrong order with EINVAL.
 */
static int write_limits(const struct cg_dir *dir, const struct oci_linux_memory *mem,
			struct crun_error *err)
{
	/* No limit of memory and none given for both together: swap is not limited either. */
	int64_t swap = mem->limit < 0 && mem->swap == 0 ? -1 : mem->swap;
	int r;

	/* Without accounting of swap, there is nothing that would have to be unlimited. */
	if (swap < 0 && !cg_has_file(dir, MEMSW))
		swap = 0;
	if (!mem->limit)
		return swap ? cg_write_i64(dir, MEMSW, swap, "memory/swap", err) : 0;
	r = cg_write_i64(dir, LIMIT, mem->limit, "memory/limit", err);
	if (r >= 0)
		return swap ? cg_write_i64(dir, MEMSW, swap, "memory/swap", err) : 0;
	if (r != -EINVAL || !swap)
		return r;
	r = cg_write_i64(dir, MEMSW, swap, "memory/swap", err);
	if (r < 0)
		return r;
	return cg_write_i64(dir, LIMIT, mem->limit, "memory/limit", err);
}

int cg_v1_memory(const struct cg_dir *dir, const struct oci_linux_resources *res,
		 struct crun_error *err)
{
	const struct oci_linux_memory *mem = res->memory;
	int r = 0;

	if (mem->has_use_hierarchy)
		r = cg_write_u64(dir, "memory.use_hierarchy", mem->use_hierarchy,
				 "memory/useHierarchy", err);
	if (r >= 0)
		r = write_limits(dir, mem, err);
	if (r >= 0 && mem->reservation)
		r = cg_write_i64(dir, "memory.soft_limit_in_bytes", mem->reservation,
				 "memory/reservation", err);
	if (r >= 0 && mem->has_swappiness && mem->swappiness != UINT64_MAX)
		r = cg_write_u64(dir, "memory.swappiness", mem->swappiness, "memory/swappiness",
				 err);
	if (r >= 0 && mem->disable_oom_killer)
		r = cg_write(dir, "memory.oom_control", "1", "memory/disableOOMKiller", err);
	return r;
}
