// SPDX-License-Identifier: Apache-2.0
// What of linux.resources, the device rules and the annotations systemd is told as properties of the scope.
#include "cgroup/controllers.h"
#include "cgroup/devices.h"
#include "cgroup/systemd.h"

#include "base/number_list.h"
#include "base/str.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define UNLIMITED      UINT64_MAX
#define MAX_LIST       4096 /* CPUs or memory nodes */
#define DEFAULT_PERIOD 100000
#define ANNOTATION     "org.systemd.property."

static uint64_t limit_of(int64_t value)
{
	return value < 0 ? UNLIMITED : (uint64_t)value;
}

static int optional(struct cg_props *props, const char *name, int r)
{
	for (size_t i = 0; r >= 0 && i < props->len; i++) {
		if (str_eq(props->items[i].name, name))
			props->items[i].optional = true;
	}
	return r;
}

static int set_optional(struct cg_props *props, const char *name, uint64_t value)
{
	return optional(props, name, cg_prop_u64(props, name, value));
}

static int memory(const struct oci_linux_memory *mem, bool v2, struct cg_props *props)
{
	int r = 0;

	if (!mem)
		return 0;
	if (mem->limit)
		r = cg_prop_u64(props, v2 ? "MemoryMax" : "MemoryLimit", limit_of(mem->limit));
	/* v1: systemd has neither soft limits nor swap there. */
	if (r >= 0 && v2 && mem->reservation)
		r = cg_prop_u64(props, "MemoryLow", limit_of(mem->reservation));
	/* As in v2/memory.c: linux.resources counts memory and swap together. */
	if (r >= 0 && v2 && mem->swap > 0)
		r = set_optional(props, "MemorySwapMax",
				 mem->limit > 0 && mem->swap > mem->limit
					 ? (uint64_t)(mem->swap - mem->limit)
					 : 0);
	else if (r >= 0 && v2 && (mem->swap < 0 || (mem->swap == 0 && mem->limit < 0)))
		r = set_optional(props, "MemorySwapMax", UNLIMITED);
	return r;
}

/*
 * systemd keeps the quota as whole percents of a CPU, in the file that a daemon-reload reads: rounded down it would be less than what the
 * container may use. The container's own cpu.max is exact.
 */
static int quota(int64_t quota_us, uint64_t period, struct cg_props *props)
{
	uint64_t per_second = UNLIMITED;
	int r;

	if (!period)
		period = DEFAULT_PERIOD;
	if (quota_us > 0) {
		if ((uint64_t)quota_us > UINT64_MAX / 1000000)
			return 0;
		per_second = (uint64_t)quota_us * 1000000 / period;
		per_second = (per_second + 9999) / 10000 * 10000;
	}
	r = cg_prop_u64(props, "CPUQuotaPerSecUSec", per_second);
	return r < 0 ? r : set_optional(props, "CPUQuotaPeriodUSec", period);
}

/* AllowedCPUs and AllowedMemoryNodes: a bit per number, the lowest first. */
static int numbers(const char *name, const char *list, struct cg_props *props)
{
	unsigned long mask[NUMBER_LIST_WORDS(MAX_LIST)] = {0};
	struct cg_prop *p;
	unsigned end;

	if (!list || !list[0] || number_list_parse(list, MAX_LIST, mask, &end) < 0 || !end)
		return 0; /* what is wrong with it the kernel says when we write the file */
	p = cg_prop_set(props, name, 'Y');
	if (!p)
		return -ENOMEM;
	p->optional = true;
	p->len = (end + 7) / 8;
	p->numbers = calloc(p->len, sizeof(*p->numbers));
	if (!p->numbers) {
		p->len = 0;
		return -ENOMEM;
	}
	for (unsigned i = 0; i < end; i++) {
		if (mask[i / NUMBER_LIST_WORD_BITS] & (1UL << (i % NUMBER_LIST_WORD_BITS)))
			p->numbers[i / 8] |= 1U << (i % 8);
	}
	return 0;
}

static int cpu(const struct oci_linux_cpu *c, bool v2, struct cg_props *props)
{
	int r = 0;

	if (!c)
		return 0;
	/* Idle among its siblings is the scope, or it means nothing: what is below the scope has no siblings. */
	if (v2 && c->idle > 0)
		r = set_optional(props, "CPUWeight", 0);
	else if (c->shares)
		r = v2 ? cg_prop_u64(props, "CPUWeight", cg_v2_weight_of_shares(c->shares))
		       : cg_prop_u64(props, "CPUShares",
				     c->shares > 262144 ? 262144 : (c->shares < 2 ? 2 : c->shares));
	/* systemd has no burst: a quota of the scope would take away that of the container. */
	if (r >= 0 && (c->quota || c->period) && !c->burst)
		r = quota(c->quota, c->period, props);
	/* v1: systemd leaves cpusets alone. */
	if (r >= 0 && v2)
		r = numbers("AllowedCPUs", c->cpus, props);
	if (r >= 0 && v2)
		r = numbers("AllowedMemoryNodes", c->mems, props);
	return r;
}

static int device_values(const char *name, const struct oci_linux_throttle_device *devices,
			 size_t len, struct cg_props *props)
{
	char path[64];
	int r = 0;

	for (size_t i = 0; r >= 0 && i < len; i++) {
		snprintf(path, sizeof(path), "/dev/block/%" PRId64 ":%" PRId64, devices[i].major,
			 devices[i].minor);
		r = cg_prop_entry(props, name, 'T', path, NULL,
				  devices[i].rate ? devices[i].rate : UNLIMITED);
	}
	return optional(props, name, r);
}

static int block_io(const struct oci_linux_block_io *io, bool v2, struct cg_props *props)
{
	int r = 0;

	if (!io)
		return 0;
	if (io->weight)
		r = v2 ? set_optional(props, "IOWeight", cg_v2_io_weight(io->weight))
		       : set_optional(props, "BlockIOWeight", io->weight);
	for (size_t i = 0; r >= 0 && v2 && i < io->weight_device_len; i++) {
		const struct oci_linux_weight_device *d = &io->weight_device[i];
		char path[64];

		if (!d->weight)
			continue;
		snprintf(path, sizeof(path), "/dev/block/%" PRId64 ":%" PRId64, d->major, d->minor);
		r = cg_prop_entry(props, "IODeviceWeight", 'T', path, NULL,
				  cg_v2_io_weight(d->weight));
	}
	r = optional(props, "IODeviceWeight", r);
	if (r >= 0)
		r = device_values("IOReadBandwidthMax", io->throttle_read_bps_device,
				  io->throttle_read_bps_device_len, props);
	if (r >= 0)
		r = device_values("IOWriteBandwidthMax", io->throttle_write_bps_device,
				  io->throttle_write_bps_device_len, props);
	if (r >= 0)
		r = device_values("IOReadIOPSMax", io->throttle_read_iops_device,
				  io->throttle_read_iops_device_len, props);
	if (r >= 0)
		r = device_values("IOWriteIOPSMax", io->throttle_write_iops_device,
				  io->throttle_write_iops_device_len, props);
	return r;
}

/* ---- unified: the files that have a property of the same meaning; the others are the container's own alone ---- */

/* "max", "1000", "64M" as the kernel reads them. False for what is too large, too: that the kernel refuses, or takes for something else. */
static bool read_limit(const char *text, uint64_t *ret)
{
	static const char units[] = "KMGT";
	const char *unit;
	unsigned shift;
	char *end;

	if (str_eq(text, "max")) {
		*ret = UNLIMITED;
		return true;
	}
	if (*text < '0' || *text > '9')
		return false;
	errno = 0;
	*ret = strtoull(text, &end, 0);
	if (errno)
		return false;
	unit = isalpha((unsigned char)*end) ? strchr(units, *end & ~0x20) : NULL;
	if (unit)
		end++;
	/* The kernel strips blanks. */
	if (end[strspn(end, " \t\n")])
		return false;
	shift = unit ? 10 * (unsigned)(unit - units + 1) : 0;
	if (*ret > UINT64_MAX >> shift)
		return false;
	*ret <<= shift;
	return true;
}

static int unified_limit(const char *key, const char *value, struct cg_props *props)
{
	static const struct {
		const char *file, *property;
	} table[] = {
		{"memory.max", "MemoryMax"},	      {"memory.high", "MemoryHigh"},
		{"memory.low", "MemoryLow"},	      {"memory.min", "MemoryMin"},
		{"memory.swap.max", "MemorySwapMax"}, {"pids.max", "TasksMax"},
		{"cpu.weight", "CPUWeight"},
	};
	uint64_t number;

	for (size_t i = 0; i < ARRAY_LEN(table); i++) {
		if (str_eq(key, table[i].file) && read_limit(value, &number))
			return set_optional(props, table[i].property, number);
	}
	return 0;
}

/* "max", "50000", "50000 100000". */
static int unified_cpu_max(const char *value, struct cg_props *props)
{
	uint64_t max, period = DEFAULT_PERIOD;
	char text[32];
	size_t n = strcspn(value, " ");

	if (n >= sizeof(text))
		return 0;
	memcpy(text, value, n);
	text[n] = '\0';
	if (!read_limit(text, &max) || (value[n] && !read_limit(value + n + 1, &period)))
		return 0;
	return quota(max > INT64_MAX ? -1 : (int64_t)max, period, props);
}

static int unified(const struct oci_string_map *map, struct cg_props *props)
{
	int r = 0;

	for (size_t i = 0; r >= 0 && map && i < map->len; i++) {
		const char *key = map->items[i].key, *value = map->items[i].value;

		if (str_eq(key, "cpu.max"))
			r = unified_cpu_max(value, props);
		else if (str_eq(key, "cpuset.cpus"))
			r = numbers("AllowedCPUs", value, props);
		else if (str_eq(key, "cpuset.mems"))
			r = numbers("AllowedMemoryNodes", value, props);
		else if (str_eq(key, "cpu.idle") && str_eq(value, "1"))
			r = set_optional(props, "CPUWeight", 0);
		else
			r = unified_limit(key, value, props);
	}
	return r;
}

int cg_props_of_resources(const struct oci_linux_resources *res, bool v2, struct cg_props *props)
{
	int r;

	if (!res)
		return 0;
	r = memory(res->memory, v2, props);
	if (r >= 0)
		r = cpu(res->cpu, v2, props);
	if (r >= 0 && res->pids && res->pids->has_limit)
		r = cg_prop_u64(props, "TasksMax",
				res->pids->limit > 0 ? (uint64_t)res->pids->limit : UNLIMITED);
	if (r >= 0)
		r = block_io(res->block_io, v2, props);
	if (r >= 0 && v2)
		r = unified(res->unified, props);
	return r;
}

/* ---- devices ---- */

enum { DEVICE_NAME = 64 };

/* "/dev/char/1:3" is understood by its numbers: the link need not exist. A minor number alone cannot be said. */
static void device_name(const struct cg_rule *rule, uint8_t type, char name[DEVICE_NAME])
{
	const char *kind = type == BPF_DEVCG_DEV_CHAR ? "char" : "block";

	if (rule->major == CG_ANY)
		snprintf(name, DEVICE_NAME, "%s-*", kind);
	else if (rule->minor == CG_ANY)
		snprintf(name, DEVICE_NAME, "%s-%d", kind, rule->major);
	else
		snprintf(name, DEVICE_NAME, "/dev/%s/%d:%d", kind, rule->major, rule->minor);
}

static bool allows_some(const struct cg_rule *rule, uint8_t type)
{
	uint8_t other = type == BPF_DEVCG_DEV_CHAR ? BPF_DEVCG_DEV_BLOCK : BPF_DEVCG_DEV_CHAR;

	return rule->allow && rule->type != other;
}

/*
 * One entry for what all the rules of RULES from FIRST on with the name of the one at INDEX allow together: of two entries of one
 * name systemd keeps the later alone.
 */
static int allow_device(const struct cg_rules *rules, size_t first, size_t index, uint8_t type,
			struct cg_props *props)
{
	char access[4] = "", name[DEVICE_NAME], other[DEVICE_NAME];
	uint32_t bits = 0;
	size_t n = 0;

	device_name(&rules->items[index], type, name);
	for (size_t i = first; i < rules->len; i++) {
		if (!allows_some(&rules->items[i], type))
			continue;
		device_name(&rules->items[i], type, other);
		if (strcmp(name, other))
			continue;
		if (i < index)
			return 0; /* has been said */
		bits |= rules->items[i].access;
	}
	if (bits & BPF_DEVCG_ACC_READ)
		access[n++] = 'r';
	if (bits & BPF_DEVCG_ACC_WRITE)
		access[n++] = 'w';
	if (bits & BPF_DEVCG_ACC_MKNOD)
		access[n++] = 'm';
	access[n] = '\0';
	return n ? cg_prop_entry(props, "DeviceAllow", 'P', name, access, 0) : 0;
}

int cg_props_of_devices(const struct cg_rules *rules, struct cg_props *props)
{
	size_t first = 0;
	bool all;
	int r;

	/* What comes before a rule for everything counts for nothing. */
	for (size_t i = 0; i < rules->len; i++) {
		if (cg_rule_is_total(&rules->items[i]))
			first = i;
	}
	all = rules->len && cg_rule_is_total(&rules->items[first]) && rules->items[first].allow;
	r = cg_prop_string(props, "DevicePolicy", all ? "auto" : "strict");
	for (size_t i = first; r >= 0 && !all && i < rules->len; i++) {
		if (allows_some(&rules->items[i], BPF_DEVCG_DEV_CHAR))
			r = allow_device(rules, first, i, BPF_DEVCG_DEV_CHAR, props);
		if (r >= 0 && allows_some(&rules->items[i], BPF_DEVCG_DEV_BLOCK))
			r = allow_device(rules, first, i, BPF_DEVCG_DEV_BLOCK, props);
	}
	return r;
}

int cg_props_of_annotations(const struct oci_string_map *annotations, struct cg_props *props,
			    struct crun_error *err)
{
	for (size_t i = 0; annotations && i < annotations->len; i++) {
		const char *key = annotations->items[i].key, *value = annotations->items[i].value;
		const char *name = str_after(key, ANNOTATION), *reason;
		int r;

		if (!name)
			continue;
		r = cg_prop_parse(props, name, value, &reason);
		if (r == -ENOMEM)
			return err_sys(err, r, "annotation `%s`", key);
		if (r < 0) {
			err_set(err, KIND_SPEC, EINVAL, "annotation `%s`: `%s` %s", key, value,
				reason);
			return err_at_key(err, "/annotations", key);
		}
	}
	return 0;
}
