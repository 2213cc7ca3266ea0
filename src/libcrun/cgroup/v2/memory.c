// SPDX-License-Identifier: Apache-2.0
// cgroup v2: the memory controller.
#include "cgroup/controllers.h"

#include <errno.h>
#include <inttypes.h>

/* What memory.swap belongs to: the new limit, or when there is none the present one. */
static int limit_below_swap(const struct cg_dir *dir, const struct oci_linux_memory *mem,
			    uint64_t *ret, struct crun_error *err)
{
	int r;

	*ret = (uint64_t)mem->limit;
	if (mem->limit || !cg_is_update(dir))
		return 0;
	r = cg_read_u64(dir, "memory.max", ret);
	if (r < 0)
		return err_sys_code(err, CODE_CGROUP_READ, r, "read `%s/memory.max`", dir->path);
	return *ret <= (uint64_t)mem->swap ? 0 : cg_swap_conflict(mem->swap, *ret, err);
}

/*
 * linux.resources.memory.swap is memory and swap together; memory.swap.max is swap alone. 0 means not set, and a limit of memory that comes
 * alone leaves that of swap as it is.
 */
static int write_swap(const struct cg_dir *dir, const struct oci_linux_memory *mem,
		      struct crun_error *err)
{
	/* No limit of memory and none given for both together: swap is not limited either. */
	bool unlimited = mem->swap < 0 || (mem->swap == 0 && mem->limit < 0);
	const char *at = mem->swap ? "memory/swap" : "memory/limit";
	uint64_t limit;
	int r;

	if (!mem->swap && !unlimited)
		return 0;
	/* Without swap in the kernel, there is nothing that would have to be unlimited. */
	if (unlimited)
		return cg_has_file(dir, "memory.swap.max")
			       ? cg_write(dir, "memory.swap.max", "max", at, err)
			       : 0;
	r = limit_below_swap(dir, mem, &limit, err);
	if (r >= 0)
		r = cg_check_usage(dir, mem, "memory.swap.current", mem->swap - (int64_t)limit, at,
				   err);
	if (r < 0)
		return r;
	return cg_write_u64(dir, "memory.swap.max", (uint64_t)mem->swap - limit, at, err);
}

static int refuse_v1_only(const struct cg_dir *dir, const struct oci_linux_memory *mem,
			  struct crun_error *err)
{
	int r = 0;

	if (mem->has_swappiness && mem->swappiness != UINT64_MAX)
		r = cg_unsupported(dir, "memory/swappiness",
				   "swappiness per cgroup needs cgroup v1: cgroup v2 has none",
				   err);
	if (r >= 0 && mem->disable_oom_killer)
		r = cg_unsupported(dir, "memory/disableOOMKiller",
				   "disabling the OOM killer needs cgroup v1: cgroup v2 cannot",
				   err);
	if (r >= 0 && mem->has_use_hierarchy && !mem->use_hierarchy)
		r = cg_unsupported(dir, "memory/useHierarchy",
				   "cgroup v2 always accounts memory hierarchically", err);
	return r;
}

int cg_v2_memory(const struct cg_dir *dir, const struct oci_linux_resources *res,
		 struct crun_error *err)
{
	const struct oci_linux_memory *mem = res->memory;
	int r = refuse_v1_only(dir, mem, err);

	/* The kernel takes a limit below the usage, and then kills. */
	if (r >= 0)
		r = cg_check_usage(dir, mem, "memory.current", mem->limit, "memory/limit", err);
	/* Swap first: a limit of memory below the usage swaps out, and must not do so beyond the limit of swap. */
	if (r >= 0)
		r = write_swap(dir, mem, err);
	if (r >= 0 && mem->limit)
		r = cg_write_max(dir, "memory.max", mem->limit, "memory/limit", err);
	if (r >= 0 && mem->reservation)
		r = cg_write_max(dir, "memory.low", mem->reservation, "memory/reservation", err);
	return r;
}
