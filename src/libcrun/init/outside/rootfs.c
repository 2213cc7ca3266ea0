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
	int r;

	o->host_root_fd = open_host_root(o, err);
	if (o->host_root_fd < 0)
		return o->host_root_fd;
	r = mount_attr_apply(o->proc_fd, o->host_root_fd, &slave);
	if (r < 0)
		return err_sys(err, r, "make the mounts of the new mount namespace slaves");
	return 0;
}

static int check_directory(const struct outside *o, int fd, struct stat *ret,
			   struct crun_error *err)
{
	int r;

	r = sys_fstatat(fd, "", ret);
	if (r < 0)
		return err_sys_code(err, r == -ENOENT ? CODE_ROOTFS_MISSING : CODE_ROOTFS_UNUSABLE,
				    r, "root filesystem `%s`", o->plan->rootfs);
	if (!S_ISDIR(ret->st_mode)) {
		err_sys_code(err, CODE_ROOTFS_UNUSABLE, -ENOTDIR, "root filesystem `%s`",
			     o->plan->rootfs);
		return err_at(err, "/root/path");
	}
	return 0;
}

static int open_rootfs_path(const struct outside *o, struct crun_error *err)
{
	int fd = sys_openat(o->proc_fd, o->plan->rootfs, O_PATH | O_DIRECTORY, 0);

	if (fd < 0) {
		err_sys_code(err, fd == -ENOENT ? CODE_ROOTFS_MISSING : CODE_ROOTFS_UNUSABLE, fd,
			     "root filesystem `%s`", o->plan->rootfs);
		return err_at(err, "/root/path");
	}
	return fd;
}

static int open_root_clone(struct outside *o, struct crun_error *err)
{
	int fd;

	if (o->root_source_fd >= 0)
		return take_fd(&o->root_source_fd);
	fd = mount_source_open(NULL, o->plan->rootfs, true, false, err);
	if (fd == -ENOSYS)
		return fd;
	if (fd < 0) {
		err_in(err, "root filesystem `%s`", o->plan->rootfs);
		if (err->code == CODE_MOUNT_SOURCE_MISSING)
			err_code(err, CODE_ROOTFS_MISSING);
		else if (err->code == CODE_MOUNT_SOURCE_REFUSED)
			err_code(err, CODE_ROOTFS_UNUSABLE);
		return err_at(err, "/root/path");
	}
	return fd;
}

/*
 * Where the root is attached: its own path, because hooks look for the container there; "/" when an id-mapped user may not reach
 * it (the clone was opened by the host side then).
 */
static int open_root_target(struct outside *o, const struct stat *clone, struct crun_error *err)
{
	_cleanup_close_ int fd = FD_NONE;
	struct stat st;
	int r;

	fd = sys_openat(o->proc_fd, o->plan->rootfs, O_PATH | O_DIRECTORY, 0);
	if (fd == -EACCES || fd == -ENOENT)
		return open_host_root(o, err);
	if (fd < 0)
		return err_sys_code(err, fd == -ENOENT ? CODE_ROOTFS_MISSING : CODE_ROOTFS_UNUSABLE,
				    fd, "root filesystem `%s`", o->plan->rootfs);
	r = sys_fstatat(fd, "", &st);
	if (r < 0)
		return err_sys_code(err, CODE_ROOTFS_UNUSABLE, r, "root filesystem `%s`",
				    o->plan->rootfs);
	if (st.st_ino != clone->st_ino || st.st_dev != clone->st_dev)
		return err_set(err, KIND_SYSTEM, ESTALE,
			       "root filesystem `%s` was replaced while the container was made",
			       o->plan->rootfs);
	return take_fd(&fd);
}

static int attach_root(struct outside *o, int clone, int target, struct crun_error *err)
{
	/* Mounts that the configuration makes below are not peers of the host's; "private" for those who asked. */
	struct mount_change change = {.propagation = MS_SLAVE, .propagation_rec = true};
	int r;

	if (o->plan->root_propagation == MS_PRIVATE && o->plan->root_propagation_rec)
		change.propagation = MS_PRIVATE;
	r = mount_stage_attach(&o->stage, clone, target);
	if (r < 0)
		return err_sys(err, r, "attach the root filesystem to `%s`", o->plan->rootfs);
	r = mount_attr_apply(o->proc_fd, clone, &change);
	if (r < 0)
		return err_sys_code(err, r == -ENOENT ? CODE_ROOTFS_MISSING : CODE_ROOTFS_UNUSABLE,
				    r, "set the propagation of the root filesystem `%s`",
				    o->plan->rootfs);
	return 0;
}

/* Bind sources without the mount API: what they name now is put on the stage once there is one. */
static int open_source_paths(struct outside *o, struct crun_error *err)
{
	for (size_t i = 0; i < o->plan->mounts_len; i++) {
		const struct mount_op *op = &o->plan->mounts[i];
		int nofollow = op->src_nofollow || op->copy_symlink ? O_NOFOLLOW : 0;

		if (op->kind != MOUNT_BIND)
			continue;
		o->mount_fds[i] = sys_openat(o->proc_fd, op->source, O_PATH | nofollow, 0);
		if (o->mount_fds[i] < 0)
			err_sys_code(err,
				     o->mount_fds[i] == -ENOENT ? CODE_MOUNT_SOURCE_MISSING
								: CODE_MOUNT_SOURCE_REFUSED,
				     o->mount_fds[i], "mount source `%s`", op->source);
		else if (op->propagation == MS_SHARED)
			/* The mounts of our namespace are slaves by now, and so would be what is made of them. */
			err_set(err, CODE_KERNEL_TOO_OLD, ENOSYS,
				"a mount that is shared with the host needs open_tree, which came with "
				"Linux 5.2, or a seccomp profile hides it");
		else
			continue;
		err_in(err, "mount to `%s`", op->destination);
		return err_at(err, "/mounts/%u", op->index);
	}
	return 0;
}

static int stage_sources(struct outside *o, struct crun_error *err)
{
	for (size_t i = 0; i < o->plan->mounts_len; i++) {
		const struct mount_op *op = &o->plan->mounts[i];
		int fd;

		if (op->kind != MOUNT_BIND)
			continue;
		fd = mount_stage_clone(&o->stage, o->mount_fds[i], op->recursive);
		if (fd < 0) {
			err_sys_code(err,
				     fd == -ENOENT ? CODE_MOUNT_SOURCE_MISSING
						   : CODE_MOUNT_SOURCE_REFUSED,
				     fd, "mount source `%s`", op->source);
			err_in(err, "mount to `%s`", op->destination);
			return err_at(err, "/mounts/%u", op->index);
		}
		close_fd(&o->mount_fds[i]);
		o->mount_fds[i] = fd;
	}
	return 0;
}

/* The same with mount(2) alone, by way of a stage that the root covers. */
static int rootfs_on_stage(struct outside *o, struct crun_error *err)
{
	_cleanup_close_ int rootfs = FD_NONE;
	_cleanup_close_ int clone = FD_NONE;
	int r;

	rootfs = open_rootfs_path(o, err);
	if (rootfs < 0)
		return rootfs;
	/* Before the stage: a source may lie in the root file system. */
	r = open_source_paths(o, err);
	if (r >= 0)
		r = stop_propagation(o, err);
	if (r >= 0)
		r = mount_stage_open(&o->stage, rootfs, o->plan->rootfs, err);
	if (r < 0)
		return r;
	clone = mount_stage_clone(&o->stage, rootfs, true);
	if (clone < 0)
		return err_sys_code(err,
				    clone == -ENOENT ? CODE_ROOTFS_MISSING : CODE_ROOTFS_UNUSABLE,
				    clone, "bind the root filesystem `%s`", o->plan->rootfs);
	r = stage_sources(o, err);
	if (r >= 0)
		r = attach_root(o, clone, rootfs, err);
	if (r < 0)
		return r;
	o->root_fd = take_fd(&clone);
	return 0;
}

int phase_rootfs(struct outside *o, struct crun_error *err)
{
	_cleanup_close_ int clone = FD_NONE;
	_cleanup_close_ int target = FD_NONE;
	struct stat st;
	int r;

	if (o->plan->ns[NS_MNT].action != NS_NEW) {
		/* Not our namespace to mount in: the plan has no mounts, and `pivot` only changes the root directory. */
		o->root_fd = open_rootfs_path(o, err);
		return o->root_fd < 0 ? o->root_fd : 0;
	}
	/* Before the propagation changes: a source that is to stay shared with the host has to be cloned as a peer. */
	clone = open_root_clone(o, err);
	if (clone == -ENOSYS)
		return rootfs_on_stage(o, err);
	if (clone < 0)
		return clone;
	r = check_directory(o, clone, &st, err);
	if (r < 0)
		return r;
	r = mount_open_sources(o, err);
	if (r < 0)
		return r;
	r = stop_propagation(o, err);
	if (r < 0)
		return r;
	target = open_root_target(o, &st, err);
	if (target < 0)
		return target;
	r = attach_root(o, clone, target, err);
	if (r < 0)
		return r;
	o->root_fd = take_fd(&clone);
	return 0;
}
