// SPDX-License-Identifier: Apache-2.0
// cgroup v1: the cpu controller.
#include "cgroup/controllers.h"

#include <errno.h>

/* A share of the CPU: so much run time in each period, in one file each. */
struct bandwidth {
	const char *runtime_file, *runtime_at;
	const char *period_file, *period_at;
	int64_t runtime; /* 0: not set; less: no limit */
	uint64_t period; /* 0: not set */
};

static int write_period(const struct cg_dir *dir, const struct bandwidth *b, struct crun_error *err)
{
	return b->period ? cg_write_u64(dir, b->period_file, b->period, b->period_at, err) : 0;
}

static int write_runtime(const struct cg_dir *dir, const struct bandwidth *b,
			 struct crun_error *err)
{
	return b->runtime ? cg_write_i64(dir, b->runtime_file, b->runtime > 0 ? b->runtime : -1,
					 b->runtime_at, err)
			  : 0;
}

/*
 * The kernel holds each single write against the shares of the cgroups above and below, so between the two the share must not be larger
 * than before and after: it falls when the run time is lowered first, or the period raised first.
 */
static bool runtime_first(const struct cg_dir *dir, const struct bandwidth *b)
{
	uint64_t runtime;

	if (!cg_is_update(dir) || b->runtime <= 0 ||
	    cg_read_u64(dir, b->runtime_file, &runtime) < 0)
		return false;
	return (uint64_t)b->runtime < runtime;
}

static int write_bandwidth(const struct cg_dir *dir, const struct bandwidth *b,
			   struct crun_error *err)
{
	bool first = runtime_first(dir, b);
	int r = first ? write_runtime(dir, b, err) : write_period(dir, b, err);

	/* Whatever is below may need the other order. */
	if (r == -EINVAL && b->runtime && b->period) {
		first = !first;
		r = first ? write_runtime(dir, b, err) : write_period(dir, b, err);
	}
	if (r < 0)
		return r;
	return first ? write_period(dir, b, err) : write_runtime(dir, b, err);
}

static int write_fair(const struct cg_dir *dir, const struct oci_linux_cpu *cpu,
		      struct crun_error *err)
{
	const struct bandwidth b = {
		.runtime_file = "cpu.cfs_quota_us",
		.runtime_at = "cpu/quota",
		.period_file = "cpu.cfs_period_us",
		.period_at = "cpu/period",
		.runtime = cpu->quota,
		.period = cpu->period,
	};

	return write_bandwidth(dir, &b, err);
}

static int write_realtime(const struct cg_dir *dir, const struct oci_linux_cpu *cpu,
			  struct crun_error *err)
{
	const struct bandwidth b = {
		.runtime_file = "cpu.rt_runtime_us",
		.runtime_at = "cpu/realtimeRuntime",
		.period_file = "cpu.rt_period_us",
		.period_at = "cpu/realtimePeriod",
		.runtime = cpu->realtime_runtime,
		.period = cpu->realtime_period,
	};

	int r = write_bandwidth(dir, &b, err);

	/* A new cgroup has none, and so its children get none: who wants to give some must begin at the root. */
	if (r == -EINVAL && b.runtime > 0)
		return err_in(err, "the cgroups above must have at least as much realtime run time "
				   "(cpu.rt_runtime_us) to give");
	return r;
}

int cg_v1_cpu(const struct cg_dir *dir, const struct oci_linux_resources *res,
	      struct crun_error *err)
{
	static const struct cg_cpu_files files = {
		.burst = "cpu.cfs_burst_us",
		.weight = "cpu.shares",
		.write_bandwidth = write_fair,
	};
	int r = cg_any_cpu(dir, res->cpu, &files, res->cpu->shares, err);

	return r < 0 ? r : write_realtime(dir, res->cpu, err);
}
