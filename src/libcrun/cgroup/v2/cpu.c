// SPDX-License-Identifier: Apache-2.0
// cgroup v2: the cpu controller.
#include "cgroup/controllers.h"

#include "base/str.h"
#include "cgroup/changes.h"
#include "sys/io.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

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

/* Both numbers are in one file, so one that is not given must be read: only a new cgroup has the kernel's defaults. */
static int write_max(const struct cg_dir *dir, const struct oci_linux_cpu *cpu,
		     struct crun_error *err)
{
	char now[64] = "max", text[96], *blank = NULL;
	const char *quota = now;
	uint64_t period = cpu->period;

	if (cg_is_update(dir) && io_read_file_at(dir->fd, "cpu.max", now, sizeof(now)) >= 0)
		blank = strchr(now, ' ');
	if (blank)
		*blank++ = '\0';
	if (!period && (!blank || str_to_u64(blank, UINT64_MAX, &period) < 0))
		period = DEFAULT_PERIOD;
	if (cpu->quota > 0)
		snprintf(text, sizeof(text), "%" PRId64 " %" PRIu64, cpu->quota, period);
	else
		snprintf(text, sizeof(text), "%s %" PRIu64, cpu->quota < 0 ? "max" : quota, period);
	if (!cpu->quota || !cpu->period)
		return cg_write(dir, "cpu.max", text, cpu->quota ? "cpu/quota" : "cpu/period", err);
	if (cg_write(dir, "cpu.max", text, "cpu/quota", err) < 0)
		return -err->errnum;
	return cg_is_update(dir) ? cg_changes_also(dir->changes, "cpu/period", "cpu/quota", err)
				 : 0;
}

static int write_max_if_given(const struct cg_dir *dir, const struct oci_linux_cpu *cpu,
			      struct crun_error *err)
{
	return cpu->quota || cpu->period ? write_max(dir, cpu, err) : 0;
}

int cg_v2_cpu(const struct cg_dir *dir, const struct oci_linux_resources *res,
	      struct crun_error *err)
{
	static const struct cg_cpu_files files = {
		.burst = "cpu.max.burst",
		.weight = "cpu.weight",
		.write_bandwidth = write_max_if_given,
	};
	const struct oci_linux_cpu *cpu = res->cpu;
	uint64_t weight = cpu->shares ? cg_v2_weight_of_shares(cpu->shares) : 0;
	int r = 0;

	if (cpu->realtime_runtime)
		r = cg_unsupported(dir, "cpu/realtimeRuntime",
				   "realtime limits need cgroup v1: cgroup v2 has none", err);
	if (r >= 0 && cpu->realtime_period)
		r = cg_unsupported(dir, "cpu/realtimePeriod",
				   "realtime limits need cgroup v1: cgroup v2 has none", err);
	return r < 0 ? r : cg_any_cpu(dir, cpu, &files, weight, err);
}
