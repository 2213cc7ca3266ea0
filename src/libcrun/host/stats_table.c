// SPDX-License-Identifier: Apache-2.0
// `crun stats` for people: a page about one container, or a line for each.
#include "host/stats.h"

#include <inttypes.h>
#include <stdio.h>

#define CELL 32

/* "12.3 MiB", rounded down. */
static const char *bytes(char buf[CELL], const struct stat_value *v)
{
	static const char *const units[] = {"B", "KiB", "MiB", "GiB", "TiB", "PiB"};
	uint64_t tenths = v->value;
	size_t unit = 0;

	if (!v->known)
		snprintf(buf, CELL, "-");
	else if (v->value >= STAT_V1_MAX)
		snprintf(buf, CELL, "no limit");
	else if (v->value < 1024)
		snprintf(buf, CELL, "%" PRIu64 " B", v->value);
	if (!v->known || v->value < 1024 || v->value >= STAT_V1_MAX)
		return buf;
	for (unit = 1; tenths >= UINT64_C(1024) * 1024 && unit + 1 < ARRAY_LEN(units); unit++)
		tenths /= 1024;
	snprintf(buf, CELL, "%" PRIu64 ".%" PRIu64 " %s", tenths / 1024, tenths % 1024 * 10 / 1024,
		 units[unit]);
	return buf;
}

static const char *number(char buf[CELL], const struct stat_value *v)
{
	if (!v->known)
		snprintf(buf, CELL, "-");
	else if (v->value >= STAT_V1_MAX)
		snprintf(buf, CELL, "no limit");
	else
		snprintf(buf, CELL, "%" PRIu64, v->value);
	return buf;
}

/* Nanoseconds as "1.234 s". */
static const char *seconds(char buf[CELL], const struct stat_value *v)
{
	if (v->known)
		snprintf(buf, CELL, "%" PRIu64 ".%03u s", v->value / 1000000000,
			 (unsigned)(v->value % 1000000000 / 1000000));
	else
		snprintf(buf, CELL, "-");
	return buf;
}

static const char *percent(char buf[CELL], const struct stat_value *v)
{
	if (v->known)
		snprintf(buf, CELL, "%" PRIu64 ".%" PRIu64 " %%", v->value / 10, v->value % 10);
	else
		snprintf(buf, CELL, "-");
	return buf;
}

void stats_oom_sentence(const struct cgroup_oom *oom, struct buf *out)
{
	const char *tells = oom->likely ? " (as far as cgroup v1 tells)" : "";
	char of[CELL + 8] = "", cell[CELL];

	if (oom->limit.known && oom->limit.value < STAT_V1_MAX)
		snprintf(of, sizeof(of), " of %s", bytes(cell, &oom->limit));
	if (oom->kills == 1)
		buf_puts(out, "1 process was killed for lack of memory: ");
	else
		buf_printf(out,
			   "%" PRIu64 " processes were killed for lack of memory: ", oom->kills);
	switch (oom->scope) {
	case OOM_OWN:
		buf_printf(out, "the container reached its own limit%s%s", of, tells);
		break;
	case OOM_BELOW:
		buf_printf(
			out,
			"a cgroup that was made below the container's reached its limit%s, not the "
			"container itself",
			tells);
		break;
	case OOM_ABOVE:
		buf_printf(
			out,
			"cgroup `%s` above the container reached its limit%s%s, not the container "
			"itself",
			oom->path, of, tells);
		break;
	case OOM_HOST:
		buf_printf(out,
			   "the host ran out of it; neither the container nor a cgroup above it "
			   "reached a limit%s",
			   tells);
		break;
	case OOM_NONE:
	case OOM_UNKNOWN:
		buf_puts(out, "this kernel does not tell whose limit was reached");
		break;
	}
}

static void title(struct buf *out, const char *name)
{
	buf_printf(out, "%-12s", name);
}

static void write_cpu(const struct container_stats *stats, struct buf *out)
{
	const struct stat_cpu *cpu = &stats->cg.cpu;
	char a[CELL], b[CELL], c[CELL];

	title(out, "cpu");
	if (stats->cpu_permille.known)
		buf_printf(out, "%s, ", percent(a, &stats->cpu_permille));
	buf_printf(out, "%s (user %s, system %s)\n", seconds(a, &cpu->usage_ns),
		   seconds(b, &cpu->user_ns), seconds(c, &cpu->system_ns));
	if (cpu->throttled.known) {
		title(out, "throttled");
		buf_printf(out, "%s of %s periods, %s\n", number(a, &cpu->throttled),
			   number(b, &cpu->periods), seconds(c, &cpu->throttled_ns));
	}
}

static void write_memory(const struct stat_memory *m, struct buf *out)
{
	char a[CELL], b[CELL], c[CELL];

	if (!m->usage.usage.known)
		return;
	title(out, "memory");
	buf_printf(out, "%s (peak %s, limit %s)\n", bytes(a, &m->usage.usage),
		   bytes(b, &m->usage.max), bytes(c, &m->usage.limit));
	if (m->swap.usage.known) {
		title(out, "swap");
		buf_printf(out, "%s (peak %s, limit %s)\n", bytes(a, &m->swap.usage),
			   bytes(b, &m->swap.max), bytes(c, &m->swap.limit));
	}
	title(out, "");
	buf_printf(out, "low %s, high %s, max %s, ", number(a, &m->low), number(b, &m->high),
		   number(c, &m->at_max));
	buf_printf(out, "oom %s, oom_kill %s\n", number(a, &m->oom), number(b, &m->oom_kill));
}

static void write_io(const struct cgroup_stats *s, struct buf *out)
{
	char a[CELL], b[CELL], name[CELL];
	struct device_io d;
	size_t at = 0;

	while (stats_next_device(s, &at, &d)) {
		snprintf(name, sizeof(name), "io %u:%u", d.major, d.minor);
		title(out, name);
		buf_printf(out, "read %s (%s), ", bytes(a, &d.counters[IO_READ_BYTES]),
			   number(b, &d.counters[IO_READS]));
		buf_printf(out, "written %s (%s)\n", bytes(a, &d.counters[IO_WRITE_BYTES]),
			   number(b, &d.counters[IO_WRITES]));
	}
}

static void write_psi_line(const char *name, const struct stat_psi_line *line, struct buf *out)
{
	if (!line->known)
		return;
	buf_printf(out, "  %s %3" PRIu64 ".%02u %3" PRIu64 ".%02u %3" PRIu64 ".%02u %%", name,
		   line->avg10 / 100, (unsigned)(line->avg10 % 100), line->avg60 / 100,
		   (unsigned)(line->avg60 % 100), line->avg300 / 100,
		   (unsigned)(line->avg300 % 100));
}

/* The averages of 10, 60 and 300 seconds. */
static void write_psi(const char *name, const struct stat_psi *psi, struct buf *out)
{
	if (!psi->some.known)
		return;
	title(out, "pressure");
	buf_printf(out, "%-6s", name);
	write_psi_line("some", &psi->some, out);
	write_psi_line("full", &psi->full, out);
	buf_puts(out, "\n");
}

static void write_named(const struct cgroup_stats *s, struct buf *out)
{
	char a[CELL], b[CELL], c[CELL], d[CELL];

	for (size_t i = 0; i < s->rdma.len; i++) {
		const struct stat_named *n = &s->rdma.items[i];

		title(out, "rdma");
		buf_printf(out, "%s: %s handles (limit %s), %s objects (limit %s)\n", n->name,
			   number(a, &n->usage.usage), number(b, &n->usage.limit),
			   number(c, &n->objects.usage), number(d, &n->objects.limit));
	}
	for (size_t i = 0; i < s->misc.len; i++) {
		const struct stat_named *n = &s->misc.items[i];

		title(out, "misc");
		buf_printf(out, "%s: %s (peak %s, limit %s)\n", n->name, number(a, &n->usage.usage),
			   number(b, &n->usage.max), number(c, &n->usage.limit));
	}
}

static void write_rest(const struct container_stats *stats, struct buf *out)
{
	const struct stat_pids *p = &stats->cg.pids;
	char a[CELL], b[CELL], c[CELL];

	title(out, "pids");
	buf_printf(out, "%s (peak %s, limit %s)\n", number(a, &p->current), number(b, &p->max),
		   number(c, &p->limit));
	for (size_t i = 0; i < stats->cg.hugetlb_len; i++) {
		const struct stat_hugetlb *h = &stats->cg.hugetlb[i];

		title(out, "hugetlb");
		buf_printf(out, "%s: %s (reserved %s, limit %s)\n", h->size,
			   bytes(a, &h->usage.usage), bytes(b, &h->reserved),
			   bytes(c, &h->usage.limit));
	}
	write_named(&stats->cg, out);
	for (size_t i = 0; i < stats->net.len; i++) {
		const struct net_interface *n = &stats->net.items[i];
		const struct stat_value rx = {true, n->counters[NET_RX_BYTES]};
		const struct stat_value tx = {true, n->counters[NET_TX_BYTES]};

		title(out, "network");
		buf_printf(out, "%s: received %s, sent %s\n", n->name, bytes(a, &rx),
			   bytes(b, &tx));
	}
}

void stats_write_page(const struct container_stats *stats, struct buf *out)
{
	title(out, "container");
	buf_printf(out, "%s (%s)\n", stats->id, libcrun_status_name(stats->status));
	write_cpu(stats, out);
	write_memory(&stats->cg.memory, out);
	write_io(&stats->cg, out);
	write_rest(stats, out);
	write_psi("cpu", &stats->cg.cpu_psi, out);
	write_psi("memory", &stats->cg.memory_psi, out);
	write_psi("io", &stats->cg.io_psi, out);
	if (stats->oom.scope != OOM_NONE) {
		title(out, "oom");
		stats_oom_sentence(&stats->oom, out);
		buf_puts(out, "\n");
	}
}

#define ROW "%-32s  %-8s  %8s  %12s  %10s  %10s  %6s  %10s  %10s  %9s\n"

void stats_write_header(struct buf *out)
{
	buf_printf(out, ROW, "ID", "STATUS", "CPU", "CPU-TIME", "MEMORY", "LIMIT", "PIDS", "READ",
		   "WRITTEN", "OOM-KILLS");
}

void stats_write_row(const struct container_stats *stats, struct buf *out)
{
	char cpu[CELL], time[CELL], mem[CELL], limit[CELL], pids[CELL], rd[CELL], wr[CELL],
		kills[CELL];
	struct stat_value read = {0}, written = {0};
	struct device_io d;
	size_t at = 0;

	while (stats_next_device(&stats->cg, &at, &d)) {
		read.known |= d.counters[IO_READ_BYTES].known;
		read.value += d.counters[IO_READ_BYTES].value;
		written.known |= d.counters[IO_WRITE_BYTES].known;
		written.value += d.counters[IO_WRITE_BYTES].value;
	}
	buf_printf(out, ROW, stats->id, libcrun_status_name(stats->status),
		   percent(cpu, &stats->cpu_permille), seconds(time, &stats->cg.cpu.usage_ns),
		   bytes(mem, &stats->cg.memory.usage.usage),
		   bytes(limit, &stats->cg.memory.usage.limit),
		   number(pids, &stats->cg.pids.current), bytes(rd, &read), bytes(wr, &written),
		   number(kills, &stats->cg.memory.oom_kill));
}
