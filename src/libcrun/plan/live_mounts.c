// SPDX-License-Identifier: Apache-2.0
// The plan of other mounts for a container that is there: see live_mounts.h.
#include "plan/live_mounts.h"

#include "base/cleanup.h"
#include "base/str.h"
#include "plan/internal.h"

#include <errno.h>

/*
 * Whoever makes the mount is not in these namespaces of the container: such a file system would show the host's processes, network
 * interfaces, message queues or cgroups.
 */
static bool shows_a_namespace(const struct mount_op *op)
{
	static const char *const types[] = {"proc", "sysfs", "mqueue", "cgroup", "cgroup2"};

	if (op->kind == MOUNT_CGROUP)
		return true;
	for (size_t i = 0; op->kind == MOUNT_FS && i < ARRAY_LEN(types); i++) {
		if (str_eq(op->fstype, types[i]))
			return true;
	}
	return false;
}

static int check_added(const struct mount_op *op, struct crun_error *err)
{
	const char *why = NULL, *member = "type";

	if (shows_a_namespace(op)) {
		why = "a file system of this type belongs to the container's creation: it would show "
		      "the host's";
	} else if (op->kind == MOUNT_REMOUNT) {
		why = "`remount` changes a mount: remove it and add it with other options";
		member = "options";
	} else if (op->copy_symlink) {
		why = "`copy-symlink` makes a symbolic link, which is no mount";
		member = "options";
	}
	if (!why)
		return 0;
	err_set(err, KIND_SPEC, EINVAL, "mount to `%s`: %s", op->destination, why);
	return err_at(err, "/mounts/%u/%s", op->index, member);
}

static int plan_added(struct launch_plan *plan, struct oci_arena *arena, struct crun_error *err)
{
	int r = plan_mounts(plan, arena, err);

	for (size_t i = 0; r >= 0 && i < plan->mounts_len; i++)
		r = check_added(&plan->mounts[i], err);
	return r;
}

static int list_own_mounts(struct launch_plan *plan, const struct oci_config *whole,
			   struct oci_arena *arena, struct crun_error *err)
{
	const char **list = plan_alloc(arena, whole->mounts_len + 1, sizeof(*list));

	if (!list)
		return PLAN_NO_MEMORY(err);
	for (size_t i = 0; i < whole->mounts_len; i++) {
		if (whole->mounts[i].destination)
			list[plan->own_mounts_len++] = whole->mounts[i].destination;
	}
	plan->own_mounts = list;
	return 0;
}

static int plan_removed(struct launch_plan *plan, struct oci_arena *arena, struct crun_error *err)
{
	const struct oci_config *config = plan->config;
	struct mount_op *ops = plan_alloc(arena, config->mounts_len + 1, sizeof(*ops));

	if (!ops)
		return PLAN_NO_MEMORY(err);
	for (size_t i = 0; i < config->mounts_len; i++) {
		const char *destination = config->mounts[i].destination;

		if (!destination || destination[0] != '/') {
			err_set(err, KIND_SPEC, EINVAL, "the destination is not an absolute path");
			return err_at(err, "/mounts/%zu/destination", i);
		}
		ops[i] = (struct mount_op){.index = (unsigned)i, .destination = destination};
	}
	plan->mounts = ops;
	plan->mounts_len = config->mounts_len;
	plan->masked_paths = plan->linux_->masked_paths;
	plan->masked_paths_len = plan->linux_->masked_paths_len;
	plan->readonly_paths = plan->linux_->readonly_paths;
	plan->readonly_paths_len = plan->linux_->readonly_paths_len;
	return 0;
}

int plan_live_mounts(const struct oci_config *config, const struct oci_mount_list *list,
		     const struct host_facts *facts, const struct plan_live_mounts_options *opts,
		     struct oci_arena *arena, struct launch_plan **ret, struct crun_error *err)
{
	static const struct oci_linux no_linux;
	struct launch_plan *plan = plan_alloc(arena, 1, sizeof(*plan));
	struct oci_config *copy = plan_alloc(arena, 1, sizeof(*copy));
	int r;

	if (!plan || !copy)
		return PLAN_NO_MEMORY(err);
	*copy = *config;
	copy->mounts = list->mounts;
	copy->mounts_len = list->mounts_len;
	copy->hooks = NULL;
	*plan = (struct launch_plan){
		.config = copy,
		.linux_ = config->linux ? config->linux : &no_linux,
		.facts = *facts,
		.id = opts->id,
		.bundle = opts->bundle,
		.live_mounts = opts->change,
	};
	plan->ns[NS_USER].action = opts->joins & (1U << NS_USER) ? NS_JOIN : NS_SHARE;
	/* It is the container's own: whoever asks has seen to that. */
	plan->ns[NS_MNT].action = NS_NEW;
	plan->uid_map = plan->linux_->uid_mappings;
	plan->uid_map_len = plan->linux_->uid_mappings_len;
	plan->gid_map = plan->linux_->gid_mappings;
	plan->gid_map_len = plan->linux_->gid_mappings_len;
	r = opts->change == LIVE_MOUNTS_ADD ? plan_added(plan, arena, err)
					    : plan_removed(plan, arena, err);
	if (r >= 0 && opts->change == LIVE_MOUNTS_REMOVE)
		r = list_own_mounts(plan, config, arena, err);
	if (r >= 0)
		*ret = plan;
	return r;
}
