// SPDX-License-Identifier: Apache-2.0
// Which controllers a configuration needs, and the order in which their files are written.
#include "cgroup/controllers.h"

#include "base/log.h"
#include "base/str.h"
#include "cgroup/changes.h"
#include "cgroup/devices.h"
#include "sys/file.h"
#include "sys/io.h"

#include <errno.h>
#include <string.h>

static bool wants_memory(const struct oci_linux_resources *res)
{
	const struct oci_linux_memory *m = res->memory;

	return m && (m->limit || m->reservation || m->swap || m->disable_oom_killer ||
		     (m->has_swappiness && m->swappiness != UINT64_MAX) ||
		     (m->has_use_hierarchy && !m->use_hierarchy));
}

static bool wants_cpu(const struct oci_linux_resources *res)
{
	const struct oci_linux_cpu *c = res->cpu;

	return c && (c->shares || c->quota || c->burst || c->period || c->realtime_runtime ||
		     c->realtime_period || c->idle);
}

static bool wants_cpuset(const struct oci_linux_resources *res)
{
	const struct oci_linux_cpu *c = res->cpu;

	return c && ((c->cpus && c->cpus[0]) || (c->mems && c->mems[0]));
}

static bool wants_pids(const struct oci_linux_resources *res)
{
	return res->pids && res->pids->has_limit && res->pids->limit > 0;
}

static bool wants_io(const struct oci_linux_resources *res)
{
	const struct oci_linux_block_io *io = res->block_io;

	return io && (io->weight || io->leaf_weight || io->weight_device_len ||
		      io->throttle_read_bps_device_len || io->throttle_write_bps_device_len ||
		      io->throttle_read_iops_device_len || io->throttle_write_iops_device_len);
}

static bool wants_hugetlb(const struct oci_linux_resources *res)
{
	return res->hugepage_limits_len > 0;
}

static bool wants_net_cls(const struct oci_linux_resources *res)
{
	return res->network && res->network->class_id;
}

static bool wants_net_prio(const struct oci_linux_resources *res)
{
	return res->network && res->network->priorities_len > 0;
}

static bool wants_rdma(const struct oci_linux_resources *res)
{
	return res->rdma && res->rdma->len > 0;
}

/* What a new cgroup has by itself, and one that exists perhaps no longer. */

static bool resets_memory(const struct oci_linux_resources *res)
{
	return res->memory &&
	       (res->memory->has_disable_oom_killer || res->memory->has_use_hierarchy);
}

static bool resets_cpu(const struct oci_linux_resources *res)
{
	return res->cpu && (res->cpu->has_burst || res->cpu->has_idle);
}

static bool resets_pids(const struct oci_linux_resources *res)
{
	return res->pids && res->pids->has_limit && res->pids->limit < 0;
}

/* In the order in which they are written. */
static const struct resource {
	enum cg_controller controller;
	bool (*wanted)(const struct oci_linux_resources *);
	cg_apply_fn v1, v2; /* NULL: that version has no such controller */
	bool (*resets)(const struct oci_linux_resources *); /* wanted as well by an update */
} resources[] = {
	{CG_CPUSET, wants_cpuset, cg_v1_cpuset, cg_v2_cpuset, NULL},
	{CG_CPU, wants_cpu, cg_v1_cpu, cg_v2_cpu, resets_cpu},
	{CG_MEMORY, wants_memory, cg_v1_memory, cg_v2_memory, resets_memory},
	{CG_PIDS, wants_pids, cg_any_pids, cg_any_pids, resets_pids},
	{CG_IO, wants_io, cg_v1_io, cg_v2_io, NULL},
	{CG_HUGETLB, wants_hugetlb, cg_v1_hugetlb, cg_v2_hugetlb, NULL},
	{CG_NET_CLS, wants_net_cls, cg_v1_net_cls, NULL, NULL},
	{CG_NET_PRIO, wants_net_prio, cg_v1_net_prio, NULL, NULL},
	{CG_RDMA, wants_rdma, cg_any_rdma, cg_any_rdma, NULL},
};

/* "memory.high" needs memory; "cgroup.max.depth" needs none. */
static unsigned needed_by_unified(const struct oci_linux_resources *res)
{
	unsigned bits = 0;

	for (size_t i = 0; res->unified && i < res->unified->len; i++) {
		const char *key = res->unified->items[i].key;

		for (unsigned c = 0; c < CG_CONTROLLERS; c++) {
			const char *name = cg_controller_names[c].v2;
			const char *rest = name ? str_after(key, name) : NULL;

			if (rest && *rest == '.')
				bits |= CG_BIT(c);
		}
	}
	return bits;
}

static unsigned needed_by_limits(const struct oci_linux_resources *res)
{
	unsigned bits = 0;

	for (size_t i = 0; res && i < ARRAY_LEN(resources); i++) {
		if (resources[i].wanted(res))
			bits |= CG_BIT(resources[i].controller);
	}
	return bits;
}

unsigned cg_needed(const struct plan_cgroup *plan)
{
	unsigned bits = plan->unprivileged ? 0 : CG_BIT(CG_DEVICES);

	bits |= needed_by_limits(plan->resources);
	if (plan->resources)
		bits |= needed_by_unified(plan->resources);
	return bits;
}

const struct cg_hier *cg_find(const struct cgroup *cg, enum cg_controller c, bool v2)
{
	for (size_t i = 0; i < cg->hier_len; i++) {
		const struct cg_hier *h = &cg->hier[i];

		if (h->dir_fd >= 0 && h->v2 == v2 && (h->controllers & CG_BIT(c)))
			return h;
	}
	return NULL;
}

const struct cg_hier *cg_find_v2(const struct cgroup *cg)
{
	for (size_t i = 0; i < cg->hier_len; i++) {
		if (cg->hier[i].v2 && cg->hier[i].dir_fd >= 0)
			return &cg->hier[i];
	}
	return NULL;
}

int cg_no_controller(const struct cgroup *cg, enum cg_controller c, struct crun_error *err)
{
	const char *name = cg_controller_names[c].v1;
	const struct cg_hier *h = cg_find_v2(cg);

	if (h && cg_controller_names[c].v2)
		return cg_v2_no_controller(cg, h, c, err);
	if (!cg_v1_controllers(cg))
		return err_set(
			err, CODE_CGROUP_CONTROLLER, EOPNOTSUPP,
			"the cgroup controller `%s` exists in cgroup v1 only, and this host has cgroup v2",
			name);
	return err_set(
		err, CODE_CGROUP_CONTROLLER, EOPNOTSUPP,
		"the cgroup controller `%s` is not available: no hierarchy is mounted at `" CG_ROOT
		"/%s`",
		name, name);
}

/* The directory of H as the functions of a controller want it; *ret_path is to be freed. */
static int dir_of(const struct cgroup *cg, const struct cg_hier *h, struct cg_changes *changes,
		  struct cg_dir *ret, char **ret_path, struct crun_error *err)
{
	*ret_path = str_printf("%s%s", h->root, cg->path);
	if (!*ret_path)
		return err_sys(err, -ENOMEM, "cgroup `%s`", cg->path);
	*ret = (struct cg_dir){.fd = h->dir_fd,
			       .path = *ret_path,
			       .changes = changes,
			       .v1 = cg_v1_controllers(cg)};
	return 0;
}

static int apply_resource(const struct cgroup *cg, const struct resource *resource,
			  struct cg_changes *changes, struct crun_error *err)
{
	const struct oci_linux_resources *res = cg->plan->resources;
	const struct cg_hier *h = cg_find(cg, resource->controller, false);
	cg_apply_fn apply = resource->v1;
	_cleanup_free_ char *path = NULL;
	struct cg_dir dir;
	int r;

	if (!resource->wanted(res) && !(changes && resource->resets && resource->resets(res)))
		return 0;
	if (!h && resource->v2) {
		h = cg_find(cg, resource->controller, true);
		apply = resource->v2;
	}
	if (!h) {
		r = cg_no_controller(cg, resource->controller, err);
		return changes ? cg_changes_no_controller(changes, res, resource->controller, err)
			       : r;
	}
	r = dir_of(cg, h, changes, &dir, &path, err);
	return r < 0 ? r : apply(&dir, res, err);
}

static int apply_unified(const struct cgroup *cg, struct cg_changes *changes,
			 struct crun_error *err)
{
	const struct oci_linux_resources *res = cg->plan->resources;
	const struct cg_hier *h = cg_find_v2(cg);
	_cleanup_free_ char *path = NULL;
	struct cg_dir dir = {.fd = FD_NONE, .changes = changes};
	int r;

	if (!res->unified || res->unified->len == 0)
		return 0;
	for (size_t i = 0; !h && i < res->unified->len; i++) {
		_cleanup_free_ char *at = str_printf("unified/%s", res->unified->items[i].key);

		r = cg_unsupported(
			&dir, at ? at : "unified",
			"linux.resources.unified needs cgroup v2, and this host has cgroup v1",
			err);
		if (r < 0)
			return r;
	}
	if (!h)
		return 0;
	r = dir_of(cg, h, changes, &dir, &path, err);
	return r < 0 ? r : cg_v2_unified(&dir, res, err);
}

int cg_apply_limits(const struct cgroup *cg, struct cg_changes *changes, struct crun_error *err)
{
	int r;

	for (size_t i = 0; i < ARRAY_LEN(resources); i++) {
		r = apply_resource(cg, &resources[i], changes, err);
		if (r < 0)
			return r;
	}
	/* Last: unified overrides. */
	return apply_unified(cg, changes, err);
}

unsigned cg_v2_required(const struct cgroup *cg)
{
	unsigned required = 0;

	for (unsigned c = 0; c < CG_CONTROLLERS; c++) {
		if (cg_controller_names[c].v2)
			required |= CG_BIT(c);
	}
	return required & cg_needed(cg->plan) & ~cg_v1_controllers(cg);
}

/* Before anything else: v2 files are there once the controller is enabled, and v1 cpusets are useless empty. */
static int prepare(struct cgroup *cg, struct crun_error *err)
{
	unsigned required = cg_v2_required(cg);
	int r = 0;

	for (size_t i = 0; r >= 0 && i < cg->hier_len; i++) {
		struct cg_hier *h = &cg->hier[i];

		if (h->dir_fd < 0)
			continue;
		if (h->v2)
			r = cg_v2_enable(cg, h, required, err);
		else if (h->controllers & CG_BIT(CG_CPUSET))
			r = cg_v1_cpuset_inherit(cg, h, err);
	}
	return r;
}

static int apply_devices(struct cgroup *cg, struct crun_error *err)
{
	const struct cg_hier *h = cg_find(cg, CG_DEVICES, false);
	struct cg_rules rules = {0};
	int r;

	if (cg->plan->unprivileged) {
		log_debug("no power over the host's devices: device filter left out");
		return 0;
	}
	r = cg_rules_build(cg->plan, &rules, err);
	if (r < 0)
		return r;
	if (!h)
		h = cg_find_v2(cg);
	if (!h)
		r = cg_no_controller(cg, CG_DEVICES, err);
	else if (h->v2)
		r = cg_v2_devices(cg, h, &rules, err);
	else
		r = cg_v1_devices(cg, h, &rules, err);
	cg_rules_done(&rules);
	return r;
}

/*
 * config-linux.md, "Cgroup ownership": the directory and the files that the kernel lists in /sys/kernel/cgroup/delegate go to the owner,
 * and nothing else: the limits' files stay ours.
 */
static int give_to_owner(const struct cgroup *cg, struct crun_error *err)
{
	char list[1024] = "cgroup.procs\ncgroup.threads\ncgroup.subtree_control", *save = list;
	const struct cg_hier *h = cg_find_v2(cg);
	const char *file;
	int r;

	/* What was there before stays whose it was. */
	if (!h || h->used || cg->plan->owner == (uid_t)-1)
		return 0;
	r = io_read_file_at(AT_FDCWD, "/sys/kernel/cgroup/delegate", list, sizeof(list));
	if (r < 0)
		log_debug("read /sys/kernel/cgroup/delegate: %s", err_describe(-r));
	r = sys_fchownat(h->dir_fd, "", cg->plan->owner, (gid_t)-1, AT_EMPTY_PATH);
	if (r < 0)
		return err_sys_code(err, CODE_CGROUP_CREATE, r, "chown `%s%s`", h->root, cg->path);
	while ((file = strsep(&save, "\n"))) {
		if (!str_is_filename(file))
			continue;
		r = sys_fchownat(h->dir_fd, file, cg->plan->owner, (gid_t)-1, AT_SYMLINK_NOFOLLOW);
		/* The list names files of controllers that are not enabled here, too. */
		if (r < 0 && r != -ENOENT)
			return err_sys_code(err, CODE_CGROUP_CREATE, r, "chown `%s%s/%s`", h->root,
					    cg->path, file);
	}
	return 0;
}

int cg_apply(struct cgroup *cg, struct crun_error *err)
{
	const struct oci_linux_resources *res = cg->plan->resources;
	int r = prepare(cg, err);

	/* config-linux.md, "Memory": both are NOT RECOMMENDED and may be ignored; kernels since 5.4 have neither. */
	if (res && res->memory && (res->memory->kernel || res->memory->kernel_tcp))
		log_warning("memory.kernel and memory.kernelTCP of linux.resources are ignored");
	if (r >= 0 && res)
		r = cg_apply_limits(cg, NULL, err);
	if (r >= 0)
		r = apply_devices(cg, err);
	if (r >= 0)
		r = give_to_owner(cg, err);
	return r;
}
