// SPDX-License-Identifier: Apache-2.0
// crun mounts add and remove: a process in the container's mount namespace makes the change, or none of it.
#include "host/exec.h"

#include "base/cleanup.h"
#include "base/log.h"
#include "base/str.h"
#include "fs/procfs.h"
#include "host/facts.h"
#include "host/mounts_file.h"
#include "host/trace.h"
#include "init/init_main.h"
#include "plan/live_mounts.h"
#include "spawn/spawn.h"
#include "sys/pidfd.h"
#include "sys/process.h"

#include <errno.h>

/* A change under way. What it needs of a launch and of a joined container is what `exec` needs of them. */
struct change {
	struct exec x;
	struct mounts_file file;
	enum plan_live_mounts what;
	struct host_facts facts;
};

static int check_status(const struct container *c, struct crun_error *err)
{
	switch (c->status) {
	case LIBCRUN_CREATED:
	case LIBCRUN_RUNNING:
	case LIBCRUN_PAUSED:
		return 0;
	default:
		return container_not_running(c, err);
	}
}

static int find_namespaces(struct exec *x, struct crun_error *err)
{
	int r = exec_find_namespaces(x, err);

	if (r < 0)
		return r;
	x->joins &= 1U << NS_USER | 1U << NS_MNT;
	if (!(x->joins & (1U << NS_MNT)))
		return err_set(err, CODE_NAMESPACE_NEEDED, EINVAL,
			       "container `%s` has no mount namespace of its own: the mounts would "
			       "be the host's",
			       x->c.dir.id);
	x->join_by_fds = true;
	return exec_open_namespaces(x, err);
}

/*
 * With the host's rights we make the detached mounts ourselves, for all of the host can be reached. Without, nobody may clone a mount but in a
 * mount namespace that belongs to them: the process makes itself one in the container's user namespace, a copy of ours, and enters
 * the container's after that.
 */
static int open_sources(struct change *c, struct crun_error *err)
{
	struct launch *l = &c->x.l;
	bool by_us = c->facts.privileged;
	unsigned mnt = 1U << NS_MNT;
	int r;

	l->birth = (struct birth){.join_before = c->x.joins};
	if (!by_us && c->what == LIVE_MOUNTS_ADD)
		l->birth = (struct birth){
			.join_before = c->x.joins & ~mnt,
			.join_after = mnt,
			.clone_flags = CLONE_NEWNS,
		};
	r = sources_open_mounts(l, by_us && c->what == LIVE_MOUNTS_ADD, err);
	if (r == -ENOSYS)
		return err_set(err, CODE_KERNEL_TOO_OLD, ENOSYS,
			       "mounts cannot be added to a container: it takes open_tree(2) of "
			       "Linux 5.2, which is missing here or forbidden by seccomp");
	return r;
}

static int load(struct change *c, const char *path, struct crun_error *err)
{
	struct exec *x = &c->x;
	struct plan_live_mounts_options options = {.id = x->l.id, .change = c->what};
	struct oci_mount_list *list;
	int r = container_open(x->l.ctx, x->l.id, &x->c, err);

	if (r < 0)
		return r;
	r = mounts_file_read(&c->file, path, &x->l.arena, &list, err);
	if (r >= 0)
		r = container_lock(&x->c, err);
	if (r >= 0)
		r = check_status(&x->c, err);
	if (r >= 0)
		r = state_read_config(&x->c.dir, &x->l.arena, &x->config, err);
	if (r >= 0)
		r = find_namespaces(x, err);
	if (r >= 0)
		r = facts_gather(x->config, &c->facts, err);
	if (r < 0)
		return r;
	options.bundle = x->c.record->bundle;
	options.joins = x->joins;
	r = plan_live_mounts(x->config, list, &c->facts, &options, &x->l.arena, &x->l.plan, err);
	if (r >= 0)
		r = open_sources(c, err);
	if (r < 0)
		return r;
	x->proc_fd = procfs_open_host(err);
	return x->proc_fd < 0 ? x->proc_fd : 0;
}

static int give_birth(struct exec *x, struct crun_error *err)
{
	struct launch *l = &x->l;
	struct init_args args = {
		.plan = l->plan,
		.birth = &l->birth,
		.gate_fd = FD_NONE,
		.mount_fds = l->mount_fds,
		.root_source_fd = FD_NONE,
		.proc_fd = x->proc_fd,
		.ns_fds = l->ns_fds,
		.log_level = log_wants(LOG_LEVEL_DEBUG) ? LOG_LEVEL_DEBUG : LOG_LEVEL_WARNING,
	};
	const struct spawn_request request = {
		.birth = &l->birth,
		.ns_fds = l->ns_fds,
		.cgroup_fd = FD_NONE,
		.child = init_main,
		.arg = &args,
	};
	int r = launch_share_progress(l, err);

	if (r >= 0)
		r = channel_pair(&l->channel, &l->init_channel, err);
	if (r < 0)
		return r;
	args.progress = l->progress;
	args.channel = l->init_channel;
	l->pid = spawn_init(&request, &l->pidfd, err);
	channel_close(&l->init_channel);
	return l->pid < 0 ? l->pid : 0;
}

/* Whatever becomes of it, the process is gone afterwards: killed when it does not answer in time, or by somebody else, which may be half-way. */
static int await_change(struct exec *x, struct crun_error *err)
{
	struct launch *l = &x->l;
	int r = TRACED("ready", launch_expect(l, MSG_READY, NULL, err));

	if (r < 0) {
		launch_prefer_inits_word(l, err);
		launch_name_phase(l, "ready", err);
		/* What the process says itself comes after it has taken back what it did. */
		if (!l->channel.heard_failure)
			err_and(err, "some of the mounts may have been changed");
		launch_begin_undo(l);
	}
	launch_kill_init(l);
	l->pid = -1;
	return r < 0 ? -err->errnum : 0;
}

static int make_change(struct change *c, const char *path, struct crun_error *err)
{
	struct launch *l = &c->x.l;
	int r = TRACED("load", load(c, path, err));

	if (r < 0 || !l->plan->mounts_len)
		return r;
	r = launch_hold_signals(l, NULL, false, err);
	if (r >= 0)
		r = TRACED("spawn", give_birth(&c->x, err));
	trace_birth(l->pid);
	return r < 0 ? r : await_change(&c->x, err);
}

int libcrun_mounts(const struct libcrun_context *ctx, const char *id, bool remove, const char *path,
		   struct crun_error *err)
{
	struct change c = {.what = remove ? LIVE_MOUNTS_REMOVE : LIVE_MOUNTS_ADD};
	int r;

	exec_init(&c.x, ctx, id, NULL);
	r = make_change(&c, path, err);
	if (r < 0)
		r = mounts_file_locate(&c.file, err);
	exec_done(&c.x);
	return r;
}
