// SPDX-License-Identifier: Apache-2.0
// crun create and crun run.
#include "host/launch.h"

#include "base/cleanup.h"
#include "host/lifecycle_hooks.h"
#include "host/payload.h"
#include "host/run_wait.h"
#include "host/trace.h"
#include "host/verbs.h"
#include "sys/exe_shield.h"
#include "sys/pidfd.h"
#include "sys/process.h"

#include <errno.h>
#include <sys/mman.h>

bool launch_maps_user(const struct launch_plan *plan, uid_t uid)
{
	for (size_t i = 0; i < plan->uid_map_len; i++) {
		const struct oci_id_mapping *map = &plan->uid_map[i];

		if (uid >= map->host_id && uid - map->host_id < map->size)
			return true;
	}
	return false;
}

static bool user_is_mapped(uid_t uid, void *data)
{
	return launch_maps_user(data, uid);
}

static bool needs_shield(struct launch_plan *plan)
{
	/* The map of a namespace that is joined is not known. */
	if (plan->ns[NS_USER].action != NS_NEW)
		return exe_shield_is_needed(NULL, NULL);
	return exe_shield_is_needed(user_is_mapped, plan);
}

static void keep_children(struct launch *l)
{
	const struct sigaction dfl = {.sa_handler = SIG_DFL};

	l->chld_saved = sigaction(SIGCHLD, &dfl, &l->callers_chld) == 0;
}

void launch_init(struct launch *l, const struct libcrun_context *ctx, const char *id,
		 const struct libcrun_create_options *opts, bool is_run)
{
	*l = (struct launch){
		.ctx = ctx,
		.opts = opts,
		.id = id,
		.deadline = command_deadline(ctx),
		.is_run = is_run,
		.dir = {.root_fd = FD_NONE, .fd = FD_NONE},
		.channel = {.fd = FD_NONE},
		.init_channel = {.fd = FD_NONE},
		.rdt = {.base_fd = FD_NONE},
		.gate_fd = FD_NONE,
		.root_source_fd = FD_NONE,
		.helpers = IDMAP_HELPERS_NONE,
		.console_sock = FD_NONE,
		.pidfd_sock = FD_NONE,
		.listener_sock = FD_NONE,
		.master = FD_NONE,
		.notify = {.fd = FD_NONE, .host = ctx->notify_socket},
		.pid = -1,
		.pidfd = FD_NONE,
		.interrupts = {.fd = FD_NONE},
	};
	for (int i = 0; i < NS_COUNT; i++)
		l->ns_fds[i] = FD_NONE;
}

void launch_done(struct launch *l)
{
	channel_close(&l->channel);
	channel_close(&l->init_channel);
	close_fd(&l->gate_fd);
	for (int i = 0; i < NS_COUNT; i++)
		close_fd(&l->ns_fds[i]);
	for (size_t i = 0; l->plan && l->mount_fds && i < l->plan->mounts_len; i++)
		close_fd(&l->mount_fds[i]);
	close_fd(&l->root_source_fd);
	idmaps_close_helpers(&l->helpers);
	close_fd(&l->console_sock);
	close_fd(&l->pidfd_sock);
	close_fd(&l->listener_sock);
	close_fd(&l->master);
	notify_done(&l->notify);
	close_fd(&l->pidfd);
	if (l->seccomp)
		munmap(l->seccomp, sizeof(*l->seccomp));
	if (l->progress)
		munmap(l->progress, sizeof(*l->progress));
	netdevs_free(l->netdevs);
	close_fd(&l->rdt.base_fd);
	cgroup_free(l->cgroup);
	state_close(&l->dir);
	oci_arena_free(&l->arena);
	if (l->chld_saved)
		sigaction(SIGCHLD, &l->callers_chld, NULL);
	interrupts_end(&l->interrupts);
}

int launch_hold_signals(struct launch *l, struct run_wait *wait, bool subreaper,
			struct crun_error *err)
{
	int r = wait ? run_wait_prepare(wait, subreaper, err) : 0;

	if (r < 0)
		return r;
	if (!wait) /* run_wait_prepare() has done it */
		keep_children(l);
	r = interrupts_begin(&l->interrupts, wait ? &wait->mask : NULL, err);
	l->deadline.cancel_fd = l->interrupts.fd;
	return r;
}

/* WAIT: for whoever will wait for the payload, or NULL. */
static int launch(struct launch *l, struct run_wait *wait, struct crun_error *err)
{
	int r;

	/* The way of old kernels to keep our binary from the container; it starts over, so it comes before everything else. */
	if (!exe_shield_is_supported() && l->ctx->argv) {
		r = exe_shield_reexec(l->ctx->argv, err);
		if (r < 0)
			return r;
	}
	r = TRACED("load", launch_load(l, err));
	if (r < 0)
		return launch_locate(l, err);
	r = launch_hold_signals(l, wait, !l->opts->no_subreaper, err);
	if (r < 0)
		return r;
	l->plan->shield = exe_shield_is_supported() && needs_shield(l->plan);
	r = launch_run_phases(l, err);
	return r < 0 ? launch_locate(l, err) : 0;
}

int libcrun_create(const struct libcrun_context *ctx, const char *id,
		   const struct libcrun_create_options *opts, struct crun_error *err)
{
	struct launch l;
	int r;

	launch_init(&l, ctx, id, opts, false);
	r = launch(&l, NULL, err);
	if (r < 0 || !ctx->process_ends)
		launch_done(&l);
	return r;
}

static int await_payload(struct launch *l, struct crun_error *err)
{
	struct hook_state state;
	int r = launch_expect_eof(l, err);

	if (r < 0)
		return r;
	/* What init cannot report without a filter is somebody's SIGKILL. */
	if (l->plan->sync_filter || sys_pidfd_has_ended(l->pidfd)) {
		r = payload_check_began(l->pid, err);
		if (r < 0) {
			(void)launch_explain_by_memory(l, err);
			return r;
		}
	}
	/* Whoever looks for leftovers is to know that this one's end will be nobody's omission. */
	if (l->opts->detach || l->opts->keep)
		state_mark(&l->dir, STATE_MARK_BEGAN);
	/* A hook may well call us about this container. */
	state_unlock(&l->dir);
	launch_hook_state(l, l->pid, &state);
	return lifecycle_hooks_poststart(l->plan->config->hooks, &state, &l->deadline, err);
}

/* The payload has ended (or never began): the container goes, as `delete` would do it. */
static int remove_container(struct launch *l, struct crun_error *err)
{
	struct hook_state state;
	int r = state_lock(&l->dir, NULL, err);

	/* Somebody else may have deleted it meanwhile. */
	if (r == -ENOENT)
		return 0;
	if (r < 0)
		return r;
	r = container_undo(&l->record, l->cgroup, FD_NONE, err);
	if (r < 0)
		return r;
	launch_hook_state(l, 0, &state);
	lifecycle_hooks_poststop(l->plan->config->hooks, &state, &l->deadline);
	return state_remove(&l->dir, err);
}

static int wait_in_foreground(struct launch *l, struct run_wait *wait, int *exit_status,
			      struct crun_error *err)
{
	struct run_wait_args args = {
		.pid = l->pid,
		.pidfd = l->pidfd,
		.master = take_fd(&l->master),
		.console_size = l->plan->process.spec->console_size != NULL,
		.notify = l->notify.fd >= 0 ? &l->notify : NULL,
	};
	int r = TRACED("wait", run_wait(wait, &args, exit_status, err));

	if (r < 0) {
		/* Nobody would wait for the payload any more. */
		launch_kill_init(l);
		(void)remove_container(l, ERR_IGNORED);
		return r;
	}
	if (l->opts->keep)
		return 0;
	return TRACED("remove", remove_container(l, err));
}

/*
 * The hooks ran without the lock: whoever has deleted the container meanwhile may have made another one with its id, its cgroup and its
 * pid file, of which nothing is ours to undo.
 */
static void undo_run(struct launch *l)
{
	int r = state_lock(&l->dir, NULL, ERR_IGNORED);

	if (r == -ENOENT) {
		launch_kill_init(l);
		return;
	}
	launch_undo(l);
}

static int run_container(struct launch *l, struct run_wait *wait, int *exit_status,
			 struct crun_error *err)
{
	int r = TRACED("payload", await_payload(l, err));

	if (r < 0) {
		launch_name_phase(l, "payload", err);
		undo_run(l);
		return r;
	}
	if (l->opts->detach && l->notify.fd >= 0) {
		l->notify.main_pid = l->pid;
		r = notify_await(&l->notify, &l->deadline, l->pidfd, err);
		if (r < 0) {
			launch_name_phase(l, "notify", err);
			undo_run(l);
			return r;
		}
	}
	/* From here on signals are the payload's, and its time is not ours. */
	l->deadline = deadline_none();
	interrupts_end(&l->interrupts);
	/* They hold the container's network namespace, whose end gives physical interfaces back. */
	netdevs_free(l->netdevs);
	l->netdevs = NULL;
	*exit_status = 0;
	if (l->opts->detach)
		return 0;
	return wait_in_foreground(l, wait, exit_status, err);
}

int libcrun_run(const struct libcrun_context *ctx, const char *id,
		const struct libcrun_create_options *opts, int *exit_status, struct crun_error *err)
{
	_cleanup_run_wait_ struct run_wait wait = RUN_WAIT_EMPTY;
	struct launch l;
	int r;

	launch_init(&l, ctx, id, opts, true);
	r = launch(&l, opts->detach ? NULL : &wait, err);
	if (r == 0)
		r = run_container(&l, &wait, exit_status, err);
	if (r < 0 || !ctx->process_ends)
		launch_done(&l);
	else
		run_wait_forget(&wait);
	return r;
}
