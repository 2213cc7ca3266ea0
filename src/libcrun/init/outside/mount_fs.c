// SPDX-License-Identifier: Apache-2.0
// New file system instances: configured completely through a file descriptor, then attached to one.
#include "init/outside/mount.h"

#include "base/cleanup.h"
#include "base/log.h"
#include "base/str.h"
#include "fs/label.h"
#include "fs/mount_idmap.h"
#include "fs/mount_source.h"
#include "sys/file.h"
#include "sys/mount.h"

#include <stdio.h>

/* Longer ones go to mount_long. */
#define LABEL_OPTION_MAX 256

/* One attempt at an instance. */
struct instance {
	const struct mount_op *op;
	const char *skip; /* a parameter to leave out, or NULL */
	const char
		*extra_mode; /* tmpfs without "mode=": the mode of the directory that it covers */
	int fs_fd;
};

/* The JSON pointer of the option that became parameter P. */
static int at_option(const struct outside *o, const struct mount_op *op,
		     const struct mount_parameter *p, struct crun_error *err)
{
	const struct oci_mount *m = &o->plan->config->mounts[op->index];

	for (size_t i = 0; i < m->options_len; i++) {
		const char *rest = str_after(m->options[i], p->key);

		if (rest && (p->value ? *rest == '=' && str_eq(rest + 1, p->value) : *rest == '\0'))
			return err_at(err, "/mounts/%u/options/%zu", op->index, i);
	}
	return -err->errnum;
}

/* Why the kernel refused, in its own words where it has some. */
static int failed(const struct instance *in, int r, const char *what, struct crun_error *err)
{
	char words[256];

	if (sys_fsopen_message(in->fs_fd, words, sizeof(words)) > 0)
		err_sys(err, r, "%s: %s", what, words);
	else
		err_sys(err, r, "%s", what);
	return r == -EINVAL ? err_code(err, CODE_MOUNT_OPTION) : r;
}

static const char *value_of(const struct mount_parameter *p, char *buf, size_t size)
{
	return label_is_option(p->key) ? label_unquote(p->value, buf, size) : p->value;
}

static int set_parameters(const struct outside *o, struct instance *in, struct crun_error *err)
{
	const struct mount_op *op = in->op;
	char what[512], label[LABEL_OPTION_MAX];
	int r;

	for (size_t i = 0; i < op->parameters_len; i++) {
		const struct mount_parameter *p = &op->parameters[i];

		if (in->skip && str_eq(p->key, in->skip))
			continue;
		r = p->value ? sys_fsconfig_string(in->fs_fd, p->key,
						   value_of(p, label, sizeof(label)))
			     : sys_fsconfig_flag(in->fs_fd, p->key);
		if (r >= 0)
			continue;
		snprintf(what, sizeof(what), "%s option `%s%s%s`", op->fstype, p->key,
			 p->value ? "=" : "", p->value ? p->value : "");
		r = failed(in, r, what, err);
		(void)at_option(o, op, p, err);
		return r;
	}
	return 0;
}

static int no_such_fs(const struct mount_op *op, struct crun_error *err)
{
	err_set(err, CODE_MOUNT_TYPE, ENODEV,
		"this kernel does not have the file system `%s`: No such device", op->fstype);
	return err_at(err, "/mounts/%u/type", op->index);
}

static int configure(const struct outside *o, struct instance *in, struct crun_error *err)
{
	const struct mount_op *op = in->op;
	char what[128];
	int r;

	in->fs_fd = sys_fsopen(op->fstype);
	if (in->fs_fd == -ENODEV)
		return no_such_fs(op, err);
	if (in->fs_fd < 0)
		return err_sys(err, in->fs_fd, "fsopen %s", op->fstype);
	if (op->source && *op->source) {
		r = sys_fsconfig_string(in->fs_fd, "source", op->source);
		if (r < 0) {
			snprintf(what, sizeof(what), "%s source", op->fstype);
			return failed(in, r, what, err);
		}
	}
	if (in->extra_mode) {
		r = sys_fsconfig_string(in->fs_fd, "mode", in->extra_mode);
		if (r < 0)
			return failed(in, r, "tmpfs option `mode`", err);
	}
	r = set_parameters(o, in, err);
	if (r < 0)
		return r;
	r = sys_fsconfig_create(in->fs_fd);
	if (r < 0) {
		snprintf(what, sizeof(what), "make a %s filesystem", op->fstype);
		return failed(in, r, what, err);
	}
	return 0;
}

/* A tmpfs is still to be filled when it is mounted: `seal` makes it read-only. */
static uint64_t initial_attrs(const struct mount_op *op)
{
	if (str_eq(op->fstype, "tmpfs"))
		return op->attr_set & ~(uint64_t)MOUNT_ATTR_RDONLY;
	return op->attr_set;
}

/* By mount(2) the kernel has no words for what it refuses. */
static int make_on_stage(struct outside *o, const struct instance *in, struct crun_error *err)
{
	const struct mount_op *op = in->op;
	_cleanup_buf_ struct buf data = {0};
	int r;

	r = mount_join_parameters(op, in->skip, in->extra_mode, &data, err);
	if (r < 0)
		return r;
	r = mount_stage_new(&o->stage, op->source && *op->source ? op->source : op->fstype,
			    op->fstype, initial_attrs(op), data.data);
	if (r == -ENODEV)
		return no_such_fs(op, err);
	if (r < 0)
		return err_sys_code(err, r == -EINVAL ? CODE_MOUNT_OPTION : CODE_MOUNT_REFUSED, r,
				    "make a %s filesystem with the options `%s`", op->fstype,
				    data.data ? data.data : "");
	return r;
}

/* fsmount(2) knows `nosymfollow` since 5.14; mount(2), which changes what is attached, since 5.10. */
static int fsmount_for(int fs_fd, uint64_t attrs, struct mount_change *later)
{
	int r = sys_fsmount(fs_fd, (unsigned)attrs);

	if (r != -EINVAL || !(attrs & MOUNT_ATTR_NOSYMFOLLOW))
		return r;
	r = sys_fsmount(fs_fd, (unsigned)(attrs & ~(uint64_t)MOUNT_ATTR_NOSYMFOLLOW));
	if (r >= 0)
		later->rec_set |= MOUNT_ATTR_NOSYMFOLLOW;
	return r;
}

/* Returns the detached mount of a new instance, or that on the stage; for *later see mount_fs(). */
static int make_instance(struct outside *o, const struct mount_op *op, const char *skip,
			 const char *extra_mode, struct mount_change *later, struct crun_error *err)
{
	struct instance in = {.op = op, .skip = skip, .extra_mode = extra_mode, .fs_fd = FD_NONE};
	int r;

	if (mount_stage_is_open(&o->stage))
		return make_on_stage(o, &in, err);
	r = configure(o, &in, err);
	if (r >= 0) {
		r = fsmount_for(in.fs_fd, initial_attrs(op), later);
		if (r < 0)
			(void)failed(&in, r, "fsmount", err);
	}
	close_fd(&in.fs_fd);
	return r;
}

static bool in_userns(const struct outside *o)
{
	return plan_ns_is_own(o->plan, NS_USER) || o->plan->facts.in_userns;
}

static bool has_parameter(const struct mount_op *op, const char *key)
{
	for (size_t i = 0; i < op->parameters_len; i++) {
		if (str_eq(op->parameters[i].key, key))
			return true;
	}
	return false;
}

/* A tree of the host's at PATH, which has to be of the file system MAGIC, changed by ALL; what is left to do is in *later. */
static int bind_host_tree(struct outside *o, const char *path, long magic,
			  const struct mount_change *all, struct mount_change *later,
			  struct crun_error *err)
{
	_cleanup_close_ int fd = FD_NONE;
	struct statfs fs;
	int r;

	fd = mount_source_open(&o->stage, path, true, true, err);
	if (fd < 0)
		return fd;
	r = sys_fstatfs(fd, &fs);
	if (r < 0)
		return err_sys(err, r, "statfs `%s`", path);
	if (fs.f_type != magic)
		return err_set(err, KIND_UNSUPPORTED, ENODEV,
			       "the host's `%s` is not the file system that is asked for", path);
	r = mount_tree_change(o, fd, all, false, err);
	if (r < 0)
		return r;
	if (r > 0)
		*later = *all;
	return take_fd(&fd);
}

/*
 * sysfs shows a network namespace and wants to be root there; without one (or where the visible /sys is masked) the host's is
 * bound. What that brings along is no weaker than a new instance: all of it gets the flags, and the cgroup and other file
 * systems below, which a new sysfs does not have, are read-only (CVE-2023-25809).
 */
static int bind_host_sys(struct outside *o, const struct mount_op *op, struct mount_change *later,
			 struct crun_error *err)
{
	struct mount_change all = {
		.rec_set = op->attr_set | MOUNT_ATTR_RDONLY,
		.rec_clr = op->attr_clr & MOUNT_ATTR__ATIME,
		.propagation = MS_SLAVE,
		.propagation_rec = true,
	};
	const struct mount_change top_writable = {.clr = MOUNT_ATTR_RDONLY};
	bool writable = !(op->attr_set & MOUNT_ATTR_RDONLY);
	int fd = bind_host_tree(o, "/sys", SYSFS_MAGIC_, &all, later, err);

	if (fd < 0)
		return fd;
	if (later->rec_set && writable)
		later->clr = MOUNT_ATTR_RDONLY;
	else if (writable && mount_tree_change(o, fd, &top_writable, false, ERR_IGNORED) < 0)
		log_debug("the host's /sys is locked read-only and stays so");
	log_debug("mount to %s: bound the host's /sys", op->destination);
	return fd;
}

/*
 * The kernel makes a proc only for who is root over its pid namespace, and in a user namespace only where nothing of the visible
 * /proc is masked. Who shares our pid namespace sees in our /proc what a new one would show, with the masks that are there. For a
 * pid namespace of its own our /proc would be that of strangers.
 */
static int bind_host_proc(struct outside *o, const struct mount_op *op, struct mount_change *later,
			  struct crun_error *err)
{
	struct mount_change all = {
		.rec_set = op->attr_set,
		.rec_clr = op->attr_clr & MOUNT_ATTR__ATIME,
		.propagation = MS_SLAVE,
		.propagation_rec = true,
	};
	int fd;

	if (o->plan->ns[NS_PID].action != NS_SHARE)
		return err_set(err, KIND_PERMISSION, EPERM,
			       "the kernel refuses a new proc filesystem: it needs a pid namespace "
			       "of the container's own, and in a user namespace a visible /proc "
			       "without masked files: Operation not permitted");
	fd = bind_host_tree(o, "/proc", PROC_SUPER_MAGIC_, &all, later, err);
	if (fd >= 0)
		log_debug("mount to %s: bound the host's /proc", op->destination);
	return fd;
}

/* What to try when the plain attempt failed with R; returns the mount, for which *later may be left to do, or the error. */
static int second_attempt(struct outside *o, const struct mount_op *op, int r,
			  const char *extra_mode, struct mount_change *later,
			  struct crun_error *err)
{
	/* gid=5 is the tty group of the distributions, which a small id mapping does not have. */
	if (str_eq(op->fstype, "devpts") && r == -EINVAL && in_userns(o) &&
	    has_parameter(op, "gid"))
		return make_instance(o, op, "gid", extra_mode, later, err);
	if (str_eq(op->fstype, "sysfs") && r == -EPERM)
		return bind_host_sys(o, op, later, err);
	if (str_eq(op->fstype, "proc") && r == -EPERM)
		return bind_host_proc(o, op, later, err);
	return r;
}

/* After tmpcopyup, which brings the ids of the root as they are; the mapping is for who uses the mount. */
static int map_ids(struct outside *o, const struct mount_op *op, int fd, struct crun_error *err)
{
	int *userns_fd = &o->mount_fds[op - o->plan->mounts];
	int r;

	if (!op->idmap)
		return 0;
	r = mount_idmap_instance(fd, op->fstype, *userns_fd, err);
	close_fd(userns_fd);
	return r;
}

int mount_check_label(const struct outside *o, const struct mount_op *op, int mount_fd,
		      struct crun_error *err)
{
	char label[LABEL_OPTION_MAX];
	int r;

	for (size_t i = 0; o->plan->facts.selinux && i < op->parameters_len; i++) {
		const struct mount_parameter *p = &op->parameters[i];

		/* These two are what the root of the mount shows; the others leave no trace in a file. */
		if (!p->value || (!str_eq(p->key, "context") && !str_eq(p->key, "rootcontext")))
			continue;
		r = label_verify_mount(mount_fd, value_of(p, label, sizeof(label)), err);
		if (r < 0) {
			/* Either an option of the mount or the label of all mounts. */
			(void)at_option(o, op, p, err);
			(void)err_at(err, "/linux/mountLabel");
			return r;
		}
	}
	return 0;
}

/* FD is the new mount, or what it is mounted on, for who may have to take it away from a live container: see live_mounts.c. */
static void keep_for_undo(struct outside *o, const struct mount_op *op, int *fd)
{
	int *kept = &o->mount_fds[op - o->plan->mounts];

	if (!o->plan->live_mounts)
		return;
	close_fd(kept);
	*kept = take_fd(fd);
}

/* As an option of a tmpfs that covers TARGET; NULL when there is no directory. */
static const char *mode_of(const struct mount_target *target, char *buf, size_t size)
{
	mode_t mode = mount_target_mode(target);

	if (!S_ISDIR(mode))
		return NULL;
	snprintf(buf, size, "%04o", (unsigned)mode & 07777);
	return buf;
}

/* AS_MADE: by fsmount(2), which gives a mount the flags that it is told or fails; nothing has changed them since. */
static int attach(struct outside *o, const struct mount_op *op, int fd, bool as_made,
		  const struct mount_target *target, const struct mount_change *later,
		  struct crun_error *err)
{
	struct mount_op shown = *op;

	shown.attr_set = initial_attrs(op);
	if (as_made && !op->rec_set && !op->idmap)
		return mount_attach(o, &shown, fd, target, NULL, err);
	return mount_attach_verified(o, &shown, fd, target, later->rec_set ? later : NULL, err);
}

int mount_fs(struct outside *o, const struct mount_op *op, struct crun_error *err)
{
	struct mount_target t = {.fd = FD_NONE};
	_cleanup_close_ int target_fd = FD_NONE;
	_cleanup_close_ int fd = FD_NONE;
	char mode[16];
	const char *extra_mode = NULL;
	bool is_tmpfs = str_eq(op->fstype, "tmpfs"), as_made;
	struct mount_change later = {0}; /* what only the attached mount can be given */
	int r;

	r = mount_target_open(o, op, S_IFDIR, FD_NONE, &t, err);
	target_fd = t.fd;
	if (r < 0)
		return r;
	if (mount_has_long_parameter(op) && !is_tmpfs && !mount_stage_is_open(&o->stage)) {
		if (op->idmap)
			return err_set(err, KIND_UNSUPPORTED, EOPNOTSUPP,
				       "a new %s filesystem with options of more than 255 bytes "
				       "cannot be idmapped",
				       op->fstype);
		r = mount_long(o, op, &t, err);
		if (r >= 0)
			keep_for_undo(o, op, &target_fd);
		return r;
	}
	if (is_tmpfs && !t.created && !has_parameter(op, "mode"))
		extra_mode = mode_of(&t, mode, sizeof(mode));
	fd = make_instance(o, op, NULL, extra_mode, &later, err);
	as_made = fd >= 0 && !later.rec_set && !mount_stage_is_open(&o->stage);
	if (fd < 0)
		fd = second_attempt(o, op, fd, extra_mode, &later, err);
	if (fd < 0)
		return fd;
	r = mount_check_label(o, op, fd, err);
	if (r < 0)
		return r;
	if (op->tmpcopyup) {
		r = tmpfs_copyup(&t, fd, has_parameter(op, "uid") || has_parameter(op, "gid"), err);
		if (r < 0)
			return r;
	}
	r = map_ids(o, op, fd, err);
	if (r < 0)
		return r;
	r = attach(o, op, fd, as_made, &t, &later, err);
	keep_for_undo(o, op, &fd);
	return r;
}
