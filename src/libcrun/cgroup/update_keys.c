// SPDX-License-Identifier: Apache-2.0
// The keys of linux.resources that an update has: each of them gets a verdict.
#include "cgroup/changes.h"

#include "base/str.h"

#include <errno.h>
#include <stddef.h>
#include <stdio.h>

struct key {
	const char *name;
	enum cg_controller controller;
	size_t given; /* offset of the flag, or of the pointer for a string */
	bool is_string;
};

#define KEY(type, name, controller, field)                                              \
	{                                                                               \
		name, controller, offsetof(struct oci_linux_##type, has_##field), false \
	}
#define STRING(type, name, controller, field)                                    \
	{                                                                        \
		name, controller, offsetof(struct oci_linux_##type, field), true \
	}

static const struct key memory_keys[] = {
	KEY(memory, "memory/limit", CG_MEMORY, limit),
	KEY(memory, "memory/reservation", CG_MEMORY, reservation),
	KEY(memory, "memory/swap", CG_MEMORY, swap),
	KEY(memory, "memory/kernel", CG_CONTROLLERS, kernel),
	KEY(memory, "memory/kernelTCP", CG_CONTROLLERS, kernel_tcp),
	KEY(memory, "memory/swappiness", CG_MEMORY, swappiness),
	KEY(memory, "memory/disableOOMKiller", CG_MEMORY, disable_oom_killer),
	KEY(memory, "memory/useHierarchy", CG_MEMORY, use_hierarchy),
};

static const struct key cpu_keys[] = {
	KEY(cpu, "cpu/shares", CG_CPU, shares),
	KEY(cpu, "cpu/quota", CG_CPU, quota),
	KEY(cpu, "cpu/burst", CG_CPU, burst),
	KEY(cpu, "cpu/period", CG_CPU, period),
	KEY(cpu, "cpu/realtimeRuntime", CG_CPU, realtime_runtime),
	KEY(cpu, "cpu/realtimePeriod", CG_CPU, realtime_period),
	STRING(cpu, "cpu/cpus", CG_CPUSET, cpus),
	STRING(cpu, "cpu/mems", CG_CPUSET, mems),
	KEY(cpu, "cpu/idle", CG_CPU, idle),
};

static const struct key pids_keys[] = {
	KEY(pids, "pids/limit", CG_PIDS, limit),
};

static const struct key io_keys[] = {
	KEY(block_io, "blockIO/weight", CG_IO, weight),
	KEY(block_io, "blockIO/leafWeight", CG_IO, leaf_weight),
};

static const struct key network_keys[] = {
	KEY(network, "network/classID", CG_NET_CLS, class_id),
};

struct walk {
	cg_key_fn fn;
	void *data;
	struct crun_error *err;
};

static int each_scalar(const struct walk *w, const void *object, const struct key *keys, size_t len)
{
	int r = 0;

	for (size_t i = 0; object && r >= 0 && i < len; i++) {
		const char *field = (const char *)object + keys[i].given;
		bool given = keys[i].is_string ? *(const char *const *)field != NULL
					       : *(const bool *)field;

		if (given)
			r = w->fn(w->data, keys[i].name, keys[i].controller, w->err);
	}
	return r;
}

static int each_element(const struct walk *w, const char *list, size_t len, enum cg_controller c)
{
	char key[96];
	int r = 0;

	for (size_t i = 0; r >= 0 && i < len; i++) {
		snprintf(key, sizeof(key), "%s/%zu", list, i);
		r = w->fn(w->data, key, c, w->err);
	}
	return r;
}

static int each_throttle(const struct walk *w, const struct oci_linux_block_io *io)
{
	const struct {
		const char *name;
		size_t len;
	} throttles[] = {
		{"blockIO/throttleReadBpsDevice", io->throttle_read_bps_device_len},
		{"blockIO/throttleWriteBpsDevice", io->throttle_write_bps_device_len},
		{"blockIO/throttleReadIOPSDevice", io->throttle_read_iops_device_len},
		{"blockIO/throttleWriteIOPSDevice", io->throttle_write_iops_device_len},
	};
	int r = 0;

	for (size_t i = 0; r >= 0 && i < ARRAY_LEN(throttles); i++)
		r = each_element(w, throttles[i].name, throttles[i].len, CG_IO);
	return r;
}

static int each_of_io(const struct walk *w, const struct oci_linux_block_io *io)
{
	char key[96];
	int r;

	if (!io)
		return 0;
	r = each_scalar(w, io, io_keys, ARRAY_LEN(io_keys));
	for (size_t i = 0; r >= 0 && i < io->weight_device_len; i++) {
		snprintf(key, sizeof(key), "blockIO/weightDevice/%zu/weight", i);
		if (io->weight_device[i].has_weight)
			r = w->fn(w->data, key, CG_IO, w->err);
		snprintf(key, sizeof(key), "blockIO/weightDevice/%zu/leafWeight", i);
		if (r >= 0 && io->weight_device[i].has_leaf_weight)
			r = w->fn(w->data, key, CG_IO, w->err);
	}
	return r < 0 ? r : each_throttle(w, io);
}

static int each_name(const struct walk *w, const char *map, const char *name, enum cg_controller c)
{
	_cleanup_free_ char *key = str_printf("%s/%s", map, name);

	if (!key)
		return err_sys(w->err, -ENOMEM, "update `%s`", map);
	return w->fn(w->data, key, c, w->err);
}

int cg_each_key(const struct oci_linux_resources *res, cg_key_fn fn, void *data,
		struct crun_error *err)
{
	const struct walk w = {fn, data, err};
	int r = res->devices_len ? fn(data, "devices", CG_DEVICES, err) : 0;

	if (r >= 0)
		r = each_scalar(&w, res->memory, memory_keys, ARRAY_LEN(memory_keys));
	if (r >= 0)
		r = each_scalar(&w, res->cpu, cpu_keys, ARRAY_LEN(cpu_keys));
	if (r >= 0)
		r = each_scalar(&w, res->pids, pids_keys, ARRAY_LEN(pids_keys));
	if (r >= 0)
		r = each_of_io(&w, res->block_io);
	if (r >= 0)
		r = each_element(&w, "hugepageLimits", res->hugepage_limits_len, CG_HUGETLB);
	if (r >= 0)
		r = each_scalar(&w, res->network, network_keys, ARRAY_LEN(network_keys));
	if (r >= 0 && res->network)
		r = each_element(&w, "network/priorities", res->network->priorities_len,
				 CG_NET_PRIO);
	for (size_t i = 0; r >= 0 && res->rdma && i < res->rdma->len; i++)
		r = each_name(&w, "rdma", res->rdma->items[i].key, CG_RDMA);
	for (size_t i = 0; r >= 0 && res->unified && i < res->unified->len; i++)
		r = each_name(&w, "unified", res->unified->items[i].key, CG_CONTROLLERS);
	return r;
}

struct missing {
	struct cg_changes *changes;
	enum cg_controller controller;
};

static int is_missing(void *data, const char *key, enum cg_controller c, struct crun_error *err)
{
	const struct missing *m = data;
	struct crun_error why = *err;

	if (c != m->controller)
		return 0;
	err_at(&why, "/linux/resources/%s", key);
	return cg_changes_unsupported(m->changes, key, &why);
}

int cg_changes_no_controller(struct cg_changes *changes, const struct oci_linux_resources *res,
			     enum cg_controller c, struct crun_error *err)
{
	struct missing m = {changes, c};
	int r = cg_each_key(res, is_missing, &m, err);

	return changes->checking ? r : -err->errnum;
}
