// SPDX-License-Identifier: Apache-2.0
// New instances whose options are longer than fsconfig(2) takes: the lower directories of an overlay.
#include "init/outside/mount.h"

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/str.h"
#include "fs/inroot.h"
#include "fs/label.h"
#include "fs/mount_old.h"
#include "sys/file.h"
#include "sys/mount.h"
#include "sys/statx.h"

#include <string.h>

/* strndup_user in the kernel's fsconfig(2): 256 bytes with the terminator. */
#define FSCONFIG_VALUE_MAX 255

bool mount_has_long_parameter(const struct mount_op *op)
{
	for (size_t i = 0; i < op->parameters_len; i++) {
		const char *value = op->parameters[i].value;

		if (value && strlen(value) > FSCONFIG_VALUE_MAX)
			return true;
	}
	return false;
}

int mount_join_parameters(const struct mount_op *op, const char *skip, const char *mode,
			  struct buf *data, struct crun_error *err)
{
	const char *comma = "";

	if (mode) {
		buf_printf(data, "mode=%s", mode);
		comma = ",";
	}
	for (size_t i = 0; i < op->parameters_len; i++) {
		const struct mount_parameter *p = &op->parameters[i];

		/* The commas of a label must not end the option (selinux_sb_eat_lsm_opts). */
		const char *quote =
			p->value && label_is_option(p->key) && p->value[0] != '"' ? "\"" : "";

		if (skip && str_eq(p->key, skip))
			continue;
		buf_printf(data, "%s%s%s%s%s%s", comma, p->key, p->value ? "=" : "", quote,
			   p->value ? p->value : "", quote);
		comma = ",";
	}
	if (data->failed)
		return err_sys(err, -ENOMEM, "join the mount options");
	return 0;
}

/* The mount that was just made over TARGET: what its path leads to now, if that is a mount of its own. */
static int open_new_mount(struct outside *o, const struct mount_target *target,
			  struct crun_error *err)
{
	_cleanup_close_ int fd = FD_NONE;
	struct sys_mount_place now, before;

	fd = inroot_open(o->root_fd, target->path, O_PATH | O_NOFOLLOW);
	if (fd < 0)
		return err_sys(err, fd, "open the new mount");
	if (sys_mount_place(fd, &now) < 0 || sys_mount_place(target->fd, &before) < 0 ||
	    !now.is_mount_root || now.mount_id == before.mount_id)
		return err_set(err, KIND_SYSTEM, ESTALE,
			       "the destination changed while the container was made");
	return take_fd(&fd);
}

int mount_long(struct outside *o, const struct mount_op *op, const struct mount_target *target,
	       struct crun_error *err)
{
	const struct mount_change propagation = {
		.propagation = op->propagation,
		.propagation_rec = op->propagation_rec,
	};
	_cleanup_buf_ struct buf data = {0};
	_cleanup_close_ int fd = FD_NONE;
	int r;

	r = mount_join_parameters(op, NULL, NULL, &data, err);
	if (r < 0)
		return r;
	r = mount_old_new(o->proc_fd, target->fd, op->source ? op->source : op->fstype, op->fstype,
			  mount_attr_flags(op->attr_set), data.data);
	if (r < 0)
		return err_sys_code(err, r == -EINVAL ? CODE_MOUNT_OPTION : CODE_MOUNT_REFUSED, r,
				    "make a %s filesystem with `%s`", op->fstype, data.data);
	fd = open_new_mount(o, target, err);
	if (fd < 0)
		return fd;
	r = mount_check_label(o, op, fd, err);
	if (r < 0)
		return r;
	if (op->propagation) {
		r = mount_attr_apply(o->proc_fd, fd, &propagation);
		if (r < 0)
			return err_sys(err, r, "set the propagation of the mount");
	}
	return mount_verify(o, op, fd, err);
}
