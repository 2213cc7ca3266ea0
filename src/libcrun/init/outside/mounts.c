// SPDX-License-Identifier: Apache-2.0
// The phase `mounts`: the mounts of the configuration in order, and what all kinds of them have in common.
#include "init/outside/phase.h"

#include "base/cleanup.h"
#include "base/str.h"
#include "fs/inroot.h"
#include "fs/mount_source.h"
#include "fs/procfs.h"
#include "init/outside/mount.h"
#include "sys/file.h"
#include "sys/mount.h"
#include "sys/statx.h"

#include <stdio.h>

#define PROC_ROOT_INODE 1

/*
 * Regular files may be bound over these (lxcfs does): they virtualise a number and hide no control. Anything else below /proc
 * would let an image replace what we and the kernel's users trust: CVE-2019-16884, CVE-2025-52881.
 */
static bool proc_file_may_be_covered(const char *path)
{
	static const char *const allowed[] = {
		"/proc/cpuinfo",
		"/proc/diskstats",
		"/proc/loadavg",
		"/proc/meminfo",
		"/proc/net/dev",
		"/proc/slabinfo",
		"/proc/stat",
		"/proc/swaps",
		"/proc/sys/crypto/fips_enabled",
		"/proc/uptime",
		"/proc/sys/kernel/ns_last_pid",
	};
	const char *net = str_after(path, "/proc/");

	for (size_t i = 0; i < ARRAY_LEN(allowed); i++) {
		if (str_eq(path, allowed[i]))
			return true;
	}
	/* /proc/net is a link to self/net. */
	return net && str_eq(net + strspn(net, "0123456789"), "/net/dev");
}

int mount_path_of(const struct outside *o, int fd, char *buf, size_t size, struct crun_error *err)
{
	char root[PATH_MAX], full[PATH_MAX];
	const char *rest = NULL;
	int r;

	r = procfs_fd_path(o->proc_fd, o->root_fd, root, sizeof(root));
	if (r >= 0)
		r = procfs_fd_path(o->proc_fd, fd, full, sizeof(full));
	if (r < 0)
		return err_sys(err, r, "find out the path of the destination");
	if (str_eq(root, "/"))
		rest = full;
	else if (str_after(full, root))
		rest = str_after(full, root);
	if (!rest || (*rest && *rest != '/'))
		return err_set(err, KIND_SYSTEM, EXDEV,
			       "the destination is `%s`, outside of the root filesystem", full);
	snprintf(buf, size, "%s", *rest ? rest : "/");
	return 0;
}

/* A directory that is the root of a procfs: the only thing but a new procfs that may be bound to /proc. */
static bool is_proc_root(int fd)
{
	struct statfs fs;
	struct stat st;

	return fd >= 0 && sys_fstatfs(fd, &fs) == 0 && fs.f_type == PROC_SUPER_MAGIC_ &&
	       sys_fstatat(fd, "", &st) == 0 && st.st_ino == PROC_ROOT_INODE;
}

static bool is_regular(int fd)
{
	struct stat st;

	return fd >= 0 && sys_fstatat(fd, "", &st) == 0 && S_ISREG(st.st_mode);
}

static int check_proc(const struct mount_op *op, const struct mount_target *t, int source_fd,
		      struct crun_error *err)
{
	const char *below = str_after(t->path, "/proc");
	struct statfs fs;
	bool in_proc;

	in_proc = sys_fstatfs(t->fd, &fs) == 0 && fs.f_type == PROC_SUPER_MAGIC_;
	if (below && *below == '\0') {
		if (op->kind == MOUNT_REMOUNT || is_proc_root(source_fd) ||
		    (op->kind == MOUNT_FS && str_eq(op->fstype, "proc")))
			return 0;
		return err_set(err, CODE_MOUNT_TARGET, EPERM,
			       "the destination is `/proc`, where only a proc filesystem may be");
	}
	if (!in_proc && !(below && *below == '/'))
		return 0;
	if (op->kind == MOUNT_BIND && is_regular(source_fd) && proc_file_may_be_covered(t->path))
		return 0;
	/* A second procfs elsewhere ("/host/proc"): its root may be covered by another one. */
	if (!(below && *below == '/') && is_proc_root(t->fd))
		return 0;
	return err_set(err, CODE_MOUNT_TARGET, EPERM,
		       "the destination is `%s`: nothing may be mounted inside a proc filesystem",
		       t->path);
}

/*
 * proc and sysfs go onto a directory and never through a link: the label of the process and the sysctls are written below
 * them, and an image could send us elsewhere (CVE-2019-19921, CVE-2023-27561).
 */
static bool needs_real_directory(const struct mount_op *op)
{
	return op->kind == MOUNT_FS && (str_eq(op->fstype, "proc") || str_eq(op->fstype, "sysfs"));
}

mode_t mount_target_mode(const struct mount_target *target)
{
	struct stat st;

	return sys_fstatat(target->fd, "", &st) < 0 ? 0 : st.st_mode;
}

int mount_target_open(struct outside *o, const struct mount_op *op, mode_t want, int source_fd,
		      struct mount_target *ret, struct crun_error *err)
{
	unsigned flags = op->dest_nofollow || needs_real_directory(op) ? INROOT_NOFOLLOW : 0;
	mode_t mode = S_ISDIR(want) ? S_IFDIR | 0755 : S_IFREG | 0644;
	struct inroot_found found;
	int r = 0;

	ret->fd = inroot_make(o->root_fd, op->destination, mode, flags, &found, err);
	if (ret->fd < 0)
		return ret->fd;
	ret->created = found.created;
	if (needs_real_directory(op) && !found.as_spelled && !S_ISDIR(mount_target_mode(ret)))
		return err_set(err, CODE_MOUNT_TARGET, ENOTDIR,
			       "a %s filesystem must be mounted on an ordinary directory, which "
			       "the destination is not",
			       op->fstype);
	/* A look-up that met no link went where the path says; else procfs tells where it ended. Either is the place at one instant. */
	if (found.as_spelled && strlen(op->destination) < sizeof(ret->path))
		memcpy(ret->path, op->destination, strlen(op->destination) + 1);
	else
		r = mount_path_of(o, ret->fd, ret->path, sizeof(ret->path), err);
	if (r < 0)
		return r;
	if (str_eq(ret->path, "/") && op->kind != MOUNT_REMOUNT)
		return err_set(err, CODE_MOUNT_TARGET, EINVAL,
			       "the destination is the root directory");
	return check_proc(op, ret, source_fd, err);
}

void mount_op_change(const struct mount_op *op, struct mount_change *ret)
{
	*ret = (struct mount_change){
		.set = op->attr_set,
		.clr = op->attr_clr,
		.rec_set = op->rec_set,
		.rec_clr = op->rec_clr,
	};
}

/* What the mount itself must have in the end: its own flags win over those of the tree ("rro", "rw"). */
static uint64_t wanted_flags(const struct mount_op *op)
{
	return op->attr_set | (op->rec_set & ~op->attr_clr);
}

/*
 * In a user namespace a new proc or sysfs gets the access time mode of one that is visible already, whatever was asked for
 * (mnt_already_visible() of the kernel), and that of a bind mount is locked together with its other flags: there is nothing to insist on,
 * and it protects nothing.
 */
static bool kernel_chooses_atime(const struct outside *o, const struct mount_op *op)
{
	bool in_userns = o->plan->facts.in_userns || o->plan->ns[NS_USER].action != NS_SHARE;

	return in_userns &&
	       (op->kind != MOUNT_FS || str_eq(op->fstype, "proc") || str_eq(op->fstype, "sysfs"));
}

int mount_verify(const struct outside *o, const struct mount_op *op, int fd, struct crun_error *err)
{
	bool own_mode = op->attr_clr & MOUNT_ATTR__ATIME;
	uint64_t clr = own_mode ? op->attr_clr : op->rec_clr;
	uint64_t set = (own_mode ? op->attr_set : op->rec_set) & MOUNT_ATTR__ATIME;
	int r = mount_attr_verify(fd, wanted_flags(op), err);

	if (r < 0 || kernel_chooses_atime(o, op))
		return r;
	set |= wanted_flags(op) & MOUNT_ATTR_NODIRATIME;
	return mount_attr_verify_atime(fd, set, clr, err);
}

/* The words of move_mount(2) are meagre: a directory over a file, or a file over a directory, is EINVAL or ENOTDIR. */
static int attach_failed(int r, int mount_fd, const struct mount_target *t, struct crun_error *err)
{
	mode_t mode = mount_target_mode(t);
	struct stat st;

	if (sys_fstatat(mount_fd, "", &st) < 0 || S_ISDIR(st.st_mode) == S_ISDIR(mode))
		return err_sys(err, r, "attach the mount to `%s`", t->path);
	return err_sys(err, -ENOTDIR,
		       !S_ISDIR(mode) ? "what is mounted is a directory, but `%s` is not"
				      : "what is mounted is not a directory, but `%s` is",
		       t->path);
}

int mount_attach(struct outside *o, const struct mount_op *op, int mount_fd,
		 const struct mount_target *t, const struct mount_change *needs,
		 struct crun_error *err)
{
	const struct mount_change propagation = {
		.propagation = op->propagation,
		.propagation_rec = op->propagation_rec,
	};
	int r;

	r = mount_stage_attach(&o->stage, mount_fd, t->fd);
	if (r < 0)
		return attach_failed(r, mount_fd, t, err);
	if (needs) {
		r = mount_tree_change(o, mount_fd, needs, true, err);
		if (r < 0)
			return r;
	}
	/* Last: a mount that is attached below a shared one becomes shared. */
	if (op->propagation) {
		r = mount_attr_apply(o->proc_fd, mount_fd, &propagation);
		if (r < 0)
			return err_sys(err, r, "set the propagation of the mount");
	}
	return 0;
}

int mount_attach_verified(struct outside *o, const struct mount_op *op, int mount_fd,
			  const struct mount_target *t, const struct mount_change *needs,
			  struct crun_error *err)
{
	int r = mount_attach(o, op, mount_fd, t, needs, err);

	return r < 0 ? r : mount_verify(o, op, mount_fd, err);
}

static int remount(struct outside *o, const struct mount_op *op, struct crun_error *err)
{
	struct mount_target t = {.fd = FD_NONE};
	struct mount_change change;
	struct sys_mount_place place;
	_cleanup_close_ int fd = FD_NONE;
	int r;

	fd = inroot_open(o->root_fd, op->destination, O_PATH);
	if (fd < 0)
		return err_sys(err, fd, "open the destination");
	r = sys_mount_place(fd, &place);
	if (r == 0 && !place.is_mount_root)
		return err_set(err, CODE_MOUNT_TARGET, EINVAL,
			       "there is no mount that could be changed by \"remount\"");
	r = mount_target_open(o, op, S_IFDIR, FD_NONE, &t, err);
	close_fd(&t.fd);
	if (r < 0)
		return r;
	mount_op_change(op, &change);
	change.propagation = op->propagation;
	change.propagation_rec = op->propagation_rec;
	r = mount_attr_apply(o->proc_fd, fd, &change);
	if (r < 0)
		return err_sys(err, r, "change the flags of the mount");
	return mount_verify(o, op, fd, err);
}

int mount_open_sources(struct outside *o, struct crun_error *err)
{
	for (size_t i = 0; i < o->plan->mounts_len; i++) {
		const struct mount_op *op = &o->plan->mounts[i];

		if (op->kind != MOUNT_BIND || o->mount_fds[i] >= 0)
			continue;
		o->mount_fds[i] = mount_source_open(&o->stage, op->source, op->recursive,
						    op->src_nofollow || op->copy_symlink, err);
		if (o->mount_fds[i] < 0) {
			err_in(err, "mount to `%s`", op->destination);
			return err_at(err, "/mounts/%u/source", op->index);
		}
	}
	return 0;
}

bool mount_dev_is_bind(const struct outside *o)
{
	for (size_t i = 0; i < o->plan->mounts_len; i++) {
		if (o->mount_fds[i] >= 0)
			return true;
	}
	return false;
}

int mount_make(struct outside *o, const struct mount_op *op, struct crun_error *err)
{
	switch (op->kind) {
	case MOUNT_BIND:
		return mount_bind(o, op, err);
	case MOUNT_CGROUP:
		return mount_cgroup(o, op, err);
	case MOUNT_REMOUNT:
		return remount(o, op, err);
	default:
		return mount_fs(o, op, err);
	}
}

int phase_mounts(struct outside *o, struct crun_error *err)
{
	for (size_t i = 0; i < o->plan->mounts_len; i++) {
		const struct mount_op *op = &o->plan->mounts[i];

		if (mount_make(o, op, err) < 0) {
			err_in(err, "mount to `%s`", op->destination);
			return err_at(err, "/mounts/%u", op->index);
		}
	}
	return 0;
}
