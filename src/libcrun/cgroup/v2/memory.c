// SPDX-License-Identifier: Apache-2.0
// cgroup v2: the memory controller.
#include "cgroup/controllers.h"

/* linux.resources.memory.swap is memory and swap together; memory.swap.max is swap alone. 0 means not set. */
static int write_swap(const struct cg_dir *dir, const struct oci_linux_memory *mem,
		      struct crun_error *err)
{
	/* No limit of memory and none given for both together: swap is not limited either. */
	bool unlimited = mem->swap < 0 || (mem->swap == 0 && mem->limit < 0);

	if (!mem->swap && !unlimited)
		return 0;
	/* Without swap in the kernel, there is nothing that would have to be unlimited. */
	if (unlimited && !cg_has_file(dir, "memory.swap.max"))
		return 0;
	return cg_write_max(dir, "memory.swap.max", unlimited ? -1 : mem->swap - mem->limit,
			    "memory/swap", err);
}

int cg_v2_memory(const struct cg_dir *dir, const struct oci_linux_resources *res,
		 struct crun_error *err)
{
	const struct oci_linux_memory *mem = res->memory;
	int r;

	if (mem->has_swappiness && mem->swappiness != UINT64_MAX)
		return cg_unsupported(err, "memory/swappiness",
				      "swappiness per cgroup needs cgroup v1: cgroup v2 has none");
	if (mem->disable_oom_killer)
		return cg_unsupported(err, "memory/disableOOMKiller",
				      "disabling the OOM killer needs cgroup v1: cgroup v2 cannot");
	if (mem->has_use_hierarchy && !mem->use_hierarchy)
		return cg_unsupported(err, "memory/useHierarchy",
				      "cgroup v2 always accounts memory hierarchically");
	/* Swap first: a limit of memory below the usage swaps out, and must not do so beyond the limit of swap. */
	r = write_swap(dir, mem, err);
	if (r >= 0 && mem->limit)
		r = cg_write_max(dir, "memory.max", mem->limit, "memory/limit", err);
	if (r >= 0 && mem->reservation)
		r = cg_write_max(dir, "memory.low", mem->reservation, "memory/reservation", err);
	return r;
}
