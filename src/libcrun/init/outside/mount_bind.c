// SPDX-License-Identifier: Apache-2.0
// Bind mounts: a detached clone gets its flags before anybody can see it, and is attached by fd.
#include "init/outside/mount.h"

#include "base/cleanup.h"
#include "base/log.h"
#include "base/str.h"
#include "fs/inroot.h"
#include "sys/file.h"
#include "sys/mount.h"

/* -ENOSYS: the kernel can do that only once the mount is attached. One on the stage is. */
static int change(const struct outside *o, int fd, const struct mount_change *c, bool attached)
{
	if (attached || mount_stage_is_open(&o->stage))
		return mount_attr_apply(o->proc_fd, fd, c);
	return mount_attr_change(fd, c);
}

/*
 * EPERM: a more privileged mount namespace has locked flags that C changes (mount_namespaces(7)). Bits that nobody asked to be
 * off are never in C->clr, so what is left is either harmless or has to be said.
 */
static int change_locked(const struct outside *o, int fd, const struct mount_change *c,
			 bool attached, struct crun_error *err)
{
	struct mount_change less = *c;
	uint64_t now = 0, lost;
	int r;

	/* The access time mode is locked together with any flag; it protects nothing of the container. */
	less.clr &= ~(uint64_t)(MOUNT_ATTR__ATIME | MOUNT_ATTR_NODIRATIME);
	less.set &= ~(uint64_t)(MOUNT_ATTR__ATIME | MOUNT_ATTR_NODIRATIME);
	/* "rw" is what engines write for every volume: a read-only one that may not be changed stays read-only. */
	less.clr &= ~(uint64_t)MOUNT_ATTR_RDONLY;
	r = change(o, fd, &less, attached);
	if (r == 0) {
		log_debug("mount: kept flags that a more privileged namespace has locked");
		return 0;
	}
	if (r != -EPERM)
		return err_sys(err, r, "set the flags of the mount");
	if (mount_attr_get(fd, &now) < 0)
		now = 0;
	lost = (c->clr | c->rec_clr) & now;
	if (!lost)
		return err_sys(err, r, "set the flags of the mount");
	return err_set(err, KIND_PERMISSION, EPERM,
		       "the source is mounted `%s`, and that is locked: it belongs to a more "
		       "privileged user namespace: Operation not permitted",
		       mount_attr_name(lost));
}

int mount_tree_change(const struct outside *o, int fd, const struct mount_change *c, bool attached,
		      struct crun_error *err)
{
	int r = change(o, fd, c, attached);

	if (r == -ENOSYS)
		return 1;
	if (r == -EPERM)
		return change_locked(o, fd, c, attached, err);
	if (r < 0)
		return err_sys(err, r, "set the flags of the mount");
	return 0;
}

/* "copy-symlink": the destination becomes a link with the same target. */
static int copy_link(struct outside *o, const struct mount_op *op, int source,
		     struct crun_error *err)
{
	char target[PATH_MAX], old[PATH_MAX], name[NAME_MAX + 1];
	_cleanup_close_ int parent = FD_NONE;
	int r;

	r = sys_readlinkat(source, "", target, sizeof(target));
	if (r < 0)
		return err_sys(err, r, "readlink `%s`", op->source);
	parent = inroot_make_parent(o->root_fd, op->destination, name, sizeof(name), err);
	if (parent < 0)
		return parent;
	r = sys_symlinkat(target, parent, name);
	if (r == -EEXIST && sys_readlinkat(parent, name, old, sizeof(old)) >= 0 &&
	    str_eq(old, target))
		return 0;
	if (r < 0)
		return err_sys(err, r, "symlink `%s` to `%s`", op->destination, target);
	return 0;
}

/*
 * The host's cgroups come along with a bind mount of its /sys, which ordinary users have to make for want of a sysfs of their own:
 * "ro" counts for them too (CVE-2023-25809). A new sysfs would not show them at all.
 */
static bool is_readonly_sys(const struct mount_op *op, int source)
{
	struct statfs fs;

	return op->recursive && (op->attr_set & MOUNT_ATTR_RDONLY) &&
	       sys_fstatfs(source, &fs) == 0 && fs.f_type == SYSFS_MAGIC_;
}

static int bind_source(struct outside *o, const struct mount_op *op, int source, bool *ret_over_dev,
		       struct crun_error *err)
{
	struct mount_target t = {.fd = FD_NONE};
	struct mount_change c;
	struct stat st;
	int r, later;

	r = sys_fstatat(source, "", &st);
	if (r < 0)
		return err_sys_code(
			err, r == -ENOENT ? CODE_MOUNT_SOURCE_MISSING : CODE_MOUNT_SOURCE_REFUSED,
			r, "stat mount source `%s`", op->source);
	if (op->copy_symlink && S_ISLNK(st.st_mode))
		return copy_link(o, op, source, err);
	/* The clone of a shared mount is its peer: what is mounted below it would appear on the host. */
	mount_op_change(op, &c);
	if (is_readonly_sys(op, source))
		c.rec_set |= MOUNT_ATTR_RDONLY;
	if (op->propagation != MS_SHARED) {
		c.propagation = MS_SLAVE;
		c.propagation_rec = true;
	}
	later = mount_tree_change(o, source, &c, false, err);
	if (later < 0)
		return later;
	r = mount_target_open(o, op, st.st_mode, source, &t, err);
	if (r >= 0)
		r = mount_attach_verified(o, op, source, &t, later ? &c : NULL, err);
	*ret_over_dev = str_eq(t.path, "/dev");
	close_fd(&t.fd);
	return r;
}

int mount_bind(struct outside *o, const struct mount_op *op, struct crun_error *err)
{
	int *source = &o->mount_fds[op - o->plan->mounts];
	bool over_dev = false;
	int r;

	r = bind_source(o, op, *source, &over_dev, err);
	if (r < 0)
		return r;
	/* Who changes a live container finds the mount again by this, and by no path that may lead elsewhere by now. */
	if (!over_dev && !o->plan->live_mounts)
		close_fd(source);
	return 0;
}
