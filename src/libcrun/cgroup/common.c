// SPDX-License-Identifier: Apache-2.0
// Controllers whose files are the same in both cgroup versions, or nearly so: pids, hugetlb, rdma; the rules of cpu and memory that are.
#include "cgroup/controllers.h"

#include "base/buf.h"
#include "base/str.h"
#include "cgroup/changes.h"
#include "sys/io.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>

int cg_any_pids(const struct cg_dir *dir, const struct oci_linux_resources *res,
		struct crun_error *err)
{
	/* 0 is what engines write for "not set"; only less than that is a wish to have no limit. */
	if (!res->pids->has_limit || res->pids->limit == 0)
		return 0;
	return cg_write_max(dir, "pids.max", res->pids->limit, "pids/limit", err);
}

static int hugetlb(const struct cg_dir *dir, const struct oci_linux_resources *res,
		   const char *suffix, struct crun_error *err)
{
	for (size_t i = 0; i < res->hugepage_limits_len; i++) {
		const struct oci_linux_hugepage_limit *limit = &res->hugepage_limits[i];
		char file[128], at[64];
		int r;

		snprintf(at, sizeof(at), "hugepageLimits/%zu", i);
		/* "Huge page limits": reservations where the kernel counts them (5.7), page faults in any case. */
		snprintf(file, sizeof(file), "hugetlb.%s.rsvd.%s", limit->page_size, suffix);
		if (cg_has_file(dir, file)) {
			r = cg_write_u64(dir, file, limit->limit, at, err);
			if (r < 0)
				return r;
		}
		snprintf(file, sizeof(file), "hugetlb.%s.%s", limit->page_size, suffix);
		r = cg_write_u64(dir, file, limit->limit, at, err);
		if (r < 0)
			return r;
	}
	return 0;
}

int cg_v1_hugetlb(const struct cg_dir *dir, const struct oci_linux_resources *res,
		  struct crun_error *err)
{
	return hugetlb(dir, res, "limit_in_bytes", err);
}

int cg_v2_hugetlb(const struct cg_dir *dir, const struct oci_linux_resources *res,
		  struct crun_error *err)
{
	return hugetlb(dir, res, "max", err);
}

int cg_any_rdma(const struct cg_dir *dir, const struct oci_linux_resources *res,
		struct crun_error *err)
{
	for (size_t i = 0; i < res->rdma->len; i++) {
		const struct oci_linux_rdma *limit = &res->rdma->items[i].value;
		_cleanup_buf_ struct buf line = {0}, at = {0};
		int r;

		buf_printf(&at, "rdma/%s", res->rdma->items[i].key);
		buf_puts(&line, res->rdma->items[i].key);
		if (limit->has_hca_handles)
			buf_printf(&line, " hca_handle=%u", limit->hca_handles);
		if (limit->has_hca_objects)
			buf_printf(&line, " hca_object=%u", limit->hca_objects);
		if (line.failed || at.failed)
			return err_sys(err, -ENOMEM, "limits of rdma device");
		r = cg_write(dir, "rdma.max", line.data, at.data, err);
		if (r < 0)
			return r;
	}
	return 0;
}

int cg_check_usage(const struct cg_dir *dir, const struct oci_linux_memory *mem, const char *file,
		   int64_t limit, const char *at, struct crun_error *err)
{
	uint64_t usage;

	if (!cg_is_update(dir) || !mem->check_before_update || limit <= 0 ||
	    cg_read_u64(dir, file, &usage) < 0 || usage <= (uint64_t)limit)
		return 0;
	err_set(err, CODE_LIMIT_BELOW_USE, EBUSY,
		"the new limit (%" PRId64 ") is below what the container uses now (%" PRIu64
		" bytes in `%s/%s`), and memory.checkBeforeUpdate is set",
		limit, usage, dir->path, file);
	return err_at(err, "/linux/resources/%s", at);
}

int cg_swap_conflict(int64_t swap, uint64_t limit, struct crun_error *err)
{
	if (limit == UINT64_MAX)
		err_set(err, CODE_LIMIT_CONFLICT, EINVAL,
			"a limit of memory and swap together needs a limit of memory, and the container "
			"has none");
	else
		err_set(err, CODE_LIMIT_CONFLICT, EINVAL,
			"the limit of memory and swap together (%" PRId64
			") would be less than that of memory (%" PRIu64
			"): change both in one update",
			swap, limit);
	return err_at(err, "/linux/resources/memory/swap");
}

/* The kernel wants burst <= quota after each write. */
static bool burst_first(const struct cg_dir *dir, const struct oci_linux_cpu *cpu, const char *file)
{
	uint64_t now;

	return cg_is_update(dir) && cpu->quota > 0 && cg_read_u64(dir, file, &now) == 0 &&
	       now > (uint64_t)cpu->quota;
}

static int write_bandwidth(const struct cg_dir *dir, const struct oci_linux_cpu *cpu,
			   const struct cg_cpu_files *files, struct crun_error *err)
{
	/* 0 is what a kernel without the file does. */
	bool wanted = cpu->burst ||
		      (cg_is_update(dir) && cpu->has_burst && cg_has_file(dir, files->burst));
	bool first = burst_first(dir, cpu, files->burst);
	int r = 0;

	if (first && !wanted) {
		err_set(err, CODE_LIMIT_CONFLICT, EINVAL,
			"the quota (%" PRId64 ") would be less than the burst that `%s/%s` allows: "
			"change both in one update",
			cpu->quota, dir->path, files->burst);
		return err_at(err, "/linux/resources/cpu/quota");
	}
	if (wanted && first)
		r = cg_write_u64(dir, files->burst, cpu->burst, "cpu/burst", err);
	if (r >= 0)
		r = files->write_bandwidth(dir, cpu, err);
	if (r >= 0 && wanted && !first)
		r = cg_write_u64(dir, files->burst, cpu->burst, "cpu/burst", err);
	return r;
}

/*
 * While a cgroup is idle the kernel forgets its weight, and gives it the default afterwards: so it is noted before, and put back after
 * cpu.idle was.
 */
static int begin_idle(const struct cg_dir *dir, const char *weight_file, struct crun_error *err)
{
	char now[64], weight[64];
	int r;

	if (!cg_is_update(dir) || dir->changes->checking ||
	    io_read_file_at(dir->fd, "cpu.idle", now, sizeof(now)) < 0 || !str_eq(now, "0") ||
	    io_read_file_at(dir->fd, weight_file, weight, sizeof(weight)) < 0)
		return 0;
	r = cg_changes_note(dir->changes, dir, weight_file, weight);
	return r < 0 ? err_sys(err, r, "update `%s/cpu.idle`", dir->path) : 0;
}

int cg_any_cpu(const struct cg_dir *dir, const struct oci_linux_cpu *cpu,
	       const struct cg_cpu_files *files, uint64_t weight, struct crun_error *err)
{
	bool busy =
		cg_is_update(dir) && cpu->has_idle && !cpu->idle && cg_has_file(dir, "cpu.idle");
	int r = 0;

	/* An idle cgroup has no weight that could be written: it ends before and begins after. */
	if (busy)
		r = cg_write(dir, "cpu.idle", "0", "cpu/idle", err);
	if (r >= 0 && weight)
		r = cg_write_u64(dir, files->weight, weight, "cpu/shares", err);
	if (r == -EINVAL && cg_is_update(dir))
		err_in(err, "the weight of an idle cgroup (cpu.idle) cannot be set");
	if (r >= 0)
		r = write_bandwidth(dir, cpu, files, err);
	if (r >= 0 && cpu->idle)
		r = begin_idle(dir, files->weight, err);
	if (r >= 0 && cpu->idle)
		r = cg_write_i64(dir, "cpu.idle", cpu->idle, "cpu/idle", err);
	return r;
}
