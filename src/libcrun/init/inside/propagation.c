// SPDX-License-Identifier: Apache-2.0
// The phase `propagation`: linux.rootfsPropagation, when everything is mounted.
#include "init/inside/phase.h"

#include "base/cleanup.h"
#include "fs/inroot.h"
#include "fs/mount_attr.h"
#include "sys/file.h"
#include "sys/mount.h"

static int set_propagation(const struct inside *in, int fd, uint64_t propagation, bool recursive)
{
	const struct mount_change c = {.propagation = propagation, .propagation_rec = recursive};

	return mount_attr_apply(in->proc_fd, fd, &c);
}

/* A recursive change has hit the mounts that asked for something else. */
static int restore_mount(const struct inside *in, const struct mount_op *op, struct crun_error *err)
{
	_cleanup_close_ int fd = FD_NONE;
	int r;

	fd = inroot_open(in->root_fd, op->destination, O_PATH);
	r = fd < 0 ? fd : set_propagation(in, fd, op->propagation, op->propagation_rec);
	if (r < 0)
		return err_sys(err, r, "set the propagation of `%s` again", op->destination);
	return 0;
}

/* The phase `rootfs` makes it one; a remount or a hook may have made it something else. */
static bool is_slave_already(const struct launch_plan *plan)
{
	if (plan->root_propagation != MS_SLAVE || plan_hooks_could_mount(plan))
		return false;
	for (size_t i = 0; i < plan->mounts_len; i++) {
		if (plan->mounts[i].kind == MOUNT_REMOUNT)
			return false;
	}
	return true;
}

int phase_propagation(struct inside *in, struct crun_error *err)
{
	const struct launch_plan *plan = in->plan;
	/* Slave and private were set on the whole tree when it was attached; again they would cut a shared volume off. */
	bool recursive = plan->root_propagation_rec && (plan->root_propagation == MS_SHARED ||
							plan->root_propagation == MS_UNBINDABLE);
	int r;

	if (plan->ns[NS_MNT].action != NS_NEW || is_slave_already(plan))
		return 0;
	r = set_propagation(in, in->root_fd, plan->root_propagation, recursive);
	if (r < 0) {
		err_sys(err, r, "set the propagation of `/`");
		return err_at(err, "/linux/rootfsPropagation");
	}
	for (size_t i = 0; recursive && i < plan->mounts_len; i++) {
		if (!plan->mounts[i].propagation)
			continue;
		r = restore_mount(in, &plan->mounts[i], err);
		if (r < 0)
			return r;
	}
	return 0;
}
