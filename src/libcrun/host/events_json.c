// SPDX-License-Identifier: Apache-2.0
// The JSON of `crun events`, in the form that go-runc and its users read: all counters are unsigned integers.
#include "host/stats.h"

#include "base/number_list.h"
#include "base/str.h"

/* CPUs and memory nodes: the type there is a 16-bit number. */
#define LIST_END 65536

static void list(struct oci_json *out, const char *key, const struct stat_list *values)
{
	if (values->len == 0)
		return;
	oci_json_key(out, key);
	oci_json_begin_array(out);
	for (size_t i = 0; i < values->len; i++)
		oci_json_uint(out, values->items[i]);
	oci_json_end_array(out);
}

static void psi(struct oci_json *out, const struct stat_psi *p)
{
	stats_json_pressure(out, "psi", "total", p);
}

static void cpu(struct oci_json *out, const struct cgroup_stats *s)
{
	oci_json_key(out, "cpu");
	oci_json_begin_object(out);
	oci_json_key(out, "usage");
	oci_json_begin_object(out);
	stats_json_member(out, "total", &s->cpu.usage_ns);
	list(out, "percpu", &s->cpu.percpu);
	list(out, "percpu_kernel", &s->cpu.percpu_system);
	list(out, "percpu_user", &s->cpu.percpu_user);
	stats_json_member(out, "kernel", &s->cpu.system_ns);
	stats_json_member(out, "user", &s->cpu.user_ns);
	oci_json_end_object(out);
	oci_json_key(out, "throttling");
	oci_json_begin_object(out);
	stats_json_member(out, "periods", &s->cpu.periods);
	stats_json_member(out, "throttledPeriods", &s->cpu.throttled);
	stats_json_member(out, "throttledTime", &s->cpu.throttled_ns);
	oci_json_end_object(out);
	psi(out, &s->cpu_psi);
	oci_json_end_object(out);
}

static void numbers(struct oci_json *out, const char *key, const char *text)
{
	_cleanup_free_ unsigned long *mask = NULL;
	unsigned end;

	if (!text || number_list_parse(text, LIST_END, NULL, &end) < 0 || end == 0)
		return;
	mask = calloc(NUMBER_LIST_WORDS(end), sizeof(*mask));
	if (!mask || number_list_parse(text, LIST_END, mask, &end) < 0)
		return;
	oci_json_key(out, key);
	oci_json_begin_array(out);
	for (unsigned i = 0; i < end; i++) {
		if (mask[i / NUMBER_LIST_WORD_BITS] >> (i % NUMBER_LIST_WORD_BITS) & 1)
			oci_json_uint(out, i);
	}
	oci_json_end_array(out);
}

static void cpuset(struct oci_json *out, const struct stat_cpuset *s)
{
	oci_json_key(out, "cpuset");
	oci_json_begin_object(out);
	numbers(out, "cpus", s->cpus);
	stats_json_member(out, "cpu_exclusive", &s->cpu_exclusive);
	numbers(out, "mems", s->mems);
	stats_json_member(out, "mem_hardwall", &s->mem_hardwall);
	stats_json_member(out, "mem_exclusive", &s->mem_exclusive);
	stats_json_member(out, "memory_migrate", &s->memory_migrate);
	stats_json_member(out, "memory_spread_page", &s->memory_spread_page);
	stats_json_member(out, "memory_spread_slab", &s->memory_spread_slab);
	stats_json_member(out, "memory_pressure", &s->memory_pressure);
	stats_json_member(out, "sched_load_balance", &s->sched_load_balance);
	if (s->has_relax_domain_level)
		oci_json_member_int(out, "sched_relax_domain_level", s->relax_domain_level);
	oci_json_end_object(out);
}

static void entry(struct oci_json *out, const char *key, const struct stat_entry *e)
{
	oci_json_key(out, key);
	oci_json_begin_object(out);
	stats_json_member(out, "limit", &e->limit);
	stats_json_member(out, "usage", &e->usage);
	stats_json_member(out, "max", &e->max);
	stats_json_member(out, "failcnt", &e->failcnt);
	oci_json_end_object(out);
}

static void memory(struct oci_json *out, const struct cgroup_stats *s)
{
	const struct stat_memory *m = &s->memory;

	oci_json_key(out, "memory");
	oci_json_begin_object(out);
	stats_json_member(out, "cache", &m->cache);
	entry(out, "usage", &m->usage);
	/* Memory and swap together: v1 counts them so, and readers expect it of v2, too. */
	entry(out, "swap", &m->with_swap);
	entry(out, "kernel", &m->kernel);
	entry(out, "kernelTCP", &m->kernel_tcp);
	if (m->raw.len > 0) {
		oci_json_key(out, "raw");
		oci_json_begin_object(out);
		for (size_t i = 0; i < m->raw.len; i++) {
			oci_json_key(out, m->raw.items[i].key);
			oci_json_uint(out, m->raw.items[i].value);
		}
		oci_json_end_object(out);
	}
	psi(out, &s->memory_psi);
	oci_json_end_object(out);
}

static void pids(struct oci_json *out, const struct stat_pids *s)
{
	/* There no limit is 0. */
	struct stat_value limit = {s->limit.known, s->limit.value == STAT_MAX ? 0 : s->limit.value};

	oci_json_key(out, "pids");
	oci_json_begin_object(out);
	stats_json_member(out, "current", &s->current);
	stats_json_member(out, "limit", &limit);
	oci_json_end_object(out);
}

static void blkio(struct oci_json *out, const struct cgroup_stats *s)
{
	static const char *const names[STAT_IO_KINDS] = {
		[STAT_IO_BYTES] = "ioServiceBytesRecursive",
		[STAT_IO_SERVICED] = "ioServicedRecursive",
		[STAT_IO_QUEUED] = "ioQueueRecursive",
		[STAT_IO_SERVICE_TIME] = "ioServiceTimeRecursive",
		[STAT_IO_WAIT_TIME] = "ioWaitTimeRecursive",
		[STAT_IO_MERGED] = "ioMergedRecursive",
		[STAT_IO_TIME] = "ioTimeRecursive",
		[STAT_IO_SECTORS] = "sectorsRecursive",
	};

	oci_json_key(out, "blkio");
	oci_json_begin_object(out);
	for (int kind = 0; kind < STAT_IO_KINDS; kind++) {
		if (s->io[kind].len == 0)
			continue;
		oci_json_key(out, names[kind]);
		oci_json_begin_array(out);
		for (size_t i = 0; i < s->io[kind].len; i++) {
			const struct stat_io *io = &s->io[kind].items[i];

			oci_json_begin_object(out);
			oci_json_member_int(out, "major", io->major);
			oci_json_member_int(out, "minor", io->minor);
			oci_json_member_string(out, "op", io->op);
			oci_json_key(out, "value");
			oci_json_uint(out, io->value);
			oci_json_end_object(out);
		}
		oci_json_end_array(out);
	}
	psi(out, &s->io_psi);
	oci_json_end_object(out);
}

static void hugetlb(struct oci_json *out, const struct cgroup_stats *s)
{
	oci_json_key(out, "hugetlb");
	oci_json_begin_object(out);
	for (size_t i = 0; i < s->hugetlb_len; i++) {
		const struct stat_hugetlb *h = &s->hugetlb[i];

		oci_json_key(out, h->size);
		oci_json_begin_object(out);
		stats_json_member(out, "usage", h->reserved.known ? &h->reserved : &h->usage.usage);
		stats_json_member(out, "max", &h->usage.max);
		stats_json_member(out, "failcnt", &h->usage.failcnt);
		oci_json_end_object(out);
	}
	oci_json_end_object(out);
}

static void network(struct oci_json *out, const struct net_stats *net)
{
	static const char *const names[NET_COUNTERS] = {
		[NET_RX_BYTES] = "RxBytes",   [NET_RX_PACKETS] = "RxPackets",
		[NET_RX_ERRORS] = "RxErrors", [NET_RX_DROPPED] = "RxDropped",
		[NET_TX_BYTES] = "TxBytes",   [NET_TX_PACKETS] = "TxPackets",
		[NET_TX_ERRORS] = "TxErrors", [NET_TX_DROPPED] = "TxDropped",
	};

	oci_json_key(out, "network_interfaces");
	if (net->len == 0) {
		oci_json_null(out);
		return;
	}
	oci_json_begin_array(out);
	for (size_t i = 0; i < net->len; i++) {
		oci_json_begin_object(out);
		oci_json_member_string(out, "Name", net->items[i].name);
		for (int c = 0; c < NET_COUNTERS; c++) {
			oci_json_key(out, names[c]);
			oci_json_uint(out, net->items[i].counters[c]);
		}
		oci_json_end_object(out);
	}
	oci_json_end_array(out);
}

static void rdt_domains(const struct intelrdt_stats *s, struct oci_json *out)
{
	bool cmt = false, mbm = false;

	for (size_t i = 0; i < s->domains_len; i++) {
		cmt |= s->domains[i].occupancy.known;
		mbm |= s->domains[i].total.known || s->domains[i].local.known;
	}
	if (mbm) {
		oci_json_key(out, "mbm_stats");
		oci_json_begin_array(out);
		for (size_t i = 0; i < s->domains_len; i++) {
			oci_json_begin_object(out);
			stats_json_member(out, "mbm_total_bytes", &s->domains[i].total);
			stats_json_member(out, "mbm_local_bytes", &s->domains[i].local);
			oci_json_end_object(out);
		}
		oci_json_end_array(out);
	}
	if (cmt) {
		oci_json_key(out, "cmt_stats");
		oci_json_begin_array(out);
		for (size_t i = 0; i < s->domains_len; i++) {
			oci_json_begin_object(out);
			stats_json_member(out, "llc_occupancy", &s->domains[i].occupancy);
			oci_json_end_object(out);
		}
		oci_json_end_array(out);
	}
}

static void intel_rdt(const struct intelrdt_stats *s, struct oci_json *out)
{
	if (s->cbm_mask) {
		oci_json_key(out, "l3_cache_info");
		oci_json_begin_object(out);
		oci_json_member_string(out, "cbm_mask", s->cbm_mask);
		stats_json_member(out, "min_cbm_bits", &s->min_cbm_bits);
		stats_json_member(out, "num_closids", &s->l3_closids);
		oci_json_end_object(out);
	}
	oci_json_member_string(out, "l3_cache_schema_root", s->l3_root);
	oci_json_member_string(out, "l3_cache_schema", s->l3);
	if (s->bandwidth_gran.known) {
		oci_json_key(out, "mem_bw_info");
		oci_json_begin_object(out);
		stats_json_member(out, "bandwidth_gran", &s->bandwidth_gran);
		stats_json_member(out, "delay_linear", &s->delay_linear);
		stats_json_member(out, "min_bandwidth", &s->min_bandwidth);
		stats_json_member(out, "num_closids", &s->mb_closids);
		oci_json_end_object(out);
	}
	oci_json_member_string(out, "mem_bw_schema_root", s->mb_root);
	oci_json_member_string(out, "mem_bw_schema", s->mb);
	rdt_domains(s, out);
}

void events_write(const struct container_stats *stats, struct oci_json *out)
{
	oci_json_begin_object(out);
	oci_json_member_string(out, "type", "stats");
	oci_json_member_string(out, "id", stats->id);
	oci_json_key(out, "data");
	oci_json_begin_object(out);
	cpu(out, &stats->cg);
	cpuset(out, &stats->cg.cpuset);
	memory(out, &stats->cg);
	pids(out, &stats->cg.pids);
	blkio(out, &stats->cg);
	hugetlb(out, &stats->cg);
	oci_json_key(out, "intel_rdt");
	oci_json_begin_object(out);
	intel_rdt(&stats->rdt, out);
	oci_json_end_object(out);
	network(out, &stats->net);
	oci_json_end_object(out);
	oci_json_end_object(out);
}
