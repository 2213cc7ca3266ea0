// SPDX-License-Identifier: Apache-2.0
// Checks of linux.resources: see check_resources.h.
#include "spec/check_resources.h"

#include "base/str.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>

/* Microseconds; the kernel's bounds of cpu.cfs_period_us, cpu.cfs_quota_us (min_cfs_quota_period, max_cfs_quota_period). */
#define PERIOD_MIN 1000
#define PERIOD_MAX 1000000
/* config-linux.md, "Memory": "The values are from 0 to 100". */
#define SWAPPINESS_MAX 100
/* config-linux.md, "Block IO": "range from 10 to 1000". */
#define WEIGHT_MIN 10
#define WEIGHT_MAX 1000
/* The kernel's own device numbers: 12 and 20 bits. */
#define MAJOR_MAX 0xfff
#define MINOR_MAX 0xfffff

__attribute__((format(printf, 3, 4))) static int bad(struct crun_error *err, const char *at,
						     const char *fmt, ...)
{
	char text[512];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	err_set(err, KIND_SPEC, EINVAL, "%s", text);
	return err_at(err, "/linux/resources/%s", at);
}

/* UPDATE: what is absent has a value already, which only the host knows. */
static int check_swap(const struct oci_linux_memory *m, bool update, struct crun_error *err)
{
	if (m->swap <= 0)
		return 0;
	if (update && m->limit == 0)
		return 0;
	if (m->limit <= 0)
		return bad(err, "memory/swap",
			   "a limit of memory and swap together needs a limit of memory");
	if (m->swap < m->limit)
		return bad(err, "memory/swap",
			   "memory and swap together (%" PRId64
			   ") cannot be less than memory (%" PRId64 ")",
			   m->swap, m->limit);
	return 0;
}

static int check_memory(const struct oci_linux_memory *m, bool update, struct crun_error *err)
{
	const struct {
		const char *at;
		int64_t value;
	} limits[] = {
		{"memory/limit", m->limit},
		{"memory/reservation", m->reservation},
		{"memory/swap", m->swap},
		{"memory/kernel", m->kernel},
		{"memory/kernelTCP", m->kernel_tcp},
	};

	for (size_t i = 0; i < sizeof(limits) / sizeof(limits[0]); i++) {
		if (limits[i].value < -1)
			return bad(
				err, limits[i].at,
				"expected a number of bytes, or -1 for no limit, and not %" PRId64,
				limits[i].value);
	}
	if (m->limit > 0 && m->reservation > m->limit)
		return bad(err, "memory/reservation",
			   "the reservation (%" PRId64 ") cannot be more than the limit (%" PRId64
			   ")",
			   m->reservation, m->limit);
	/* Engines pass "not set" on as -1. */
	if (m->has_swappiness && m->swappiness > SWAPPINESS_MAX && m->swappiness != UINT64_MAX)
		return bad(err, "memory/swappiness",
			   "expected a number from 0 to 100, and not %" PRIu64, m->swappiness);
	return check_swap(m, update, err);
}

/* What cpuset.cpus takes: "0-3,7" or "0-31:2/4". The kernel does the rest; this keeps out what would end the line. */
static int check_list(const char *list, const char *at, struct crun_error *err)
{
	if (list && list[strspn(list, "0123456789,-:/")])
		return bad(err, at,
			   "expected a list of numbers and ranges such as 0-3,7, and not `%s`",
			   list);
	return 0;
}

static int check_quota(const struct oci_linux_cpu *c, struct crun_error *err)
{
	if (c->period && (c->period < PERIOD_MIN || c->period > PERIOD_MAX))
		return bad(err, "cpu/period",
			   "expected 1000 to 1000000 microseconds, and not %" PRIu64, c->period);
	if (c->quota > 0 && c->quota < PERIOD_MIN)
		return bad(
			err, "cpu/quota",
			"expected at least 1000 microseconds, or -1 for no limit, and not %" PRId64,
			c->quota);
	if (c->quota > 0 && c->burst > (uint64_t)c->quota)
		return bad(err, "cpu/burst",
			   "the burst (%" PRIu64 ") cannot be more than the quota", c->burst);
	return 0;
}

static int check_cpu(const struct oci_linux_cpu *c, struct crun_error *err)
{
	int r = check_quota(c, err);

	if (r < 0)
		return r;
	if (c->realtime_runtime < -1)
		return bad(
			err, "cpu/realtimeRuntime",
			"expected a number of microseconds, or -1 for no limit, and not %" PRId64,
			c->realtime_runtime);
	if (c->realtime_period && c->realtime_runtime > 0 &&
	    (uint64_t)c->realtime_runtime > c->realtime_period)
		return bad(err, "cpu/realtimeRuntime",
			   "the run time (%" PRId64 ") cannot be more than the period",
			   c->realtime_runtime);
	if (c->idle != 0 && c->idle != 1)
		return bad(err, "cpu/idle", "expected 0 or 1, and not %" PRId64, c->idle);
	r = check_list(c->cpus, "cpu/cpus", err);
	return r < 0 ? r : check_list(c->mems, "cpu/mems", err);
}

static int check_number(int64_t n, int64_t max, const char *at, const char *what,
			struct crun_error *err)
{
	if (n < 0 || n > max)
		return bad(err, at, "expected a %s number from 0 to %" PRId64 ", and not %" PRId64,
			   what, max, n);
	return 0;
}

static int check_device_number(int64_t major, int64_t minor, const char *list, size_t index,
			       struct crun_error *err)
{
	char at[96];
	int r;

	snprintf(at, sizeof(at), "%s/%zu/major", list, index);
	r = check_number(major, MAJOR_MAX, at, "major", err);
	if (r < 0)
		return r;
	snprintf(at, sizeof(at), "%s/%zu/minor", list, index);
	return check_number(minor, MINOR_MAX, at, "minor", err);
}

static int check_weight(uint16_t weight, const char *at, struct crun_error *err)
{
	if (weight && (weight < WEIGHT_MIN || weight > WEIGHT_MAX))
		return bad(err, at, "expected a weight from 10 to 1000, and not %u", weight);
	return 0;
}

static int check_throttle(const struct oci_linux_throttle_device *d, size_t len, const char *list,
			  struct crun_error *err)
{
	int r = 0;

	for (size_t i = 0; r >= 0 && i < len; i++)
		r = check_device_number(d[i].major, d[i].minor, list, i, err);
	return r;
}

static int check_weights(const struct oci_linux_block_io *io, struct crun_error *err)
{
	int r = check_weight(io->weight, "blockIO/weight", err);

	if (r >= 0)
		r = check_weight(io->leaf_weight, "blockIO/leafWeight", err);
	for (size_t i = 0; r >= 0 && i < io->weight_device_len; i++) {
		const struct oci_linux_weight_device *d = &io->weight_device[i];
		char at[96];

		r = check_device_number(d->major, d->minor, "blockIO/weightDevice", i, err);
		snprintf(at, sizeof(at), "blockIO/weightDevice/%zu/weight", i);
		if (r >= 0)
			r = check_weight(d->weight, at, err);
		snprintf(at, sizeof(at), "blockIO/weightDevice/%zu/leafWeight", i);
		if (r >= 0)
			r = check_weight(d->leaf_weight, at, err);
		snprintf(at, sizeof(at), "blockIO/weightDevice/%zu", i);
		if (r >= 0 && !d->has_weight && !d->has_leaf_weight)
			r = bad(err, at, "expected `weight`, `leafWeight` or both");
	}
	return r;
}

static int check_block_io(const struct oci_linux_block_io *io, struct crun_error *err)
{
	int r = check_weights(io, err);

	if (r >= 0)
		r = check_throttle(io->throttle_read_bps_device, io->throttle_read_bps_device_len,
				   "blockIO/throttleReadBpsDevice", err);
	if (r >= 0)
		r = check_throttle(io->throttle_write_bps_device, io->throttle_write_bps_device_len,
				   "blockIO/throttleWriteBpsDevice", err);
	if (r >= 0)
		r = check_throttle(io->throttle_read_iops_device, io->throttle_read_iops_device_len,
				   "blockIO/throttleReadIOPSDevice", err);
	if (r >= 0)
		r = check_throttle(io->throttle_write_iops_device,
				   io->throttle_write_iops_device_len,
				   "blockIO/throttleWriteIOPSDevice", err);
	return r;
}

/* The size becomes part of a file name: "hugetlb.2MB.max". */
static int check_page_size(const char *size, size_t index, struct crun_error *err)
{
	size_t digits = size ? strspn(size, "0123456789") : 0;
	char at[64];

	if (digits > 0 && digits < 20 && size[0] != '0' && strchr("KMG", size[digits]) &&
	    size[digits] && str_eq(size + digits + 1, "B"))
		return 0;
	snprintf(at, sizeof(at), "hugepageLimits/%zu/pageSize", index);
	return bad(err, at, "expected a page size such as 64KB, 2MB or 1GB, and not `%s`",
		   size ? size : "");
}

static int check_hugepages(const struct oci_linux_resources *res, struct crun_error *err)
{
	for (size_t i = 0; i < res->hugepage_limits_len; i++) {
		const char *size = res->hugepage_limits[i].page_size;
		int r = check_page_size(size, i, err);

		if (r < 0)
			return r;
		for (size_t j = 0; j < i; j++) {
			if (str_eq(res->hugepage_limits[j].page_size, size))
				return bad(err, "hugepageLimits",
					   "there are two limits for pages of %s", size);
		}
	}
	return 0;
}

/* A word that goes into one line of a cgroup file together with others. */
static bool is_word(const char *s)
{
	if (!s || !*s)
		return false;
	for (; *s; s++) {
		if (isspace((unsigned char)*s) || iscntrl((unsigned char)*s))
			return false;
	}
	return true;
}

static int check_names(const struct oci_linux_resources *res, struct crun_error *err)
{
	for (size_t i = 0; res->network && i < res->network->priorities_len; i++) {
		char at[64];

		snprintf(at, sizeof(at), "network/priorities/%zu/name", i);
		if (!is_word(res->network->priorities[i].name))
			return bad(err, at,
				   "expected the name of a network interface, and not `%s`",
				   res->network->priorities[i].name);
	}
	for (size_t i = 0; res->rdma && i < res->rdma->len; i++) {
		const struct oci_linux_rdma *limits = &res->rdma->items[i].value;

		if (!is_word(res->rdma->items[i].key))
			return bad(err, "rdma", "expected the name of a device, and not `%s`",
				   res->rdma->items[i].key);
		if (!limits->has_hca_handles && !limits->has_hca_objects)
			return bad(err, "rdma",
				   "expected `hcaHandles`, `hcaObjects` or both for device `%s`",
				   res->rdma->items[i].key);
	}
	return 0;
}

/* Files that move or end processes, or hand controllers on: no limits, and ours to write. */
static const char *const not_limits[] = {
	"cgroup.procs",	 "cgroup.threads", "cgroup.kill",
	"cgroup.freeze", "cgroup.type",	   "cgroup.subtree_control",
};

/* A write of nothing is none, and of white space alone many files take for 0; the lists of cpuset are empty when they follow the cgroup above. */
static bool is_value(const char *key, const char *value)
{
	return value[strspn(value, " \t\n")] || str_after(key, "cpuset.");
}

static int check_unified(const struct oci_string_map *unified, struct crun_error *err)
{
	for (size_t i = 0; i < unified->len; i++) {
		const char *key = unified->items[i].key;
		char at[160];

		snprintf(at, sizeof(at), "unified/%s", strchr(key, '/') ? "" : key);
		if (!str_is_filename(key) || !is_word(key) || !strchr(key, '.'))
			return bad(
				err, at,
				"expected the name of a cgroup file such as memory.high, and not `%s`",
				key);
		if (!is_value(key, unified->items[i].value))
			return bad(err, at, "expected a value for `%s`, and not an empty one", key);
		for (size_t j = 0; j < sizeof(not_limits) / sizeof(not_limits[0]); j++) {
			if (str_eq(key, not_limits[j]))
				return bad(err, at, "`%s` is not a limit: the runtime writes it",
					   key);
		}
	}
	return 0;
}

static int check_rule_number(bool has, int64_t n, const char *what, size_t index,
			     struct crun_error *err)
{
	char at[64];

	snprintf(at, sizeof(at), "devices/%zu/%s", index, what);
	/* -1 is the engines' way to write '*'. */
	if (has && n != -1 && (n < 0 || n > INT32_MAX))
		return bad(err, at, "expected a %s number, or -1 for all, and not %" PRId64, what,
			   n);
	return 0;
}

static int check_device_rule(const struct oci_linux_device_cgroup *d, size_t i,
			     struct crun_error *err)
{
	char at[64];
	int r;

	snprintf(at, sizeof(at), "devices/%zu/type", i);
	if (d->type && (!d->type[0] || d->type[1] || !strchr("abc", d->type[0])))
		return bad(err, at,
			   "expected a (all), b (block) or c (character device), and not `%s`",
			   d->type);
	snprintf(at, sizeof(at), "devices/%zu/access", i);
	if (d->access && (!d->access[0] || d->access[strspn(d->access, "rwm")]))
		return bad(err, at, "expected letters of rwm (read, write, mknod), and not `%s`",
			   d->access);
	r = check_rule_number(d->has_major, d->major, "major", i, err);
	return r < 0 ? r : check_rule_number(d->has_minor, d->minor, "minor", i, err);
}

static int check(const struct oci_linux_resources *res, bool update, struct crun_error *err)
{
	int r = 0;

	if (!res)
		return 0;
	for (size_t i = 0; r >= 0 && i < res->devices_len; i++)
		r = check_device_rule(&res->devices[i], i, err);
	if (r >= 0 && res->memory)
		r = check_memory(res->memory, update, err);
	if (r >= 0 && res->cpu)
		r = check_cpu(res->cpu, err);
	if (r >= 0 && res->block_io)
		r = check_block_io(res->block_io, err);
	if (r >= 0)
		r = check_hugepages(res, err);
	if (r >= 0)
		r = check_names(res, err);
	if (r >= 0 && res->unified)
		r = check_unified(res->unified, err);
	return r;
}

int check_resources(const struct oci_linux_resources *res, struct crun_error *err)
{
	return check(res, false, err);
}

int check_resources_update(const struct oci_linux_resources *res, struct crun_error *err)
{
	return check(res, true, err);
}
