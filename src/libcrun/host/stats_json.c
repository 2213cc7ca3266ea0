// SPDX-License-Identifier: Apache-2.0
// The JSON of `crun stats`: only members of which something is known, all counters unsigned integers.
#include "host/stats.h"

#include "base/str.h"

#include <stdio.h>

void stats_json_member(struct oci_json *out, const char *key, const struct stat_value *v)
{
	if (!v->known)
		return;
	oci_json_key(out, key);
	oci_json_uint(out, v->value);
}

static void limit(struct oci_json *out, const struct stat_value *v)
{
	struct stat_value normal = {v->known, v->value >= STAT_V1_MAX ? STAT_MAX : v->value};

	stats_json_member(out, "limit", &normal);
}

static void begin(struct oci_json *out, const char *key)
{
	oci_json_key(out, key);
	oci_json_begin_object(out);
}

static void pressure_line(struct oci_json *out, const char *key, const char *total,
			  const struct stat_psi_line *line)
{
	if (!line->known)
		return;
	begin(out, key);
	oci_json_key(out, "avg10");
	oci_json_hundredths(out, line->avg10);
	oci_json_key(out, "avg60");
	oci_json_hundredths(out, line->avg60);
	oci_json_key(out, "avg300");
	oci_json_hundredths(out, line->avg300);
	oci_json_key(out, total);
	oci_json_uint(out, line->total);
	oci_json_end_object(out);
}

void stats_json_pressure(struct oci_json *out, const char *key, const char *total,
			 const struct stat_psi *p)
{
	if (!p->some.known && !p->full.known)
		return;
	begin(out, key);
	pressure_line(out, "some", total, &p->some);
	pressure_line(out, "full", total, &p->full);
	oci_json_end_object(out);
}

static void pressure(struct oci_json *out, const struct stat_psi *p)
{
	stats_json_pressure(out, "pressure", "total_us", p);
}

static void cpu(struct oci_json *out, const struct cgroup_stats *s)
{
	begin(out, "cpu");
	stats_json_member(out, "usage_ns", &s->cpu.usage_ns);
	stats_json_member(out, "user_ns", &s->cpu.user_ns);
	stats_json_member(out, "system_ns", &s->cpu.system_ns);
	stats_json_member(out, "periods", &s->cpu.periods);
	stats_json_member(out, "throttled_periods", &s->cpu.throttled);
	stats_json_member(out, "throttled_ns", &s->cpu.throttled_ns);
	stats_json_member(out, "bursts", &s->cpu.bursts);
	stats_json_member(out, "burst_ns", &s->cpu.burst_ns);
	oci_json_member_string(out, "cpus", s->cpuset.cpus);
	oci_json_member_string(out, "mems", s->cpuset.mems);
	pressure(out, &s->cpu_psi);
	oci_json_end_object(out);
}

static void memory(struct oci_json *out, const struct cgroup_stats *s)
{
	const struct stat_memory *m = &s->memory;

	if (!m->usage.usage.known && !s->memory_psi.some.known)
		return;
	begin(out, "memory");
	stats_json_member(out, "current", &m->usage.usage);
	stats_json_member(out, "peak", &m->usage.max);
	limit(out, &m->usage.limit);
	stats_json_member(out, "cache", &m->cache);
	if (m->swap.usage.known || m->swap.limit.known) {
		begin(out, "swap");
		stats_json_member(out, "current", &m->swap.usage);
		stats_json_member(out, "peak", &m->swap.max);
		limit(out, &m->swap.limit);
		oci_json_end_object(out);
	}
	if (m->at_max.known || m->oom_kill.known) {
		begin(out, "events");
		stats_json_member(out, "low", &m->low);
		stats_json_member(out, "high", &m->high);
		stats_json_member(out, "max", &m->at_max);
		stats_json_member(out, "oom", &m->oom);
		stats_json_member(out, "oom_kill", &m->oom_kill);
		oci_json_end_object(out);
	}
	pressure(out, &s->memory_psi);
	oci_json_end_object(out);
}

static void oom(struct oci_json *out, const struct cgroup_oom *o)
{
	static const char *const scopes[] = {
		[OOM_NONE] = "none",	  [OOM_OWN] = "container", [OOM_BELOW] = "below",
		[OOM_ABOVE] = "ancestor", [OOM_HOST] = "host",	   [OOM_UNKNOWN] = "unknown",
	};
	_cleanup_buf_ struct buf text = {0};

	if (o->scope == OOM_NONE)
		return;
	stats_oom_sentence(o, &text);
	begin(out, "oom");
	oci_json_key(out, "kills");
	oci_json_uint(out, o->kills);
	oci_json_member_string(out, "scope", scopes[o->scope]);
	oci_json_member_string(out, "cgroup", o->path[0] ? o->path : NULL);
	limit(out, &o->limit);
	oci_json_member_string(out, "message", text.data);
	oci_json_end_object(out);
}

static struct stat_value *counter_of(struct device_io *d, const char *op, bool bytes)
{
	static const char *const ops[] = {"Read", "Write", "Discard"};

	for (size_t i = 0; i < ARRAY_LEN(ops); i++) {
		if (str_eq(op, ops[i]))
			return &d->counters[(bytes ? IO_READ_BYTES : IO_READS) + i];
	}
	return NULL;
}

static void count(struct device_io *d, const struct stat_io *io, bool bytes)
{
	struct stat_value *v = counter_of(d, io->op, bytes);

	if (v)
		*v = (struct stat_value){.known = true, .value = io->value};
}

static bool is_of(const struct device_io *d, const struct stat_io *io)
{
	return io->major == d->major && io->minor == d->minor;
}

bool stats_next_device(const struct cgroup_stats *cg, size_t *at, struct device_io *ret)
{
	const struct stat_io_list *bytes = &cg->io[STAT_IO_BYTES];
	const struct stat_io_list *serviced = &cg->io[STAT_IO_SERVICED];

	if (*at >= bytes->len)
		return false;
	*ret = (struct device_io){.major = bytes->items[*at].major,
				  .minor = bytes->items[*at].minor};
	for (; *at < bytes->len && is_of(ret, &bytes->items[*at]); (*at)++)
		count(ret, &bytes->items[*at], true);
	for (size_t i = 0; i < serviced->len; i++) {
		if (is_of(ret, &serviced->items[i]))
			count(ret, &serviced->items[i], false);
	}
	return true;
}

static void io(struct oci_json *out, const struct cgroup_stats *s)
{
	static const char *const names[IO_COUNTERS] = {
		[IO_READ_BYTES] = "read_bytes",
		[IO_WRITE_BYTES] = "write_bytes",
		[IO_DISCARD_BYTES] = "discard_bytes",
		[IO_READS] = "reads",
		[IO_WRITES] = "writes",
		[IO_DISCARDS] = "discards",
	};
	struct device_io d;
	char device[32];
	size_t at = 0;

	begin(out, "io");
	oci_json_key(out, "devices");
	oci_json_begin_array(out);
	while (stats_next_device(s, &at, &d)) {
		snprintf(device, sizeof(device), "%u:%u", d.major, d.minor);
		oci_json_begin_object(out);
		oci_json_member_string(out, "device", device);
		for (int c = 0; c < IO_COUNTERS; c++)
			stats_json_member(out, names[c], &d.counters[c]);
		oci_json_end_object(out);
	}
	oci_json_end_array(out);
	pressure(out, &s->io_psi);
	oci_json_end_object(out);
}

static void hugetlb(struct oci_json *out, const struct cgroup_stats *s)
{
	if (s->hugetlb_len == 0)
		return;
	begin(out, "hugetlb");
	for (size_t i = 0; i < s->hugetlb_len; i++) {
		const struct stat_hugetlb *h = &s->hugetlb[i];

		begin(out, h->size);
		stats_json_member(out, "current", &h->usage.usage);
		stats_json_member(out, "reserved", &h->reserved);
		stats_json_member(out, "peak", &h->usage.max);
		limit(out, &h->usage.limit);
		stats_json_member(out, "failures", &h->usage.failcnt);
		oci_json_end_object(out);
	}
	oci_json_end_object(out);
}

static void counter(struct oci_json *out, const char *key, const struct stat_entry *e)
{
	begin(out, key);
	stats_json_member(out, "current", &e->usage);
	stats_json_member(out, "peak", &e->max);
	limit(out, &e->limit);
	stats_json_member(out, "failures", &e->failcnt);
	oci_json_end_object(out);
}

static void rdma(struct oci_json *out, const struct stat_named_list *devices)
{
	if (devices->len == 0)
		return;
	begin(out, "rdma");
	for (size_t i = 0; i < devices->len; i++) {
		begin(out, devices->items[i].name);
		counter(out, "hca_handle", &devices->items[i].usage);
		counter(out, "hca_object", &devices->items[i].objects);
		oci_json_end_object(out);
	}
	oci_json_end_object(out);
}

static void misc(struct oci_json *out, const struct stat_named_list *resources)
{
	if (resources->len == 0)
		return;
	begin(out, "misc");
	for (size_t i = 0; i < resources->len; i++)
		counter(out, resources->items[i].name, &resources->items[i].usage);
	oci_json_end_object(out);
}

static void network(struct oci_json *out, const struct net_stats *net)
{
	static const char *const names[NET_COUNTERS] = {
		[NET_RX_BYTES] = "rx_bytes",   [NET_RX_PACKETS] = "rx_packets",
		[NET_RX_ERRORS] = "rx_errors", [NET_RX_DROPPED] = "rx_dropped",
		[NET_TX_BYTES] = "tx_bytes",   [NET_TX_PACKETS] = "tx_packets",
		[NET_TX_ERRORS] = "tx_errors", [NET_TX_DROPPED] = "tx_dropped",
	};

	if (net->len == 0)
		return;
	oci_json_key(out, "network");
	oci_json_begin_array(out);
	for (size_t i = 0; i < net->len; i++) {
		oci_json_begin_object(out);
		oci_json_member_string(out, "name", net->items[i].name);
		for (int c = 0; c < NET_COUNTERS; c++) {
			oci_json_key(out, names[c]);
			oci_json_uint(out, net->items[i].counters[c]);
		}
		oci_json_end_object(out);
	}
	oci_json_end_array(out);
}

void stats_write_json(const struct container_stats *stats, struct oci_json *out)
{
	const struct stat_pids *p = &stats->cg.pids;

	oci_json_begin_object(out);
	oci_json_member_string(out, "id", stats->id);
	oci_json_member_string(out, "status", libcrun_status_name(stats->status));
	if (stats->any) {
		cpu(out, &stats->cg);
		memory(out, &stats->cg);
		oom(out, &stats->oom);
		io(out, &stats->cg);
		begin(out, "pids");
		stats_json_member(out, "current", &p->current);
		stats_json_member(out, "peak", &p->max);
		limit(out, &p->limit);
		oci_json_end_object(out);
		hugetlb(out, &stats->cg);
		rdma(out, &stats->cg.rdma);
		misc(out, &stats->cg.misc);
		network(out, &stats->net);
	}
	oci_json_end_object(out);
}
