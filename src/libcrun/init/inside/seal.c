// SPDX-License-Identifier: Apache-2.0
// The phase `seal`: read-only paths, masked paths, and what is read-only once it was filled: tmpfs mounts and the root.
#include "init/inside/phase.h"

#include "base/cleanup.h"
#include "base/str.h"
#include "fs/inroot.h"
#include "fs/mount_attr.h"
#include "fs/procfs.h"
#include "sys/file.h"
#include "sys/mount.h"
#include "sys/statx.h"

/* Kernels before 5.12 change an attached mount through a procfs; made only when it is needed. */
static int apply(int fd, const struct mount_change *c)
{
	_cleanup_close_ int proc = FD_NONE;
	int r;

	r = mount_attr_change(fd, c);
	if (r != -ENOSYS)
		return r;
	proc = procfs_open_private(ERR_IGNORED);
	return proc < 0 ? proc : mount_attr_remount(proc, fd, c);
}

/*
 * An O_PATH fd of a path that need not exist: FD_NONE then, with *ret_missing set. What init cannot reach with all capabilities
 * of the container (EACCES) nobody in it can.
 */
static int open_listed(const struct inside *in, const char *path, bool *ret_missing)
{
	int fd = inroot_open(in->root_fd, path, O_PATH);

	*ret_missing = fd == -ENOENT || fd == -ENOTDIR || fd == -EACCES;
	return fd;
}

/* Everything below a read-only path is read-only: a clone of the tree gets the flag and covers it. */
static int make_readonly(const struct inside *in, const char *path, struct crun_error *err)
{
	struct mount_change c = {.rec_set = MOUNT_ATTR_RDONLY};
	_cleanup_close_ int clone = FD_NONE;
	_cleanup_close_ int fd = FD_NONE;
	bool missing;
	int r, moved;

	fd = open_listed(in, path, &missing);
	if (missing)
		return 0;
	if (fd < 0)
		return err_sys(err, fd, "open");
	clone = sys_open_tree(fd, "", OPEN_TREE_CLONE | AT_EMPTY_PATH | AT_RECURSIVE);
	if (clone < 0)
		return err_sys(err, clone, "clone the mount");
	r = mount_attr_change(clone, &c);
	if (r < 0 && r != -ENOSYS)
		return err_sys(err, r, "make the clone read-only");
	moved = sys_move_mount(clone, fd);
	if (moved < 0)
		return err_sys(err, moved, "cover it with its read-only clone");
	/* What these kernels can do: the path itself, not the mounts below it. */
	if (r == -ENOSYS) {
		c = (struct mount_change){.set = MOUNT_ATTR_RDONLY};
		r = apply(clone, &c);
		if (r < 0)
			return err_sys(err, r, "make it read-only");
	}
	close_fd(&fd);
	/* Looked up again: what a process in the container gets must be the clone. */
	fd = inroot_open(in->root_fd, path, O_PATH);
	if (fd < 0)
		return err_sys(err, fd, "open it again");
	return mount_attr_verify(fd, MOUNT_ATTR_RDONLY, err);
}

/* The first use attaches the object itself, the others a clone of it: before 6.15 only an attached mount can be cloned. */
static int cover(int object, bool *used, int target)
{
	_cleanup_close_ int clone = FD_NONE;
	int r;

	if (!*used) {
		r = sys_move_mount(object, target);
		*used = r >= 0;
		return r;
	}
	clone = sys_open_tree(object, "", OPEN_TREE_CLONE | AT_EMPTY_PATH);
	return clone < 0 ? clone : sys_move_mount(clone, target);
}

/* Looks PATH up again: what a process in the container would get is the cover. */
static int verify_cover(const struct inside *in, const char *path, int object,
			struct crun_error *err)
{
	_cleanup_close_ int fd = FD_NONE;
	struct stat a, b;
	int r;

	fd = inroot_open(in->root_fd, path, O_PATH);
	if (fd < 0)
		return err_sys(err, fd, "open it again");
	r = sys_fstatat(fd, "", &a);
	if (r >= 0)
		r = sys_fstatat(object, "", &b);
	if (r < 0)
		return err_sys(err, r, "stat");
	if (a.st_dev != b.st_dev || a.st_ino != b.st_ino)
		return err_set(err, KIND_SYSTEM, EIO, "the mask did not take effect");
	return 0;
}

struct covers {
	bool mask_used, null_used;
};

static int mask(const struct inside *in, struct covers *covers, const char *path,
		struct crun_error *err)
{
	_cleanup_close_ int fd = FD_NONE;
	struct stat st;
	bool missing, is_dir;
	int r, object;

	fd = open_listed(in, path, &missing);
	if (missing)
		return 0;
	if (fd < 0)
		return err_sys(err, fd, "open");
	r = sys_fstatat(fd, "", &st);
	if (r < 0)
		return err_sys(err, r, "stat");
	is_dir = S_ISDIR(st.st_mode);
	object = is_dir ? in->mask_fd : in->null_fd;
	r = cover(object, is_dir ? &covers->mask_used : &covers->null_used, fd);
	if (r < 0)
		return err_sys(err, r, "cover it");
	return verify_cover(in, path, object, err);
}

static int set_readonly(int fd, struct crun_error *err)
{
	const struct mount_change c = {.set = MOUNT_ATTR_RDONLY};
	int r = apply(fd, &c);

	if (r < 0)
		return err_sys(err, r, "make it read-only");
	return mount_attr_verify(fd, MOUNT_ATTR_RDONLY, err);
}

/* A tmpfs with "ro" was writable until devices, links and mount points were in it. */
static int seal_tmpfs(const struct inside *in, const struct mount_op *op, struct crun_error *err)
{
	unsigned nofollow = op->dest_nofollow ? O_NOFOLLOW : 0;
	_cleanup_close_ int fd = FD_NONE;
	struct sys_mount_place place;
	struct statfs fs;
	int r;

	fd = inroot_open(in->root_fd, op->destination, (int)(O_PATH | nofollow));
	if (fd < 0)
		return err_sys(err, fd, "open");
	r = sys_fstatfs(fd, &fs);
	if (r < 0)
		return err_sys(err, r, "statfs");
	if (fs.f_type != TMPFS_MAGIC_ || (sys_mount_place(fd, &place) == 0 && !place.is_mount_root))
		return err_set(err, KIND_SYSTEM, ESTALE,
			       "the destination changed while the container was made");
	return set_readonly(fd, err);
}

static bool is_late_readonly(const struct mount_op *op)
{
	return op->kind == MOUNT_FS && str_eq(op->fstype, "tmpfs") &&
	       (op->attr_set & MOUNT_ATTR_RDONLY);
}

static int seal_mounts(const struct inside *in, struct crun_error *err)
{
	const struct launch_plan *plan = in->plan;

	for (size_t i = 0; i < plan->mounts_len; i++) {
		const struct mount_op *op = &plan->mounts[i];

		if (!is_late_readonly(op) || seal_tmpfs(in, op, err) >= 0)
			continue;
		err_in(err, "mount to `%s`", op->destination);
		return err_at(err, "/mounts/%u", op->index);
	}
	return 0;
}

static int seal_root(const struct inside *in, struct crun_error *err)
{
	_cleanup_close_ int root = FD_NONE;
	int r;

	root = sys_openat(in->root_fd, ".", O_PATH | O_DIRECTORY, 0);
	if (root < 0)
		return err_sys(err, root, "open `/`");
	r = set_readonly(root, err);
	if (r < 0) {
		err_in(err, "root filesystem");
		return err_at(err, "/root/readonly");
	}
	return 0;
}

int phase_seal(struct inside *in, struct crun_error *err)
{
	const struct launch_plan *plan = in->plan;
	struct covers covers = {0};

	/* Before something covers them. */
	if (seal_mounts(in, err) < 0)
		return -err->errnum;
	/* Read-only first: a masked path below one is then looked up, and covered, in the tree that counts. */
	for (size_t i = 0; i < plan->readonly_paths_len; i++) {
		if (make_readonly(in, plan->readonly_paths[i], err) >= 0)
			continue;
		err_in(err, "read-only path `%s`", plan->readonly_paths[i]);
		return err_at(err, "/linux/readonlyPaths/%zu", i);
	}
	for (size_t i = 0; i < plan->masked_paths_len; i++) {
		if (mask(in, &covers, plan->masked_paths[i], err) >= 0)
			continue;
		err_in(err, "masked path `%s`", plan->masked_paths[i]);
		return err_at(err, "/linux/maskedPaths/%zu", i);
	}
	return plan->root_readonly ? seal_root(in, err) : 0;
}
