// SPDX-License-Identifier: Apache-2.0
// What is opened with the host's rights before init is born, and inherited by it: namespaces and bind mount sources.
#include "host/launch.h"

#include "base/cleanup.h"
#include "fs/mount_idmap.h"
#include "fs/mount_source.h"
#include "host/idmaps.h"
#include "sys/file.h"

#include <errno.h>
#include <sys/resource.h>

int namespaces_open(struct launch *l, struct crun_error *err)
{
	for (int i = 0; i < NS_COUNT; i++) {
		const struct plan_ns *ns = &l->plan->ns[i];

		if (ns->action != NS_JOIN)
			continue;
		l->ns_fds[i] = sys_openat(AT_FDCWD, ns->path, O_RDONLY, 0);
		if (l->ns_fds[i] < 0)
			return err_sys(err, l->ns_fds[i], "open the %s namespace `%s`",
				       ns_table[i].spec_name, ns->path);
	}
	return 0;
}

static void make_room(const struct launch_plan *plan)
{
	struct rlimit limit;

	if (!plan_raises_nofile(plan) || getrlimit(RLIMIT_NOFILE, &limit) < 0)
		return;
	limit.rlim_cur = limit.rlim_max;
	(void)setrlimit(RLIMIT_NOFILE, &limit);
}

/* The user namespace whose mappings the mount OP gets: its own, that of an earlier mount with the same, or the joined one. */
static int idmap_namespace(const struct launch *l, int *namespaces, const struct mount_op *op,
			   struct crun_error *err)
{
	int *fd = &namespaces[op->idmap->first];

	if (!op->idmap->uids_len)
		return l->ns_fds[NS_USER];
	if (*fd < 0)
		*fd = mount_idmap_namespace(op->idmap, err);
	return *fd;
}

static int open_bind(const struct mount_op *op, int userns_fd, int *ret, struct crun_error *err)
{
	*ret = mount_source_open(NULL, op->source, op->recursive,
				 op->src_nofollow || op->copy_symlink, err);
	if (*ret < 0)
		return err_at(err, "/mounts/%u/source", op->index);
	if (!op->idmap)
		return 0;
	return mount_idmap_clone(*ret, op->source, op->idmap->recursive, userns_fd, err);
}

/* What init cannot make itself: sources that it may not reach, and id mappings, which want privileges over the file system. */
static int open_mount(struct launch *l, int *namespaces, bool by_us, size_t i,
		      struct crun_error *err)
{
	const struct mount_op *op = &l->plan->mounts[i];
	int userns_fd = FD_NONE;

	if (op->idmap) {
		userns_fd = idmap_namespace(l, namespaces, op, err);
		if (userns_fd < 0)
			return userns_fd;
	}
	if (op->kind == MOUNT_BIND)
		return by_us || op->idmap ? open_bind(op, userns_fd, &l->mount_fds[i], err) : 0;
	if (!op->idmap)
		return 0;
	l->mount_fds[i] = sys_dup_cloexec(userns_fd, 3);
	return l->mount_fds[i] < 0 ? err_sys(err, l->mount_fds[i], "dup the user namespace") : 0;
}

int sources_open_mounts(struct launch *l, bool by_us, struct crun_error *err)
{
	const struct launch_plan *plan = l->plan;
	_cleanup_free_ int *namespaces = calloc(plan->mounts_len + 1, sizeof(*namespaces));
	int r = 0;

	make_room(plan);
	l->mount_fds = oci_arena_alloc(&l->arena, (plan->mounts_len + 1) * sizeof(int));
	if (!namespaces || !l->mount_fds)
		return err_sys(err, -ENOMEM, "open the sources of mounts");
	for (size_t i = 0; i < plan->mounts_len; i++)
		namespaces[i] = l->mount_fds[i] = FD_NONE;
	for (size_t i = 0; i < plan->mounts_len && r >= 0; i++) {
		r = open_mount(l, namespaces, by_us, i, err);
		if (r < 0) {
			err_in(err, "mount to `%s`", plan->mounts[i].destination);
			r = err_at(err, "/mounts/%u", plan->mounts[i].index);
		}
	}
	for (size_t i = 0; i < plan->mounts_len; i++)
		close_fd(&namespaces[i]);
	return r;
}

int sources_open(struct launch *l, struct crun_error *err)
{
	const struct launch_plan *plan = l->plan;
	/*
	 * In a user namespace of its own init cannot search directories that only the host's root can. Otherwise init opens them
	 * itself: in its own mount namespace, while we do other things.
	 */
	bool by_us = plan_ns_is_own(plan, NS_USER) && plan->facts.privileged &&
		     plan_ns_is_own(plan, NS_MNT);

	if (by_us) {
		l->root_source_fd = mount_source_open(NULL, plan->rootfs, true, false, err);
		/* A mount cannot be made here for another namespace: then init has to reach everything itself. */
		if (l->root_source_fd == -ENOSYS) {
			l->root_source_fd = FD_NONE;
			by_us = false;
		} else if (l->root_source_fd < 0) {
			err_in(err, "root.path");
			return err_at(err, "/root/path");
		}
	}
	return sources_open_mounts(l, by_us, err);
}
