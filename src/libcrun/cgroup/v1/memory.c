// SPDX-License-Identifier: Apache-2.0
// cgroup v1: the memory controller.
#include "cgroup/controllers.h"

#include <errno.h>
#include <inttypes.h>

#define LIMIT "memory.limit_in_bytes"
#define MEMSW "memory.memsw.limit_in_bytes"

static uint64_t bytes(int64_t limit)
{
	return limit < 0 ? UINT64_MAX : (uint64_t)limit;
}

/* Without the second limit the first may not exceed what it is now; the kernel says no more than EINVAL. */
static int check_alone(const struct cg_dir *dir, const struct oci_linux_memory *mem, int64_t swap,
		       struct crun_error *err)
{
	uint64_t now;

	if (!cg_is_update(dir) || (mem->limit && swap))
		return 0;
	if (mem->limit && cg_read_u64(dir, MEMSW, &now) == 0 && bytes(mem->limit) > now) {
		err_set(err, CODE_LIMIT_CONFLICT, EINVAL,
			"the limit of memory (%" PRId64 ") would exceed that of memory and swap "
			"together (%" PRIu64 "): change both in one update",
			mem->limit, now);
		return err_at(err, "/linux/resources/memory/limit");
	}
	if (swap > 0 && cg_read_u64(dir, LIMIT, &now) == 0 && bytes(swap) < now)
		return cg_swap_conflict(swap, now, err);
	return 0;
}

static int write_limit(const struct cg_dir *dir, const struct oci_linux_memory *mem,
		       struct crun_error *err)
{
	int r = cg_write_i64(dir, LIMIT, mem->limit, "memory/limit", err);
	uint64_t usage;

	if (r != -EBUSY || cg_read_u64(dir, "memory.usage_in_bytes", &usage) < 0)
		return r;
	return err_in(err,
		      "the container uses %" PRIu64 " bytes of memory, and the kernel cannot take "
		      "enough of it back",
		      usage);
}

/*
 * memory.limit_in_bytes may never exceed memory.memsw.limit_in_bytes: to raise both, the second goes first; to lower them, the first.
 * The kernel refuses the wrong order with EINVAL. A new cgroup has no limits, so there the first goes first.
 */
static int write_limits(const struct cg_dir *dir, const struct oci_linux_memory *mem,
			struct crun_error *err)
{
	/* No limit of memory and none given for both together: swap is not limited either. */
	int64_t swap = mem->limit < 0 && mem->swap == 0 ? -1 : mem->swap;
	const char *swap_at = mem->swap ? "memory/swap" : "memory/limit";
	bool swap_first = false;
	uint64_t now;
	int r;

	/* Without accounting of swap, there is nothing that would have to be unlimited. */
	if (swap < 0 && !cg_has_file(dir, MEMSW))
		swap = 0;
	r = check_alone(dir, mem, swap, err);
	if (r < 0)
		return r;
	if (cg_is_update(dir) && swap && cg_read_u64(dir, MEMSW, &now) == 0)
		swap_first = bytes(mem->limit) > now;
	if (swap && swap_first)
		r = cg_write_i64(dir, MEMSW, swap, swap_at, err);
	if (r >= 0 && mem->limit)
		r = write_limit(dir, mem, err);
	if (r >= 0 && swap && !swap_first)
		r = cg_write_i64(dir, MEMSW, swap, swap_at, err);
	return r;
}

static int check_usage(const struct cg_dir *dir, const struct oci_linux_memory *mem,
		       struct crun_error *err)
{
	int r = cg_check_usage(dir, mem, "memory.usage_in_bytes", mem->limit, "memory/limit", err);

	return r < 0 ? r
		     : cg_check_usage(dir, mem, "memory.memsw.usage_in_bytes", mem->swap,
				      "memory/swap", err);
}

int cg_v1_memory(const struct cg_dir *dir, const struct oci_linux_resources *res,
		 struct crun_error *err)
{
	const struct oci_linux_memory *mem = res->memory;
	bool keep_oom_killer = cg_is_update(dir) && mem->has_disable_oom_killer;
	int r = check_usage(dir, mem, err);

	if (r >= 0 && mem->has_use_hierarchy)
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
	if (r >= 0 && (mem->disable_oom_killer || keep_oom_killer))
		r = cg_write(dir, "memory.oom_control", mem->disable_oom_killer ? "1" : "0",
			     "memory/disableOOMKiller", err);
	return r;
}
