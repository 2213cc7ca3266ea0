// SPDX-License-Identifier: Apache-2.0
// The phase `seal`: read-only paths, masked paths, and what is read-only once it was filled: tmpfs mounts and the root.
#include "init/inside/phase.h"

#include "base/cleanup.h"
#include "base/str.h"
#include "fs/cover.h"
#include "fs/inroot.h"
#include "fs/kernel_dirs.h"
#include "fs/mount_attr.h"
#include "fs/mount_old.h"
#include "fs/mount_id.h"
#include "sys/file.h"
#include "sys/mount.h"
#include "sys/statx.h"

/* A listed path need not exist. What init cannot reach with all capabilities of the container (EACCES) nobody in it can. */
static bool is_missing(int r)
{
	return r == -ENOENT || r == -ENOTDIR || r == -EACCES;
}

static const struct mount_change tree_readonly = {.rec_set = MOUNT_ATTR_RDONLY};

static bool is_link(int fd)
{
	struct stat st;

	return sys_fstatat(fd, "", &st) < 0 || S_ISLNK(st.st_mode);
}

/*
 * A clone of the tree at NAME in DIR, or with an empty NAME at DIR itself, gets the flag and covers it. Returns 1 for a symbolic link, which
 * has to be looked up: some machines have them in /proc (device-tree).
 */
static int clone_readonly(const struct inside *in, int dir, const char *name,
			  struct crun_error *err)
{
	_cleanup_close_ int clone = FD_NONE;
	int r, moved;

	clone = sys_open_tree(dir, name,
			      OPEN_TREE_CLONE | AT_RECURSIVE |
				      (*name ? AT_SYMLINK_NOFOLLOW : AT_EMPTY_PATH));
	if (*name && is_missing(clone))
		return 0;
	if (clone < 0)
		return err_sys(err, clone, "clone the mount");
	if (*name && is_link(clone))
		return 1;
	r = mount_attr_change(clone, &tree_readonly);
	if (r < 0 && r != -ENOSYS)
		return err_sys(err, r, "make the clone read-only");
	moved = *name ? sys_move_mount_at(clone, dir, name) : sys_move_mount(clone, dir);
	if (moved < 0)
		return err_sys(err, moved, "cover it with its read-only clone");
	if (r == -ENOSYS)
		r = mount_attr_remount(in->proc_fd, clone, &tree_readonly);
	return r < 0 ? err_sys(err, r, "make its clone read-only") : 0;
}

/* The same with mount(2): the tree is bound to itself, and what PATH leads to then must be that, or somebody races with us. */
static int bind_readonly(const struct inside *in, const char *path, int fd, struct crun_error *err)
{
	_cleanup_close_ int clone = FD_NONE;
	uint64_t before, after;
	struct stat a, b;
	int r;

	r = mount_old_bind(in->proc_fd, fd, fd, true);
	if (r < 0)
		return err_sys(err, r, "bind it to itself");
	clone = inroot_open(in->root_fd, path, O_PATH);
	if (clone < 0)
		return err_sys(err, clone, "open it again");
	r = mount_id_of(in->proc_fd, fd, &before);
	if (r >= 0)
		r = mount_id_of(in->proc_fd, clone, &after);
	if (r >= 0)
		r = sys_fstatat(fd, "", &a);
	if (r >= 0)
		r = sys_fstatat(clone, "", &b);
	if (r < 0)
		return err_sys(err, r, "look at its bind mount");
	if (before == after || a.st_dev != b.st_dev || a.st_ino != b.st_ino)
		return err_set(err, KIND_SYSTEM, ESTALE,
			       "it was replaced while the container was made");
	r = mount_attr_apply(in->proc_fd, clone, &tree_readonly);
	return r < 0 ? err_sys(err, r, "make it read-only") : 0;
}

/* Everything below a read-only path is read-only. */
static int make_readonly(const struct inside *in, const struct kernel_dirs *dirs, const char *path,
			 struct crun_error *err)
{
	_cleanup_close_ int fd = FD_NONE;
	struct kernel_name at = {.own_fd = FD_NONE};
	int r = in->old_mounts ? 0 : kernel_dirs_find(dirs, path, &at);

	/* The kernel has no such directory. */
	if (r < 0)
		return 0;
	if (r == 1) {
		r = clone_readonly(in, at.dir_fd, at.name, err);
		close_fd(&at.own_fd);
		if (r <= 0)
			return r;
	}
	fd = inroot_open(in->root_fd, path, O_PATH);
	if (is_missing(fd))
		return 0;
	if (fd < 0)
		return err_sys(err, fd, "open");
	r = in->old_mounts ? bind_readonly(in, path, fd, err) : clone_readonly(in, fd, "", err);
	if (r < 0)
		return r;
	close_fd(&fd);
	/* Looked up again: what a process in the container gets must be the clone. */
	fd = inroot_open(in->root_fd, path, O_PATH);
	if (fd < 0)
		return err_sys(err, fd, "open it again");
	return mount_attr_verify(fd, MOUNT_ATTR_RDONLY, err);
}

static int mask(const struct inside *in, struct covers *covers, const char *path,
		struct crun_error *err)
{
	struct mount_stage none = {.proc_fd = in->proc_fd, .dir_fd = FD_NONE};

	return cover_path(&none, covers, in->root_fd, path, err);
}

static int set_readonly(const struct inside *in, int fd, struct crun_error *err)
{
	const struct mount_change c = {.set = MOUNT_ATTR_RDONLY};
	int r = mount_attr_apply(in->proc_fd, fd, &c);

	if (r < 0)
		return err_sys(err, r, "make it read-only");
	/* mount_setattr(2) does it or fails; what mount(2) has done is looked at. */
	return mount_attr_needs_proc() ? mount_attr_verify(fd, MOUNT_ATTR_RDONLY, err) : 0;
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
	return set_readonly(in, fd, err);
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
	int r = set_readonly(in, in->root_fd, err);

	if (r < 0) {
		err_in(err, "root filesystem");
		return err_at(err, "/root/readonly");
	}
	return 0;
}

static int seal_paths(const struct inside *in, const struct kernel_dirs *dirs,
		      struct crun_error *err)
{
	const struct launch_plan *plan = in->plan;
	struct covers covers = {.dir_fd = in->mask_fd, .file_fd = in->null_fd};

	/* Without the mount API everything is covered by now, which a look-up shows. */
	covers.dirs = in->old_mounts ? NULL : dirs;
	/* Read-only first: a masked path below one is then looked up, and covered, in the tree that counts. */
	for (size_t i = 0; i < plan->readonly_paths_len; i++) {
		if (make_readonly(in, dirs, plan->readonly_paths[i], err) >= 0)
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
	return 0;
}

/*
 * DESTINATION is another way to write PATH, "/" or the name of a directory in it. What ".." takes back is what is written in front of it: whoever
 * has made a link of that has led the mount elsewhere, which is to be noticed as well.
 */
static bool is_at(const char *destination, const char *path)
{
	bool found = false;
	size_t depth = 0, len;

	for (const char *p = destination + strspn(destination, "/"); *p; p += strspn(p, "/")) {
		len = strcspn(p, "/");
		if (len == 2 && p[0] == '.' && p[1] == '.')
			depth -= depth > 0;
		else if ((len != 1 || *p != '.') && depth++ == 0)
			found = strlen(path + 1) == len && strncmp(p, path + 1, len) == 0;
		p += len;
	}
	return path[1] ? depth == 1 && found : depth == 0;
}

/* The mount that PATH ends at, by the plan; or NULL. */
static const struct mount_op *last_mount_to(const struct launch_plan *plan, const char *path)
{
	for (size_t i = plan->mounts_len; i-- > 0;) {
		if (plan->mounts[i].kind == MOUNT_REMOUNT)
			continue;
		if (is_at(plan->mounts[i].destination, path))
			return &plan->mounts[i];
		if (is_at(plan->mounts[i].destination, "/"))
			break;
	}
	return NULL;
}

/*
 * SEEN: kernel_dirs_open() has found a file system of the type MAGIC there. If only we do, it was away in between. 1, 0, or -errno when that
 * cannot be found out just now.
 */
static int is_mount_root(const struct inside *in, const char *path, long magic, bool seen)
{
	_cleanup_close_ int fd = inroot_open(in->root_fd, path, O_PATH);
	struct sys_mount_place place;
	struct statfs fs;
	int r = fd;

	if (r >= 0 && !seen)
		r = sys_fstatfs(fd, &fs);
	if (r < 0)
		return err_is_lack(r) ? r : 0;
	if (!seen && fs.f_type == magic)
		return 0;
	/* Old kernels do not tell. */
	return sys_mount_place(fd, &place) < 0 || place.is_mount_root;
}

/*
 * Who shares the root's files with us (a volume as root, another container of the same image) can rename the directory that something is
 * mounted on, and the mount goes with it: rename(2) refuses that in our mount namespace alone. Then none of the paths would be found, and all of
 * them be there under another name.
 */
static int check_kernel_dirs(const struct inside *in, const struct kernel_dirs *dirs,
			     struct crun_error *err)
{
	const struct {
		const char *path, *fstype;
		long magic;
		bool seen;
	} kernels[] = {
		{"/proc", "proc", PROC_SUPER_MAGIC_, dirs->proc_fd >= 0},
		{"/sys", "sysfs", SYSFS_MAGIC_, dirs->sys_fd >= 0},
	};

	for (size_t i = 0; i < ARRAY_LEN(kernels); i++) {
		const struct mount_op *op = last_mount_to(in->plan, kernels[i].path);
		int r;

		if (!op || op->kind == MOUNT_CGROUP)
			continue;
		r = op->kind == MOUNT_FS && str_eq(op->fstype, kernels[i].fstype)
			    ? kernels[i].seen
			    : is_mount_root(in, kernels[i].path, kernels[i].magic, kernels[i].seen);
		if (r < 0)
			return err_sys(err, r, "look at `%s`", kernels[i].path);
		if (r > 0)
			continue;
		err_set(err, KIND_SYSTEM, ESTALE,
			"`%s` is not what was mounted there: it was replaced while the container was made",
			kernels[i].path);
		return err_at(err, "/mounts/%u", op->index);
	}
	return 0;
}

int phase_seal(struct inside *in, struct crun_error *err)
{
	const struct launch_plan *plan = in->plan;
	struct kernel_dirs dirs;
	int r;

	/* Before something covers them. */
	if (seal_mounts(in, err) < 0)
		return -err->errnum;
	if (plan->readonly_paths_len || plan->masked_paths_len) {
		r = kernel_dirs_open(&dirs, in->root_fd);
		if (r < 0)
			err_sys(err, r, "look for `/proc` and `/sys` in the container");
		if (r == 0)
			r = check_kernel_dirs(in, &dirs, err);
		if (r == 0)
			r = seal_paths(in, &dirs, err);
		kernel_dirs_close(&dirs);
		if (r < 0)
			return r;
	}
	return plan->root_readonly ? seal_root(in, err) : 0;
}
