// SPDX-License-Identifier: Apache-2.0
// What is opened with the host's rights before init is born, and inherited by it: namespaces and bind mount sources.
#include "host/launch.h"

#include "fs/mount_source.h"
#include "sys/file.h"

#include <errno.h>
#include <sys/resource.h>

int namespaces_open(struct launch *l, struct crun_error *err)
{
	for (int i = 0; i < NS_COUNT; i++) {
		const struct plan_ns *ns = &l->plan->ns[i];

		if (ns->action != NS_JOIN)
			continue;
		l->ns_fds[i] = sys_openat(AT_FDCWD, ns->path, O_RDONLY, 0);
		if (l->ns_fds[i] < 0)
			return err_sys(err, l->ns_fds[i], "open the %s namespace `%s`",
				       ns_table[i].spec_name, ns->path);
	}
	return 0;
}

/* Each bind source takes a descriptor until it is attached; init sets the limit back for the payload. */
static void make_room(const struct launch_plan *plan)
{
	struct rlimit limit;

	if (plan->facts.nofile >= plan->mounts_len + 128 || getrlimit(RLIMIT_NOFILE, &limit) < 0)
		return;
	limit.rlim_cur = limit.rlim_max;
	(void)setrlimit(RLIMIT_NOFILE, &limit);
}

int sources_open(struct launch *l, struct crun_error *err)
{
	const struct launch_plan *plan = l->plan;
	/*
	 * In a user namespace of its own init cannot search directories that only the host's root can. Otherwise init opens them
	 * itself: in its own mount namespace, while we do other things.
	 */
	bool by_us = plan_ns_is_own(plan, NS_USER) && plan->facts.privileged &&
		     plan_ns_is_own(plan, NS_MNT);

	make_room(plan);
	if (!by_us)
		return 0;
	l->root_source_fd = mount_source_open(plan->rootfs, true, false, err);
	if (l->root_source_fd < 0) {
		err_in(err, "root.path");
		return err_at(err, "/root/path");
	}
	for (size_t i = 0; i < plan->mounts_len; i++) {
		const struct mount_op *op = &plan->mounts[i];

		if (op->kind != MOUNT_BIND)
			continue;
		l->mount_fds[i] = mount_source_open(op->source, op->recursive,
						    op->src_nofollow || op->copy_symlink, err);
		if (l->mount_fds[i] < 0)
			return err_at(err, "/mounts/%u/source", op->index);
	}
	return 0;
}
