// SPDX-License-Identifier: Apache-2.0
// Statistics of a cgroup v2 directory.
#include "cgroup/stats_read.h"

#include "base/str.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define AT(member) offsetof(struct cgroup_stats, member)

static void read_cpu(int dir, struct cgroup_stats *ret)
{
	static const struct stat_field keys[] = {
		{"usage_usec", AT(cpu.usage_ns), 1000},
		{"user_usec", AT(cpu.user_ns), 1000},
		{"system_usec", AT(cpu.system_ns), 1000},
		{"nr_periods", AT(cpu.periods), 1},
		{"nr_throttled", AT(cpu.throttled), 1},
		{"throttled_usec", AT(cpu.throttled_ns), 1000},
		{"nr_bursts", AT(cpu.bursts), 1},
		{"burst_usec", AT(cpu.burst_ns), 1000},
	};

	stat_keys(dir, "cpu.stat", keys, ARRAY_LEN(keys), ret);
}

/* Bytes of memory and swap together, which v2 does not count. */
static void add(struct stat_value *ret, const struct stat_value *a, const struct stat_value *b)
{
	if (!a->known || !b->known)
		return;
	ret->known = true;
	ret->value = a->value > STAT_MAX - b->value ? STAT_MAX : a->value + b->value;
}

static int read_memory(int dir, struct cgroup_stats *ret)
{
	static const struct stat_field files[] = {
		{"memory.max", AT(memory.usage.limit), 1},
		{"memory.peak", AT(memory.usage.max), 1},
		{"memory.swap.current", AT(memory.swap.usage), 1},
		{"memory.swap.max", AT(memory.swap.limit), 1},
		{"memory.swap.peak", AT(memory.swap.max), 1},
	};
	static const struct stat_field events[] = {
		{"low", AT(memory.low), 1},	      {"high", AT(memory.high), 1},
		{"max", AT(memory.at_max), 1},	      {"oom", AT(memory.oom), 1},
		{"oom_kill", AT(memory.oom_kill), 1},
	};
	static const struct stat_field stat[] = {
		{"file", AT(memory.cache), 1},
		{"kernel", AT(memory.kernel.usage), 1},
		{"sock", AT(memory.kernel_tcp.usage), 1},
	};
	struct stat_memory *m = &ret->memory;

	if (!stat_file(dir, "memory.current", &m->usage.usage))
		return 0;
	stat_files(dir, files, ARRAY_LEN(files), ret);
	stat_keys(dir, "memory.events", events, ARRAY_LEN(events), ret);
	stat_keys(dir, "memory.stat", stat, ARRAY_LEN(stat), ret);
	m->usage.failcnt = m->at_max;
	add(&m->with_swap.usage, &m->usage.usage, &m->swap.usage);
	add(&m->with_swap.limit, &m->usage.limit, &m->swap.limit);
	return stat_pairs(&ret->arena, dir, "memory.stat", &m->raw);
}

static int io_word(struct cgroup_stats *ret, struct stat_io *io, const char *word)
{
	static const struct {
		const char *key, *op;
		enum stat_io_kind kind;
	} keys[] = {
		{"rbytes=", "Read", STAT_IO_BYTES},    {"wbytes=", "Write", STAT_IO_BYTES},
		{"dbytes=", "Discard", STAT_IO_BYTES}, {"rios=", "Read", STAT_IO_SERVICED},
		{"wios=", "Write", STAT_IO_SERVICED},  {"dios=", "Discard", STAT_IO_SERVICED},
	};

	for (size_t i = 0; i < ARRAY_LEN(keys); i++) {
		const char *value = str_after(word, keys[i].key);

		if (!value || !stat_number(value, strlen(value), &io->value))
			continue;
		io->op = keys[i].op;
		return stat_io_add(&ret->arena, &ret->io[keys[i].kind], io);
	}
	return 0;
}

/* "8:0 rbytes=1 wbytes=2 rios=3 wios=4 dbytes=5 dios=6"; a device without traffic may have nothing behind its number. */
static int read_io(int dir, struct cgroup_stats *ret)
{
	_cleanup_buf_ struct buf text = {0};
	char *rest, *line, *word;
	int r = stat_text(dir, "io.stat", &text);

	if (r < 0)
		return r == -ENOMEM ? r : 0;
	rest = text.data;
	r = 0;
	while (r >= 0 && (line = strsep(&rest, "\n"))) {
		struct stat_io io;
		const char *words;

		if (!stat_device(line, &io, &words))
			continue;
		line += words - line;
		while (r >= 0 && (word = strsep(&line, " ")))
			r = io_word(ret, &io, word);
	}
	return r;
}

static int read_hugetlb(int dir, struct cgroup_stats *ret)
{
	int r = stat_hugetlb_sizes(ret, dir, ".current");

	for (size_t i = 0; r >= 0 && i < ret->hugetlb_len; i++) {
		struct stat_hugetlb *h = &ret->hugetlb[i];
		const struct stat_field max = {"max", 0, 1};
		char name[128];

		snprintf(name, sizeof(name), "hugetlb.%s.current", h->size);
		stat_file(dir, name, &h->usage.usage);
		snprintf(name, sizeof(name), "hugetlb.%s.max", h->size);
		stat_file(dir, name, &h->usage.limit);
		snprintf(name, sizeof(name), "hugetlb.%s.rsvd.current", h->size);
		stat_file(dir, name, &h->reserved);
		snprintf(name, sizeof(name), "hugetlb.%s.events", h->size);
		stat_keys(dir, name, &max, 1, &h->usage.failcnt);
	}
	return r;
}

int cg_v2_stats(int dir, struct cgroup_stats *ret)
{
	static const struct stat_field pids[] = {
		{"pids.current", AT(pids.current), 1},
		{"pids.max", AT(pids.limit), 1},
		{"pids.peak", AT(pids.max), 1},
	};
	int r;

	read_cpu(dir, ret);
	stat_files(dir, pids, ARRAY_LEN(pids), ret);
	ret->cpuset.cpus = stat_string(&ret->arena, dir, "cpuset.cpus.effective");
	ret->cpuset.mems = stat_string(&ret->arena, dir, "cpuset.mems.effective");
	stat_pressure(dir, "cpu.pressure", &ret->cpu_psi);
	stat_pressure(dir, "memory.pressure", &ret->memory_psi);
	stat_pressure(dir, "io.pressure", &ret->io_psi);
	r = read_memory(dir, ret);
	if (r >= 0)
		r = read_io(dir, ret);
	if (r >= 0)
		r = stat_named_read(dir, ret);
	return r < 0 ? r : read_hugetlb(dir, ret);
}
