// SPDX-License-Identifier: Apache-2.0
// The phase `pivot`: the container's root becomes "/", and the host's file systems leave the namespace.
#include "init/outside/phase.h"

#include "base/cleanup.h"
#include "fs/mount_attr.h"
#include "init/outside/mount.h"
#include "sys/file.h"
#include "sys/mount.h"

static int enter_root(struct outside *o, struct crun_error *err)
{
	int r = sys_fchdir(o->root_fd);

	return r < 0 ? err_sys(err, r, "enter the root filesystem `%s`", o->plan->rootfs) : 0;
}

/*
 * pivot_root(2) with both paths the same stacks the old root on the new one, so that no directory for it is needed. All of it is a slave
 * since the phase `rootfs`, so that the unmount does not reach the host.
 */
static int pivot(struct outside *o, struct crun_error *err)
{
	const struct mount_change slave = {.propagation = MS_SLAVE, .propagation_rec = true};
	int r;

	r = sys_pivot_root(".", ".");
	if (r == -EINVAL)
		return err_sys(err, r,
			       "pivot_root to `%s` (a root on an initramfs, or a chroot, needs "
			       "--no-pivot)",
			       o->plan->rootfs);
	if (r < 0)
		return err_sys(err, r, "pivot_root to `%s`", o->plan->rootfs);
	/* A hook in our mount namespace may have shared it again. */
	if (plan_hooks_could_mount(o->plan)) {
		r = mount_attr_apply(o->proc_fd, o->host_root_fd, &slave);
		if (r < 0)
			return err_sys(err, r, "make the old root a slave mount");
	}
	r = sys_fchdir(o->host_root_fd);
	if (r < 0)
		return err_sys(err, r, "enter the old root");
	r = sys_umount2(".", MNT_DETACH);
	return r < 0 ? err_sys(err, r, "unmount the old root") : 0;
}

/*
 * Where pivot_root(2) cannot work the root is moved over "/". The host's mounts stay below, out of reach; but its proc and sysfs
 * would still count as visible, so that a container with a user namespace could mount new ones without the masks: they go.
 */
static int move_root(struct outside *o, struct crun_error *err)
{
	static const char *const uncovered[] = {"/proc", "/sys"};
	int r;

	for (size_t i = 0; i < ARRAY_LEN(uncovered); i++) {
		r = sys_umount2(uncovered[i], MNT_DETACH);
		/* EINVAL: not a mount point, or locked by a more privileged namespace, which covers it for us all the same. */
		if (r < 0 && r != -EINVAL && r != -ENOENT)
			return err_sys(err, r, "unmount the host's `%s`", uncovered[i]);
	}
	r = sys_mount(".", "/", NULL, MS_MOVE, NULL);
	if (r < 0)
		return err_sys(err, r, "move the root filesystem `%s` to `/`", o->plan->rootfs);
	return 0;
}

static int change_root(struct outside *o, struct crun_error *err)
{
	int r = sys_chroot_here();

	return r < 0 ? err_sys(err, r, "chroot to `%s`", o->plan->rootfs) : 0;
}

int phase_pivot(struct outside *o, struct crun_error *err)
{
	int r;

	for (size_t i = 0; i < o->plan->mounts_len; i++)
		close_fd(&o->mount_fds[i]);
	r = enter_root(o, err);
	if (r < 0)
		return r;
	if (o->plan->ns[NS_MNT].action != NS_NEW)
		return change_root(o, err);
	if (!o->plan->no_pivot) {
		r = pivot(o, err);
		return r < 0 ? r : enter_root(o, err);
	}
	r = move_root(o, err);
	return r < 0 ? r : change_root(o, err);
}
