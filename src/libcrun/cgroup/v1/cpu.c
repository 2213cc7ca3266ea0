// SPDX-License-Identifier: Apache-2.0
// cgroup v1: the cpu controller.
#include "cgroup/controllers.h"

static int write_realtime(const struct cg_dir *dir, const struct oci_linux_cpu *cpu,
			  struct crun_error *err)
{
	int r = 0;

	/* The runtime may not exceed the period: the period first. */
	if (cpu->realtime_period)
		r = cg_write_u64(dir, "cpu.rt_period_us", cpu->realtime_period,
				 "cpu/realtimePeriod", err);
	if (r >= 0 && cpu->realtime_runtime)
		r = cg_write_i64(dir, "cpu.rt_runtime_us", cpu->realtime_runtime,
				 "cpu/realtimeRuntime", err);
	return r;
}

int cg_v1_cpu(const struct cg_dir *dir, const struct oci_linux_resources *res,
	      struct crun_error *err)
{
	const struct oci_linux_cpu *cpu = res->cpu;
	int r = 0;

	if (cpu->shares)
		r = cg_write_u64(dir, "cpu.shares", cpu->shares, "cpu/shares", err);
	if (r >= 0 && cpu->period)
		r = cg_write_u64(dir, "cpu.cfs_period_us", cpu->period, "cpu/period", err);
	if (r >= 0 && cpu->quota)
		r = cg_write_i64(dir, "cpu.cfs_quota_us", cpu->quota > 0 ? cpu->quota : -1,
				 "cpu/quota", err);
	/* The kernel holds burst against the quota: after it. */
	if (r >= 0 && cpu->burst)
		r = cg_write_u64(dir, "cpu.cfs_burst_us", cpu->burst, "cpu/burst", err);
	if (r >= 0)
		r = write_realtime(dir, cpu, err);
	/* cpu.shares cannot be written any more once idle is set: last. */
	if (r >= 0 && cpu->idle)
		r = cg_write_i64(dir, "cpu.idle", cpu->idle, "cpu/idle", err);
	return r;
}
