// SPDX-License-Identifier: Apache-2.0
// crun exec: another process in a container, as a table of phases, each with what undoes it. See exec.h.
#include "host/exec.h"

#include "base/cleanup.h"
#include "base/log.h"
#include "base/str.h"
#include "fs/procfs.h"
#include "host/limits.h"
#include "host/payload.h"
#include "host/pidfile.h"
#include "host/run_wait.h"
#include "host/sched.h"
#include "host/seccomp_cache.h"
#include "host/trace.h"
#include "init/init_main.h"
#include "spawn/spawn.h"
#include "sys/exe_shield.h"
#include "sys/pidfd.h"
#include "sys/process.h"
#include "sys/sched.h"

#include <errno.h>
#include <unistd.h>

/* ---- before birth ---- */

static int connect_sockets(struct exec *x, struct crun_error *err)
{
	return launch_connect_sockets(&x->l, x->opts->console_socket, err);
}

static bool goes_without_cgroup(const struct exec *x)
{
	const char *manager = x->l.ctx->cgroup_manager;

	return (manager && str_eq(manager, "disabled")) || !x->c.record->cgroup_path;
}

static int select_cgroup(struct exec *x, struct crun_error *err)
{
	struct launch *l = &x->l;
	struct oci_record record = *x->c.record;
	int r;

	if (goes_without_cgroup(x)) {
		record.cgroup_path = NULL;
		record.systemd_scope = NULL;
	}
	r = cgroup_enter_open(&record, x->opts->cgroups, &l->cgroup, err);
	if (r < 0)
		return r;
	cgroup_set_deadline(l->cgroup, &l->deadline);
	if (cgroup_needs_adopt(l->cgroup))
		l->plan->sync_go = true;
	return 0;
}

/*
 * The kernel lets nobody who shares memory into a time namespace; and who is in a cgroup namespace cannot be born in a cgroup unless it
 * comes from below that namespace's root (mount option nsdelegate). The process enters these two itself.
 */
static int open_namespaces(struct exec *x, struct crun_error *err)
{
	unsigned late = 1U << NS_TIME | 1U << NS_CGROUP;

	x->l.birth.join_after = x->joins & late;
	x->l.birth.join_before = x->joins & ~late;
	return exec_open_namespaces(x, err);
}

/* What init does with it: outside/label.c. */
static bool wants_procfs(const struct exec *x)
{
	return x->l.plan->wants_label || plan_audits_filter(x->l.plan);
}

static int open_procfs(struct exec *x, struct crun_error *err)
{
	x->proc_fd = procfs_open_host(err);
	return x->proc_fd < 0 ? x->proc_fd : 0;
}

static bool wants_shield(const struct exec *x)
{
	return x->l.plan->shield;
}

/* Before birth: whoever is in the container sees the process from its first instruction on. */
static int shield(struct exec *x, struct crun_error *err)
{
	/* exe_shield_reexec() may have done it. */
	return exe_is_shielded() ? 0 : exe_shield(&x->shield_fd, err);
}

static bool wants_seccomp(const struct exec *x)
{
	return x->l.plan->sync_filter;
}

/* As `create` has compiled it; else again, from the same profile. */
static int load_filter(struct exec *x, struct crun_error *err)
{
	struct launch *l = &x->l;
	int r = launch_share_seccomp(l, err);

	if (r < 0)
		return r;
	r = state_read_filter(&x->c.dir, l->seccomp);
	if (r >= 0)
		return 0;
	log_debug("the compiled seccomp filter of container `%s` cannot be used, compiling it: %s",
		  l->id, err_describe(-r));
	return seccomp_compile_cached(&l->plan->seccomp, x->c.dir.root_fd, l->seccomp, err);
}

/* ---- birth ---- */

static pid_t spawn(struct exec *x, struct init_args *args, struct crun_error *err)
{
	struct launch *l = &x->l;
	const int keep[] = {args->channel.fd, x->proc_fd, l->ns_fds[NS_TIME], l->ns_fds[NS_CGROUP]};
	struct spawn_request request = {
		.birth = &l->birth,
		.ns_fds = l->ns_fds,
		.cgroup_fd = cgroup_clone_fd(l->cgroup),
		.child = init_main,
		.arg = args,
		.target_fd = x->c.pidfd,
		.close_from = 3 + l->plan->process.preserve_fds,
		.keep = keep,
		.keep_len = ARRAY_LEN(keep),
	};

	for (int i = 0; !x->join_by_fds && i < NS_COUNT; i++) {
		if (l->birth.join_before & (1U << i))
			request.target_flags |= ns_table[i].flag;
	}
	return spawn_init(&request, &l->pidfd, err);
}

/* The cgroup that the container's first process is in, as long as the number is that process's. */
static bool may_enter_inits(const struct exec *x, int r)
{
	return !x->opts->cgroups && cgroup_enter_retry(x->l.cgroup, r, x->c.record->pid) &&
	       !sys_pidfd_has_ended(x->c.pidfd);
}

/* What a failed birth may be followed by: another way, which *AGAIN says. */
static int spawn_again(struct exec *x, int r, bool *again, struct crun_error *err)
{
	struct launch *l = &x->l;

	*again = false;
	if (r == -ESRCH) {
		x->c.status = LIBCRUN_STOPPED;
		return container_not_running(&x->c, err);
	}
	if (r == -EINVAL && !x->join_by_fds && l->birth.join_before) {
		x->join_by_fds = *again = true;
		return exec_open_namespaces(x, err);
	}
	if (cgroup_clone_fd(l->cgroup) < 0)
		return r;
	/* A process that is moved later is not allowed more; but that failure names the cgroup, and says why. */
	if (r == -ENOSYS || ((r == -EACCES || r == -EPERM) && cgroup_scope(l->cgroup))) {
		cgroup_cannot_clone(l->cgroup);
		l->plan->sync_go = *again = true;
	} else {
		*again = may_enter_inits(x, r);
	}
	return *again ? 0 : r;
}

static int set_affinity_before(const struct exec *x, struct crun_error *err)
{
	const struct plan_cpus *cpus = &x->l.plan->cpus_before;
	int r = sys_sched_setaffinity(0, cpus->mask, cpus->size);

	if (r >= 0)
		return 0;
	err_sys(err, r, "set the CPU affinity");
	return err_at(err, "/process/execCPUAffinity/initial");
}

static int give_birth(struct exec *x, struct crun_error *err)
{
	struct launch *l = &x->l;
	struct init_args args = {
		.plan = l->plan,
		.birth = &l->birth,
		.gate_fd = FD_NONE,
		.root_source_fd = FD_NONE,
		.proc_fd = x->proc_fd,
		.ns_fds = l->ns_fds,
		.seccomp = l->seccomp,
		.log_level = log_wants(LOG_LEVEL_DEBUG) ? LOG_LEVEL_DEBUG : LOG_LEVEL_WARNING,
	};
	char score[OOM_SCORE_SIZE];
	bool again, lent;
	int r = launch_share_progress(l, err);

	if (r >= 0)
		r = channel_pair(&l->channel, &l->init_channel, err);
	if (r < 0)
		return r;
	args.progress = l->progress;
	args.channel = l->init_channel;
	lent = limits_lend_score(l->plan, score);
	do {
		again = false;
		l->pid = spawn(x, &args, err);
		r = l->pid;
		if (r < 0)
			r = spawn_again(x, r, &again, err);
	} while (again && r >= 0);
	if (lent)
		limits_take_score_back(score);
	channel_close(&l->init_channel);
	/* While the process sets itself up: the kernel takes its time for the end of a mount. */
	close_fd(&x->shield_fd);
	return r < 0 ? r : 0;
}

/* The mask is inherited, and taken back: in the foreground we live on. */
static int give_birth_on(struct exec *x, struct crun_error *err)
{
	unsigned long saved[4096 / sizeof(unsigned long)];
	int size, r;

	if (!x->l.plan->cpus_before.size)
		return give_birth(x, err);
	size = sys_sched_getaffinity(0, saved, sizeof(saved));
	r = set_affinity_before(x, err);
	if (r < 0)
		return r;
	r = give_birth(x, err);
	if (size > 0)
		(void)sys_sched_setaffinity(0, saved, (size_t)size);
	return r;
}

/* Reaped before the error is printed: callers read our stderr to its end, which a surviving child would hold open. */
static void undo_birth(struct exec *x)
{
	launch_kill_init(&x->l);
	close_fd(&x->l.pidfd);
	x->l.pid = -1;
}

/* ---- while the process sets itself up ---- */

static int enter_cgroup(struct exec *x, struct crun_error *err)
{
	struct launch *l = &x->l;
	int r = cgroup_enter(l->cgroup, l->pid, err);

	if (r < 0 && may_enter_inits(x, r))
		r = cgroup_enter(l->cgroup, l->pid, err);
	return r;
}

static int adopt(struct exec *x, struct crun_error *err)
{
	struct launch *l = &x->l;
	int r = 0;

	if (cgroup_needs_adopt(l->cgroup))
		r = enter_cgroup(x, err);
	if (r >= 0)
		r = limits_apply(l->plan, l->pid, err);
	return r < 0 ? r : sched_apply(&l->plan->process, l->pid, err);
}

static bool wants_go(const struct exec *x)
{
	return x->l.plan->sync_go;
}

static int send_go(struct exec *x, struct crun_error *err)
{
	return channel_send(&x->l.channel, MSG_GO, FD_NONE, err);
}

static bool wants_listener(const struct exec *x)
{
	return x->l.plan->sync_listener;
}

static int pass_listener(struct exec *x, struct crun_error *err)
{
	const struct hook_state state = {
		.oci_version = x->config->oci_version,
		.id = x->l.id,
		.bundle = x->c.record->bundle,
		.root = x->c.record->rootfs,
		.pid = x->l.pid,
		.status = "running",
		.annotations = x->config->annotations,
	};

	return launch_pass_listener(&x->l, &state, err);
}

static int await_ready(struct exec *x, struct crun_error *err)
{
	return launch_await_ready(&x->l, err);
}

/* End of file on the channel is the execve: whatever can fail has been done by then. */
static int await_execve(struct exec *x, struct crun_error *err)
{
	struct launch *l = &x->l;
	int r = launch_expect_eof(l, err);

	if (r < 0)
		return r;
	if (l->plan->sync_filter || sys_pidfd_has_ended(l->pidfd)) {
		r = payload_check_began(l->pid, err);
		if (r < 0)
			return r;
	}
	if (sched_is_deadline(&l->plan->process))
		return sched_apply_deadline(&l->plan->process, l->pid, err);
	return 0;
}

static bool wants_pid_file(const struct exec *x)
{
	return x->opts->pid_file;
}

static int write_pid_file(struct exec *x, struct crun_error *err)
{
	return pidfile_write(x->opts->pid_file, x->l.pid, err);
}

const struct exec_phase exec_phases[] = {
	{.name = "sockets", .run = connect_sockets, .code = CODE_CONSOLE_SOCKET},
	{.name = "cgroup.select", .run = select_cgroup, .code = CODE_CGROUP_ATTACH},
	{.name = "namespaces", .run = open_namespaces, .code = CODE_NAMESPACE_JOIN},
	{.name = "procfs", .when = wants_procfs, .run = open_procfs, .code = CODE_PROC_MISSING},
	{.name = "shield", .when = wants_shield, .run = shield, .code = CODE_SELF_PROTECTION},
	{.name = "filter.load",
	 .when = wants_seccomp,
	 .run = load_filter,
	 .code = CODE_SECCOMP_LOAD},
	{.name = "spawn", .run = give_birth_on, .undo = undo_birth, .code = CODE_NAMESPACE_CREATE},
	{.name = "adopt", .run = adopt, .code = CODE_CGROUP_ATTACH},
	{.name = "go", .when = wants_go, .run = send_go, .says = {SENDS(MSG_GO)}},
	{.name = "listener",
	 .when = wants_listener,
	 .run = pass_listener,
	 .says = {EXPECTS(MSG_LISTENER)}},
	{.name = "ready", .run = await_ready, .says = {EXPECTS(MSG_READY)}},
	{.name = "execve", .run = await_execve},
	{.name = "pid_file", .when = wants_pid_file, .run = write_pid_file, .code = CODE_PID_FILE},
	{0},
};

static int run_phases(struct exec *x, struct crun_error *err)
{
	for (size_t i = 0; exec_phases[i].name; i++) {
		int r;

		if (exec_phases[i].when && !exec_phases[i].when(x))
			continue;
		log_debug("host: exec %s", exec_phases[i].name);
		r = TRACED(exec_phases[i].name, exec_phases[i].run(x, err));
		trace_birth(x->l.pid);
		if (r >= 0)
			continue;
		err_code_of_step(err, exec_phases[i].code);
		launch_prefer_inits_word(&x->l, err);
		launch_name_phase(&x->l, exec_phases[i].name, err);
		launch_begin_undo(&x->l);
		while (i-- > 0) {
			size_t span;

			if (!exec_phases[i].undo)
				continue;
			span = trace_begin_undo(exec_phases[i].name);
			exec_phases[i].undo(x);
			trace_end(span, 0);
		}
		return -err->errnum;
	}
	return 0;
}

/* ---- the command ---- */

void exec_init(struct exec *x, const struct libcrun_context *ctx, const char *id,
	       const struct libcrun_exec_options *opts)
{
	static const struct libcrun_create_options none;

	*x = (struct exec){.opts = opts,
			   .c = CONTAINER_EMPTY,
			   .dir_fd = FD_NONE,
			   .shield_fd = FD_NONE,
			   .proc_fd = FD_NONE};
	launch_init(&x->l, ctx, id, &none, true);
}

void exec_done(struct exec *x)
{
	close_fd(&x->dir_fd);
	close_fd(&x->shield_fd);
	close_fd(&x->proc_fd);
	launch_done(&x->l);
	container_done(&x->c);
}

/*
 * The namespace that the container was made with decides. The one that its first process is in may be of that process's own making
 * (unshare(2)), while others of the container, who have more rights than that one shows, look at us from the first.
 */
static bool made_own_userns(const struct launch_plan *plan)
{
	for (size_t i = 0; i < plan->linux_->namespaces_len; i++) {
		const struct oci_linux_namespace *ns = &plan->linux_->namespaces[i];

		if (ns->type == OCI_NAMESPACE_TYPE_USER)
			return !(ns->path && ns->path[0]);
	}
	return false;
}

static bool needs_shield(struct exec *x)
{
	bool own_userns = x->joins & (1U << NS_USER) && made_own_userns(x->l.plan);

	return exe_shield_is_needed(own_userns ? exec_user_is_mapped : NULL, x);
}

static bool is_us(uid_t uid, void *data)
{
	(void)data;
	return uid == geteuid();
}

/*
 * The way of old kernels, and of an ordinary user whose own the binary is, to keep it from the container. It starts over, so it comes before
 * everything else.
 */
static int reexec(const struct libcrun_context *ctx, struct crun_error *err)
{
	bool needed =
		!exe_shield_is_supported() || (geteuid() != 0 && exe_shield_is_needed(is_us, NULL));

	return needed && ctx->argv ? exe_shield_reexec(ctx->argv, err) : 0;
}

static int launch(struct exec *x, struct run_wait *wait, struct crun_error *err)
{
	struct launch *l = &x->l;
	int r = TRACED("load", exec_load(x, err));

	if (r < 0)
		return exec_locate(x, err);
	r = launch_hold_signals(l, wait, !x->opts->no_subreaper, err);
	if (r < 0)
		return r;
	l->plan->shield = exe_shield_is_supported() && needs_shield(x);
	r = run_phases(x, err);
	if (r < 0) {
		exec_locate(x, err);
		return err_in(err, "exec failed");
	}
	return 0;
}

static int wait_in_foreground(struct exec *x, struct run_wait *wait, int *exit_status,
			      struct crun_error *err)
{
	struct launch *l = &x->l;
	struct run_wait_args args = {
		.pid = l->pid,
		.pidfd = l->pidfd,
		.master = take_fd(&l->master),
		.console_size = l->plan->process.spec->console_size != NULL,
	};
	int r;

	/* From here on signals are the process's, and its time is not ours. */
	l->deadline = deadline_none();
	interrupts_end(&l->interrupts);
	r = TRACED("wait", run_wait(wait, &args, exit_status, err));
	/* Nobody would wait for it any more. */
	if (r < 0)
		launch_kill_init(l);
	return r;
}

int libcrun_exec(const struct libcrun_context *ctx, const char *id,
		 const struct libcrun_exec_options *opts, int *exit_status, struct crun_error *err)
{
	_cleanup_run_wait_ struct run_wait wait = RUN_WAIT_EMPTY;
	struct exec x;
	int r;

	*exit_status = 0;
	r = reexec(ctx, err);
	if (r < 0)
		return r;
	exec_init(&x, ctx, id, opts);
	r = launch(&x, opts->detach ? NULL : &wait, err);
	if (r == 0 && !opts->detach)
		r = wait_in_foreground(&x, &wait, exit_status, err);
	if (r < 0 || !ctx->process_ends)
		exec_done(&x);
	else
		run_wait_forget(&wait);
	return r;
}
