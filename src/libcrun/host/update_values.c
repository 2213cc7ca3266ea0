// SPDX-License-Identifier: Apache-2.0
// The request of an update: see update_values.h.
#include "host/update_values.h"

#include "base/cleanup.h"
#include "base/str.h"
#include "spec/check_resources.h"
#include "sys/file.h"

#include <ctype.h>
#include <errno.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

enum object { MEMORY, CPU, PIDS, BLOCK_IO, OBJECTS };

enum kind {
	SIZE,	/* int64: bytes, with a unit, or -1 */
	SIGNED, /* int64 */
	COUNT,	/* uint64 */
	WEIGHT, /* uint16 */
	LIST,	/* string */
};

/* One option, and the field that it stands for. */
static const struct value {
	const char *option;
	const char *key; /* the field's pointer */
	size_t text;	 /* in struct libcrun_update_options */
	enum object object;
	enum kind kind;
	size_t field, given; /* in the object */
} values[] = {
#define VALUE(option, key, text, object, kind, type, name)                                \
	{                                                                                 \
		option, key, offsetof(struct libcrun_update_options, text), object, kind, \
			offsetof(struct oci_linux_##type, name),                          \
			offsetof(struct oci_linux_##type, has_##name)                     \
	}
#define TEXT(option, key, text, name)                                                  \
	{                                                                              \
		option, key, offsetof(struct libcrun_update_options, text), CPU, LIST, \
			offsetof(struct oci_linux_cpu, name), 0                        \
	}
	VALUE("--memory", "memory/limit", memory, MEMORY, SIZE, memory, limit),
	VALUE("--memory-reservation", "memory/reservation", memory_reservation, MEMORY, SIZE,
	      memory, reservation),
	VALUE("--memory-swap", "memory/swap", memory_swap, MEMORY, SIZE, memory, swap),
	VALUE("--kernel-memory", "memory/kernel", kernel_memory, MEMORY, SIZE, memory, kernel),
	VALUE("--kernel-memory-tcp", "memory/kernelTCP", kernel_memory_tcp, MEMORY, SIZE, memory,
	      kernel_tcp),
	VALUE("--cpu-share", "cpu/shares", cpu_shares, CPU, COUNT, cpu, shares),
	VALUE("--cpu-period", "cpu/period", cpu_period, CPU, COUNT, cpu, period),
	VALUE("--cpu-quota", "cpu/quota", cpu_quota, CPU, SIGNED, cpu, quota),
	VALUE("--cpu-burst", "cpu/burst", cpu_burst, CPU, COUNT, cpu, burst),
	VALUE("--cpu-rt-period", "cpu/realtimePeriod", cpu_rt_period, CPU, COUNT, cpu,
	      realtime_period),
	VALUE("--cpu-rt-runtime", "cpu/realtimeRuntime", cpu_rt_runtime, CPU, SIGNED, cpu,
	      realtime_runtime),
	VALUE("--cpu-idle", "cpu/idle", cpu_idle, CPU, SIGNED, cpu, idle),
	TEXT("--cpuset-cpus", "cpu/cpus", cpuset_cpus, cpus),
	TEXT("--cpuset-mems", "cpu/mems", cpuset_mems, mems),
	VALUE("--pids-limit", "pids/limit", pids_limit, PIDS, SIGNED, pids, limit),
	VALUE("--blkio-weight", "blockIO/weight", blkio_weight, BLOCK_IO, WEIGHT, block_io, weight),
#undef VALUE
#undef TEXT
};

static const size_t object_sizes[OBJECTS] = {
	[MEMORY] = sizeof(struct oci_linux_memory),
	[CPU] = sizeof(struct oci_linux_cpu),
	[PIDS] = sizeof(struct oci_linux_pids),
	[BLOCK_IO] = sizeof(struct oci_linux_block_io),
};

static const char *text_of(const struct libcrun_update_options *opts, const struct value *v)
{
	return *(const char *const *)((const char *)opts + v->text);
}

/* "64m", "64M", "64mb", "64MiB": powers of 1024, as other runtimes have it. "-1": no limit. */
static int parse_size(const char *text, int64_t *ret)
{
	static const char units[] = "kmgtp";
	size_t digits = strspn(text, "0123456789");
	const char *rest = text + digits, *unit;
	unsigned shift = 0;
	char number[24];
	uint64_t n;

	if (str_eq(text, "-1")) {
		*ret = -1;
		return 0;
	}
	if (digits == 0 || digits >= sizeof(number))
		return -EINVAL;
	memcpy(number, text, digits);
	number[digits] = '\0';
	if (str_to_u64(number, INT64_MAX, &n) < 0)
		return -ERANGE;
	unit = *rest ? strchr(units, tolower((unsigned char)*rest)) : NULL;
	if (unit) {
		shift = 10 * (unsigned)(unit - units + 1);
		rest++;
		if (tolower((unsigned char)rest[0]) == 'i' && rest[1])
			rest++;
	}
	if (tolower((unsigned char)rest[0]) == 'b')
		rest++;
	if (*rest)
		return -EINVAL;
	if (n > (uint64_t)INT64_MAX >> shift)
		return -ERANGE;
	*ret = (int64_t)(n << shift);
	return 0;
}

static int store(const struct value *v, const char *text, char *object)
{
	void *field = object + v->field;
	uint64_t n = 0;
	int r = 0;

	switch (v->kind) {
	case SIZE:
		r = parse_size(text, field);
		break;
	case SIGNED:
		r = str_to_i64(text, field);
		break;
	case COUNT:
		r = str_to_u64(text, UINT64_MAX, field);
		break;
	case WEIGHT:
		r = str_to_u64(text, UINT16_MAX, &n);
		*(uint16_t *)field = (uint16_t)n;
		break;
	case LIST:
		*(const char **)field = text;
		return 0;
	}
	*(bool *)(object + v->given) = true;
	return r;
}

static int bad_value(const struct value *v, const char *text, int r, struct crun_error *err)
{
	static const char *const expected[] = {
		[SIZE] = "a number of bytes, which may have the unit k, m, g, t or p, or -1",
		[SIGNED] = "a number",
		[COUNT] = "a number that is not negative",
		[WEIGHT] = "a number from 10 to 1000",
	};

	if (r == -ERANGE)
		return err_set(err, CODE_USAGE, EINVAL, "option `%s`: `%s` is too large", v->option,
			       text);
	return err_set(err, CODE_USAGE, EINVAL, "option `%s` takes %s, not `%s`", v->option,
		       expected[v->kind], text);
}

static int read_options(const struct libcrun_update_options *opts, struct oci_arena *arena,
			struct oci_linux_resources **ret, struct crun_error *err)
{
	struct oci_linux_resources *res = oci_arena_alloc(arena, sizeof(*res));
	void *objects[OBJECTS] = {NULL};

	if (!res)
		return err_sys(err, -ENOMEM, "read the options");
	for (size_t i = 0; i < ARRAY_LEN(values); i++) {
		const struct value *v = &values[i];
		const char *text = text_of(opts, v);
		int r;

		if (!text)
			continue;
		if (!objects[v->object])
			objects[v->object] = oci_arena_alloc(arena, object_sizes[v->object]);
		if (!objects[v->object])
			return err_sys(err, -ENOMEM, "read the options");
		r = store(v, text, objects[v->object]);
		if (r < 0)
			return bad_value(v, text, r, err);
	}
	*res = (struct oci_linux_resources){
		.memory = objects[MEMORY],
		.cpu = objects[CPU],
		.pids = objects[PIDS],
		.block_io = objects[BLOCK_IO],
	};
	*ret = res;
	return 0;
}

static void note_unknown(void *data, const char *pointer)
{
	bool *whole = data;

	*whole |= !strchr(pointer + 1, '/');
}

/* A document may be given by other tools in a hurry: keys that nobody knows are left out by the parser, but not all of them. */
static int check_asks(const struct oci_linux_resources *res, const struct oci_text *text,
		      const char *name, struct crun_error *err)
{
	bool unknown = false;
	bool any = res->devices_len || res->memory || res->cpu || res->pids || res->block_io ||
		   res->hugepage_limits_len || res->network || res->rdma || res->unified;

	if (any ||
	    oci_each_unknown(&oci_linux_resources_type, text->data, text->len, note_unknown,
			     &unknown) < 0 ||
	    !unknown)
		return 0;
	return err_set(
		err, KIND_SPEC, EINVAL,
		"`%s` has none of the members of a linux.resources object: devices, memory, cpu, "
		"pids, blockIO, hugepageLimits, network, rdma, unified",
		name);
}

static int read_document(const char *path, struct oci_arena *arena, struct oci_text *text,
			 struct oci_linux_resources **ret, struct crun_error *err)
{
	bool is_stdin = str_eq(path, "-");
	const char *name = is_stdin ? "standard input" : path;
	_cleanup_close_ int owned = FD_NONE;
	struct oci_parse_error why;
	int fd = 0, r;

	if (!is_stdin) {
		fd = owned = sys_openat(AT_FDCWD, path, O_RDONLY, 0);
		if (fd < 0)
			return err_sys_code(err, CODE_CONFIG_MISSING, fd, "open `%s`", path);
	}
	r = oci_linux_resources_parse_fd(fd, name, arena, text, ret, &why);
	if (r < 0)
		return err_set(err, r == -EINVAL ? (unsigned)CODE_CONFIG_SYNTAX : KIND_SYSTEM,
			       why.errnum, "%s", why.text);
	r = check_asks(*ret, text, name, err);
	if (r >= 0)
		r = check_resources_update(*ret, err);
	return r;
}

/* Who typed an option knows it by that name. */
static int name_option(struct crun_error *err)
{
	const char *at = str_after(err->at, "/linux/resources/");

	for (size_t i = 0; at && i < ARRAY_LEN(values); i++) {
		if (str_eq(at, values[i].key))
			return err_in(err, "option `%s`", values[i].option);
	}
	return -err->errnum;
}

static int check_conflicts(const struct libcrun_update_options *opts, struct crun_error *err)
{
	bool any = opts->resources || opts->l3_cache_schema || opts->mem_bw_schema;

	for (size_t i = 0; i < ARRAY_LEN(values); i++) {
		if (!text_of(opts, &values[i]))
			continue;
		if (opts->resources)
			return err_set(err, CODE_USAGE, EINVAL,
				       "option `%s` cannot be given together with `--resources`",
				       values[i].option);
		any = true;
	}
	if (!any)
		return err_set(err, CODE_USAGE, EINVAL,
			       "nothing to update: give an option for a limit, or `--resources`");
	return 0;
}

int update_values_read(const struct libcrun_update_options *opts, struct oci_arena *arena,
		       struct oci_text *text, struct oci_linux_resources **ret,
		       struct crun_error *err)
{
	int r = check_conflicts(opts, err);

	*ret = NULL;
	if (r < 0)
		return r;
	if (opts->resources)
		return text ? read_document(opts->resources, arena, text, ret, err) : 0;
	r = read_options(opts, arena, ret, err);
	if (r < 0)
		return r;
	r = check_resources_update(*ret, err);
	return r < 0 ? name_option(err) : 0;
}
