// SPDX-License-Identifier: Apache-2.0
// The phases of a process that adds mounts to a container that is there, or takes some away: all of them or none.
#include "init/outside/phase.h"

#include "base/cleanup.h"
#include "base/log.h"
#include "base/str.h"
#include "fs/inroot.h"
#include "fs/mount_old.h"
#include "init/outside/mount.h"
#include "sync/ladder.h"
#include "sys/file.h"
#include "sys/mount.h"
#include "sys/statx.h"

#include <errno.h>

static bool adds(const struct launch_plan *plan)
{
	return plan->live_mounts == LIVE_MOUNTS_ADD;
}

static bool removes(const struct launch_plan *plan)
{
	return plan->live_mounts == LIVE_MOUNTS_REMOVE;
}

/* setns(2) has made the topmost mount of the namespace our root, and that is the container's. */
static int phase_root(struct outside *o, struct crun_error *err)
{
	o->root_fd = sys_openat(FD_NONE, "/", O_PATH | O_DIRECTORY, 0);
	return o->root_fd < 0 ? err_sys(err, o->root_fd, "open the container's root") : 0;
}

/* ---- adding ---- */

static int open_destination(const struct outside *o, const struct mount_op *op)
{
	return inroot_open(o->root_fd, op->destination,
			   O_PATH | (op->dest_nofollow ? O_NOFOLLOW : 0));
}

/*
 * What has been made up to here, by the descriptors of the mounts: a process of the container may have led the path somewhere else, to a
 * mount that protects the host from it. The mount points that were made for it stay, as those of a creation do.
 */
static void take_back(struct outside *o, size_t made)
{
	while (made-- > 0) {
		if (mount_old_detach(o->proc_fd, o->mount_fds[made]) < 0)
			log_warning("the mount at `%s` could not be taken away again",
				    o->plan->mounts[made].destination);
		close_fd(&o->mount_fds[made]);
	}
}

/* `seal` does the same when a container is made: a tmpfs is read-only once it was filled. */
static int finish(struct outside *o, const struct mount_op *op, int fd, struct crun_error *err)
{
	const struct mount_change readonly = {.set = MOUNT_ATTR_RDONLY};
	int r = 0;

	if (op->kind != MOUNT_FS || !str_eq(op->fstype, "tmpfs") ||
	    !(op->attr_set & MOUNT_ATTR_RDONLY))
		return 0;
	r = mount_attr_apply(o->proc_fd, fd, &readonly);
	return r < 0 ? err_sys(err, r, "make it read-only")
		     : mount_attr_verify(fd, MOUNT_ATTR_RDONLY, err);
}

static int add(struct outside *o, size_t i, struct crun_error *err)
{
	const struct mount_op *op = &o->plan->mounts[i];
	int r = mount_make(o, op, err);

	if (r >= 0)
		r = finish(o, op, o->mount_fds[i], err);
	/* It may be in its place all the same, or never have been. */
	if (r < 0 && o->mount_fds[i] >= 0 && mount_old_detach(o->proc_fd, o->mount_fds[i]) < 0)
		log_debug("mount to %s: it was not there yet", op->destination);
	return r;
}

static int phase_add(struct outside *o, struct crun_error *err)
{
	for (size_t i = 0; i < o->plan->mounts_len; i++) {
		if (add(o, i, err) >= 0)
			continue;
		take_back(o, i);
		err_in(err, "mount to `%s`", o->plan->mounts[i].destination);
		return err_at(err, "/mounts/%u", o->plan->mounts[i].index);
	}
	return 0;
}

/* ---- removing ---- */

static bool is_listed(const char *path, const char *const *list, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		if (str_eq(path, list[i]))
			return true;
	}
	return false;
}

static bool is_protected(const struct launch_plan *plan, const char *path)
{
	return str_eq(path, "/proc") || str_after(path, "/proc/") ||
	       is_listed(path, plan->masked_paths, plan->masked_paths_len) ||
	       is_listed(path, plan->readonly_paths, plan->readonly_paths_len);
}

/* What keeps the container from the host's kernel is not given up by a list of mounts that names one thing too many. */
static int check_removable(struct outside *o, const struct mount_op *op, int fd,
			   struct crun_error *err)
{
	struct sys_mount_place place, root;
	char path[PATH_MAX];
	int r = mount_path_of(o, fd, path, sizeof(path), err);

	if (r < 0)
		return r;
	if (sys_mount_place(fd, &place) < 0 || sys_mount_place(o->root_fd, &root) < 0)
		return err_set(err, CODE_KERNEL_TOO_OLD, EOPNOTSUPP,
			       "statx without mount ids: it takes Linux 5.8");
	if (str_eq(path, "/"))
		return err_set(err, CODE_MOUNT_TARGET, EINVAL, "it is the container's root");
	if (!place.is_mount_root || place.mount_id == root.mount_id)
		return err_set(err, CODE_MOUNT_TARGET, EINVAL, "nothing is mounted at `%s`", path);
	if (is_protected(o->plan, path))
		return err_set(err, CODE_MOUNT_TARGET, EPERM,
			       "`%s` protects the host from the container, and stays", path);
	/* Such a mount may hide what is below it. A process of the container makes links, and we are told names. */
	if (!str_eq(path, op->destination) &&
	    is_listed(path, o->plan->own_mounts, o->plan->own_mounts_len))
		return err_set(err, CODE_MOUNT_TARGET, EPERM,
			       "it leads to `%s`, which the container was created with: such a "
			       "mount is removed by its own name only",
			       path);
	return 0;
}

/* In its place, o->mount_fds[I] becomes a copy to put back, where this kernel can make one. */
static int detach(struct outside *o, size_t i, struct crun_error *err)
{
	_cleanup_close_ int fd = open_destination(o, &o->plan->mounts[i]);
	int r;

	if (fd < 0)
		return err_sys(err, fd, "open");
	r = check_removable(o, &o->plan->mounts[i], fd, err);
	if (r < 0)
		return r;
	o->mount_fds[i] = sys_open_tree(fd, "", OPEN_TREE_CLONE | AT_EMPTY_PATH | AT_RECURSIVE);
	r = mount_old_detach(o->proc_fd, fd);
	if (r == -EINVAL)
		r = err_set(err, KIND_PERMISSION, EPERM,
			    "the mount is locked: it belongs to a more privileged user namespace: "
			    "Operation not permitted");
	else if (r < 0)
		err_sys(err, r, "unmount");
	if (r < 0)
		close_fd(&o->mount_fds[i]);
	return r;
}

/* The path may lead elsewhere by now: nothing of the container's choice gets into /proc. */
static bool is_unsafe_place(struct outside *o, int fd)
{
	char path[PATH_MAX];

	return mount_path_of(o, fd, path, sizeof(path), ERR_IGNORED) < 0 ||
	       is_protected(o->plan, path);
}

static void put_back(struct outside *o, size_t i)
{
	_cleanup_close_ int target = FD_NONE;

	if (o->mount_fds[i] < 0)
		return;
	target = open_destination(o, &o->plan->mounts[i]);
	if (target < 0 || is_unsafe_place(o, target) || sys_move_mount(o->mount_fds[i], target) < 0)
		log_warning("the mount at `%s` could not be put back",
			    o->plan->mounts[i].destination);
	close_fd(&o->mount_fds[i]);
}

/* From the last to the first: the list that added them, one on top of the other, removes them as well. */
static int phase_remove(struct outside *o, struct crun_error *err)
{
	size_t len = o->plan->mounts_len;

	for (size_t i = len; i-- > 0;) {
		const struct mount_op *op = &o->plan->mounts[i];

		if (detach(o, i, err) >= 0)
			continue;
		for (size_t k = i + 1; k < len; k++)
			put_back(o, k);
		err_in(err, "remove the mount at `%s`", op->destination);
		return err_at(err, "/mounts/%u/destination", op->index);
	}
	return 0;
}

static int phase_done(struct outside *o, struct crun_error *err)
{
	return channel_send(o->channel, MSG_READY, FD_NONE, err);
}

const struct outside_phase live_mounts_phases[] = {
	{.name = "identity", .run = phase_identity, .code = CODE_CREDENTIALS},
	{.name = "sources",
	 .when = adds,
	 .run = mount_open_sources,
	 .code = CODE_MOUNT_SOURCE_REFUSED},
	{.name = "join", .run = phase_join, .code = CODE_NAMESPACE_JOIN},
	{.name = "root", .run = phase_root, .code = CODE_ROOTFS_UNUSABLE},
	{.name = "add", .when = adds, .run = phase_add, .code = CODE_MOUNT_REFUSED},
	{.name = "remove", .when = removes, .run = phase_remove, .code = CODE_MOUNT_REFUSED},
	{.name = "done", .run = phase_done, .says = {SENDS(MSG_READY)}},
	{0},
};
