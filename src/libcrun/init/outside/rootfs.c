// SPDX-License-Identifier: Apache-2.0
// The phase `rootfs`: a mount namespace that leaks nothing, and the container's root on a mount of its own.
#include "init/outside/phase.h"

#include "base/cleanup.h"
#include "fs/mount_attr.h"
#include "fs/mount_source.h"
#include "init/context.h"
#include "init/outside/mount.h"
#include "sys/file.h"
#include "sys/mount.h"

/* The namespace's root directory. Nothing of the container is "/" yet, so the path is the host's. */
static int open_host_root(struct outside *o, struct crun_error *err)
{
	int fd = sys_openat(o->proc_fd, "/", O_PATH | O_DIRECTORY, 0);

	return fd < 0 ? err_sys(err, fd, "open `/`") : fd;
}

/*
 * From here on no mount that we make reaches the host, while the host's still reach us: MS_SLAVE rather than MS_PRIVATE, so that
 * an unmount on the host is not kept from completing by our copy. It also makes the parent of the root mount not shared, as
 * pivot_root(2) wants it. What rootfsPropagation asks for is set by the phase `propagation`, when all is mounted.
 */
static int stop_propagation(struct outside *o, struct crun_error *err)
{
	const struct mount_change slave = {.propagation = MS_SLAVE, .propagation_rec = true};
	_cleanup_close_ int root = FD_NONE;
	int r;

	root = open_host_root(o, err);
	if (root < 0)
		return root;
	r = mount_attr_apply(o->proc_fd, root, &slave);
	if (r < 0)
		return err_sys(err, r, "make the mounts of the new mount namespace slaves");
	return 0;
}

static int check_directory(const struct outside *o, int fd, struct crun_error *err)
{
	struct stat st;
	int r;

	r = sys_fstatat(fd, "", &st);
	if (r < 0)
		return err_sys(err, r, "root filesystem `%s`", o->plan->rootfs);
	if (!S_ISDIR(st.st_mode)) {
		err_sys(err, -ENOTDIR, "root filesystem `%s`", o->plan->rootfs);
		return err_at(err, "/root/path");
	}
	return 0;
}

static int open_rootfs_path(const struct outside *o, struct crun_error *err)
{
	int fd = sys_openat(o->proc_fd, o->plan->rootfs, O_PATH | O_DIRECTORY, 0);

	if (fd < 0) {
		err_sys(err, fd, "root filesystem `%s`", o->plan->rootfs);
		return err_at(err, "/root/path");
	}
	return fd;
}

static int open_root_clone(struct outside *o, struct crun_error *err)
{
	int fd;

	if (o->root_source_fd >= 0)
		return take_fd(&o->root_source_fd);
	fd = mount_source_open(o->plan->rootfs, true, false, err);
	if (fd < 0) {
		err_in(err, "root filesystem `%s`", o->plan->rootfs);
		return err_at(err, "/root/path");
	}
	return fd;
}

/*
 * Where the root is attached: its own path, because hooks look for the container there; "/" when an id-mapped user may not reach
 * it (the clone was opened by the host side then).
 */
static int open_root_target(struct outside *o, int clone, struct crun_error *err)
{
	_cleanup_close_ int fd = FD_NONE;
	struct stat a, b;

	fd = sys_openat(o->proc_fd, o->plan->rootfs, O_PATH | O_DIRECTORY, 0);
	if (fd == -EACCES || fd == -ENOENT)
		return open_host_root(o, err);
	if (fd < 0)
		return err_sys(err, fd, "root filesystem `%s`", o->plan->rootfs);
	if (sys_fstatat(fd, "", &a) < 0 || sys_fstatat(clone, "", &b) < 0 || a.st_ino != b.st_ino ||
	    a.st_dev != b.st_dev)
		return err_set(err, KIND_SYSTEM, ESTALE,
			       "root filesystem `%s` was replaced while the container was made",
			       o->plan->rootfs);
	return take_fd(&fd);
}

static int attach_root(struct outside *o, int clone, struct crun_error *err)
{
	/* Mounts that the configuration makes below are not peers of the host's; "private" for those who asked. */
	struct mount_change change = {.propagation = MS_SLAVE, .propagation_rec = true};
	_cleanup_close_ int target = FD_NONE;
	int r;

	if (o->plan->root_propagation == MS_PRIVATE && o->plan->root_propagation_rec)
		change.propagation = MS_PRIVATE;
	target = open_root_target(o, clone, err);
	if (target < 0)
		return target;
	r = sys_move_mount(clone, target);
	if (r < 0)
		return err_sys(err, r, "attach the root filesystem to `%s`", o->plan->rootfs);
	r = mount_attr_apply(o->proc_fd, clone, &change);
	if (r < 0)
		return err_sys(err, r, "set the propagation of the root filesystem `%s`",
			       o->plan->rootfs);
	return 0;
}

int phase_rootfs(struct outside *o, struct crun_error *err)
{
	_cleanup_close_ int clone = FD_NONE;
	int r;

	if (o->plan->ns[NS_MNT].action != NS_NEW) {
		/* Not our namespace to mount in: the plan has no mounts, and `pivot` only changes the root directory. */
		o->root_fd = open_rootfs_path(o, err);
		return o->root_fd < 0 ? o->root_fd : 0;
	}
	/* Before the propagation changes: a source that is to stay shared with the host has to be cloned as a peer. */
	clone = open_root_clone(o, err);
	if (clone < 0)
		return clone;
	r = check_directory(o, clone, err);
	if (r < 0)
		return r;
	r = mount_open_sources(o, err);
	if (r < 0)
		return r;
	r = stop_propagation(o, err);
	if (r < 0)
		return r;
	r = attach_root(o, clone, err);
	if (r < 0)
		return r;
	o->root_fd = take_fd(&clone);
	return 0;
}
