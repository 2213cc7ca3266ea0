// SPDX-License-Identifier: Apache-2.0
// cgroup v2: the cpu controller.
#include "cgroup/controllers.h"

#include <inttypes.h>
#include <stdio.h>

#define DEFAULT_PERIOD 100000 /* microseconds, the kernel's own */

/* log2 and 2^x of the C library are in libm, which nothing else here needs. */
static double log2_of(uint64_t v)
{
	int whole = 63 - __builtin_clzll(v);
	double x = (double)v / (double)(UINT64_C(1) << whole); /* 1 <= x < 2 */
	double r = whole, bit = 0.5;

	for (int i = 0; i < 50; i++, bit /= 2) {
		x *= x;
		if (x >= 2) {
			x /= 2;
			r += bit;
		}
	}
	return r;
}

static double ten_to(double e)
{
	double r = 1, term = 1, x;

	for (; e >= 1; e -= 1)
		r *= 10;
	x = e * 2.302585092994045684; /* ln 10 */
	e = 1;
	for (int i = 1; i < 40; i++) {
		term *= x / i;
		e += term;
	}
	return r * e;
}

uint64_t cg_v2_weight_of_shares(uint64_t shares)
{
	double l, w;
	uint64_t whole;

	if (shares <= 2)
		return 1;
	if (shares >= 262144)
		return 10000;
	l = log2_of(shares);
	w = ten_to((l * l + 125 * l) / 612 - 7.0 / 34) - 1e-6; /* 1024 is exactly 100 */
	whole = (uint64_t)w;
	return (double)whole < w ? whole + 1 : whole;
}

static int write_max(const struct cg_dir *dir, const struct oci_linux_cpu *cpu,
		     struct crun_error *err)
{
	uint64_t period = cpu->period ? cpu->period : DEFAULT_PERIOD;
	char text[64];

	if (cpu->quota > 0)
		snprintf(text, sizeof(text), "%" PRId64 " %" PRIu64, cpu->quota, period);
	else
		snprintf(text, sizeof(text), "max %" PRIu64, period);
	return cg_write(dir, "cpu.max", text, cpu->has_quota ? "cpu/quota" : "cpu/period", err);
}

int cg_v2_cpu(const struct cg_dir *dir, const struct oci_linux_resources *res,
	      struct crun_error *err)
{
	const struct oci_linux_cpu *cpu = res->cpu;
	int r = 0;

	if (cpu->realtime_runtime || cpu->realtime_period)
		return cg_unsupported(
			err, cpu->realtime_runtime ? "cpu/realtimeRuntime" : "cpu/realtimePeriod",
			"realtime limits need cgroup v1: cgroup v2 has none");
	if (cpu->shares)
		r = cg_write_u64(dir, "cpu.weight", cg_v2_weight_of_shares(cpu->shares),
				 "cpu/shares", err);
	if (r >= 0 && (cpu->quota || cpu->period))
		r = write_max(dir, cpu, err);
	/* The kernel holds burst against the quota: after it. */
	if (r >= 0 && cpu->burst)
		r = cg_write_u64(dir, "cpu.max.burst", cpu->burst, "cpu/burst", err);
	/* cpu.weight cannot be written any more once idle is set: last. */
	if (r >= 0 && cpu->idle)
		r = cg_write_i64(dir, "cpu.idle", cpu->idle, "cpu/idle", err);
	return r;
}
