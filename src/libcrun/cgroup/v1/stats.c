// SPDX-License-Identifier: Apache-2.0
// Statistics of a cgroup v1 directory, of whatever controllers are there.
#include "cgroup/stats_read.h"

#include "base/str.h"
#include "sys/io.h"

#include <errno.h>
#include <stdio.h>

#define AT(member) offsetof(struct cgroup_stats, member)

static int read_cpuacct(int dir, struct cgroup_stats *ret)
{
	static const struct stat_field files[] = {
		{"cpuacct.usage_user", AT(cpu.user_ns), 1},
		{"cpuacct.usage_sys", AT(cpu.system_ns), 1},
	};
	struct stat_cpu *cpu = &ret->cpu;
	int r;

	if (!stat_file(dir, "cpuacct.usage", &cpu->usage_ns))
		return 0;
	stat_files(dir, files, ARRAY_LEN(files), ret);
	r = stat_list(&ret->arena, dir, "cpuacct.usage_percpu", &cpu->percpu);
	if (r >= 0)
		r = stat_list(&ret->arena, dir, "cpuacct.usage_percpu_user", &cpu->percpu_user);
	if (r >= 0)
		r = stat_list(&ret->arena, dir, "cpuacct.usage_percpu_sys", &cpu->percpu_system);
	return r;
}

static void read_cpu(int dir, struct cgroup_stats *ret)
{
	static const struct stat_field keys[] = {
		{"nr_periods", AT(cpu.periods), 1},	     {"nr_throttled", AT(cpu.throttled), 1},
		{"throttled_time", AT(cpu.throttled_ns), 1}, {"nr_bursts", AT(cpu.bursts), 1},
		{"burst_time", AT(cpu.burst_ns), 1},
	};

	stat_keys(dir, "cpu.stat", keys, ARRAY_LEN(keys), ret);
}

static int read_memory(int dir, struct cgroup_stats *ret)
{
	static const struct stat_field files[] = {
		{"memory.limit_in_bytes", AT(memory.usage.limit), 1},
		{"memory.max_usage_in_bytes", AT(memory.usage.max), 1},
		{"memory.failcnt", AT(memory.usage.failcnt), 1},
		{"memory.memsw.usage_in_bytes", AT(memory.with_swap.usage), 1},
		{"memory.memsw.limit_in_bytes", AT(memory.with_swap.limit), 1},
		{"memory.memsw.max_usage_in_bytes", AT(memory.with_swap.max), 1},
		{"memory.memsw.failcnt", AT(memory.with_swap.failcnt), 1},
		{"memory.kmem.usage_in_bytes", AT(memory.kernel.usage), 1},
		{"memory.kmem.limit_in_bytes", AT(memory.kernel.limit), 1},
		{"memory.kmem.max_usage_in_bytes", AT(memory.kernel.max), 1},
		{"memory.kmem.failcnt", AT(memory.kernel.failcnt), 1},
		{"memory.kmem.tcp.usage_in_bytes", AT(memory.kernel_tcp.usage), 1},
		{"memory.kmem.tcp.limit_in_bytes", AT(memory.kernel_tcp.limit), 1},
		{"memory.kmem.tcp.max_usage_in_bytes", AT(memory.kernel_tcp.max), 1},
		{"memory.kmem.tcp.failcnt", AT(memory.kernel_tcp.failcnt), 1},
	};
	static const struct stat_field stat[] = {
		{"cache", AT(memory.cache), 1},
		/* Those of cgroups below included, as in all the files. */
		{"total_swap", AT(memory.swap.usage), 1},
	};
	static const struct stat_field oom[] = {{"oom_kill", AT(memory.oom_kill), 1}};

	if (!stat_file(dir, "memory.usage_in_bytes", &ret->memory.usage.usage))
		return 0;
	stat_files(dir, files, ARRAY_LEN(files), ret);
	stat_keys(dir, "memory.stat", stat, ARRAY_LEN(stat), ret);
	stat_keys(dir, "memory.oom_control", oom, ARRAY_LEN(oom), ret);
	ret->memory.at_max = ret->memory.usage.failcnt;
	ret->memory.raw = (struct stat_pairs){0};
	return stat_pairs(&ret->arena, dir, "memory.stat", &ret->memory.raw);
}

static void read_cpuset(int dir, struct cgroup_stats *ret)
{
	static const struct stat_field files[] = {
		{"cpuset.cpu_exclusive", AT(cpuset.cpu_exclusive), 1},
		{"cpuset.mem_exclusive", AT(cpuset.mem_exclusive), 1},
		{"cpuset.mem_hardwall", AT(cpuset.mem_hardwall), 1},
		{"cpuset.memory_migrate", AT(cpuset.memory_migrate), 1},
		{"cpuset.memory_spread_page", AT(cpuset.memory_spread_page), 1},
		{"cpuset.memory_spread_slab", AT(cpuset.memory_spread_slab), 1},
		{"cpuset.memory_pressure", AT(cpuset.memory_pressure), 1},
		{"cpuset.sched_load_balance", AT(cpuset.sched_load_balance), 1},
	};
	const char *cpus = stat_string(&ret->arena, dir, "cpuset.cpus");
	char text[32];

	if (!cpus)
		return;
	ret->cpuset.cpus = cpus;
	ret->cpuset.mems = stat_string(&ret->arena, dir, "cpuset.mems");
	stat_files(dir, files, ARRAY_LEN(files), ret);
	if (io_read_file_at(dir, "cpuset.sched_relax_domain_level", text, sizeof(text)) > 0)
		ret->cpuset.has_relax_domain_level =
			str_to_i64(text, &ret->cpuset.relax_domain_level) == 0;
}

static int read_hugetlb(int dir, struct cgroup_stats *ret)
{
	int r = stat_hugetlb_sizes(ret, dir, ".usage_in_bytes");

	for (size_t i = 0; r >= 0 && i < ret->hugetlb_len; i++) {
		struct stat_hugetlb *h = &ret->hugetlb[i];
		char name[128];

		snprintf(name, sizeof(name), "hugetlb.%s.usage_in_bytes", h->size);
		stat_file(dir, name, &h->usage.usage);
		snprintf(name, sizeof(name), "hugetlb.%s.limit_in_bytes", h->size);
		stat_file(dir, name, &h->usage.limit);
		snprintf(name, sizeof(name), "hugetlb.%s.max_usage_in_bytes", h->size);
		stat_file(dir, name, &h->usage.max);
		snprintf(name, sizeof(name), "hugetlb.%s.failcnt", h->size);
		stat_file(dir, name, &h->usage.failcnt);
		snprintf(name, sizeof(name), "hugetlb.%s.rsvd.usage_in_bytes", h->size);
		stat_file(dir, name, &h->reserved);
	}
	return r;
}

int cg_v1_stats(int dir, struct cgroup_stats *ret)
{
	static const struct stat_field pids[] = {
		{"pids.current", AT(pids.current), 1},
		{"pids.max", AT(pids.limit), 1},
		{"pids.peak", AT(pids.max), 1},
	};
	int r = read_cpuacct(dir, ret);

	read_cpu(dir, ret);
	read_cpuset(dir, ret);
	stat_files(dir, pids, ARRAY_LEN(pids), ret);
	if (r >= 0)
		r = read_memory(dir, ret);
	if (r >= 0)
		r = cg_v1_stats_io(dir, ret);
	if (r >= 0)
		r = stat_named_read(dir, ret);
	return r < 0 ? r : read_hugetlb(dir, ret);
}
