// SPDX-License-Identifier: Apache-2.0
// The host side's story of a launch, as a table of phases: each with what it does and what undoes it. See launch.h.
#include "host/launch.h"

#include "base/cleanup.h"
#include "base/log.h"
#include "host/cgroup_owner.h"
#include "host/lifecycle_hooks.h"
#include "host/limits.h"
#include "host/pidfile.h"
#include "host/sched.h"
#include "host/seccomp_cache.h"
#include "host/trace.h"
#include "init/init_main.h"
#include "spawn/spawn.h"
#include "state/gate.h"
#include "sync/ladder.h"
#include "sys/pidfd.h"
#include "sys/process.h"

#include <errno.h>
#include <unistd.h>

/* ---- before birth ---- */

static int reserve_state(struct launch *l, struct crun_error *err)
{
	char root[4096];
	int r = libcrun_state_root(l->ctx, root, sizeof(root), err);

	if (r < 0)
		return r;
	return state_reserve(root, l->id, &l->dir, err);
}

static void undo_state(struct launch *l)
{
	struct crun_error err;

	if (!l->keep_state && state_remove(&l->dir, &err) < 0)
		log_debug("undo: %s", err.text);
}

static bool wants_notify(const struct launch *l)
{
	return l->plan->notify_dir;
}

/* With create it is `start` that listens. */
static int prepare_notify(struct launch *l, struct crun_error *err)
{
	int r = notify_make_dir(&l->dir, err);

	return r < 0 || !l->is_run ? r : notify_listen(&l->notify, &l->dir, err);
}

static int connect_sockets(struct launch *l, struct crun_error *err)
{
	return launch_connect_sockets(l, l->opts->console_socket, err);
}

static void plan_birth(struct launch *l)
{
	if (cgroup_needs_adopt(l->cgroup))
		l->plan->sync_go = true;
	birth_plan(l->plan, cgroup_needs_adopt(l->cgroup), &l->birth);
}

static int select_cgroup(struct launch *l, struct crun_error *err)
{
	int r = cgroup_select(&l->plan->cgroup, &l->deadline, &l->cgroup, err);

	if (r >= 0)
		r = cgroup_owner_check(l->ctx, l->cgroup, err);
	if (r < 0)
		return r;
	/* The helper would be in that namespace already, from where clone3 does not see ours (mount option nsdelegate): ENOENT. */
	if (l->plan->ns[NS_CGROUP].action == NS_JOIN)
		cgroup_cannot_clone(l->cgroup);
	plan_birth(l);
	return 0;
}

static bool wants_rdt(const struct launch *l)
{
	return l->plan->linux_->intel_rdt;
}

static int select_rdt(struct launch *l, struct crun_error *err)
{
	int fd = intelrdt_open(err);

	if (fd < 0)
		return err_at(err, "/linux/intelRdt");
	return intelrdt_select(l->plan->linux_->intel_rdt, l->id, fd, &l->rdt, err);
}

/* Before anything is made it is written down: whatever happens to us, `delete --force` knows what to look for. */
static int write_intent(struct launch *l, struct crun_error *err)
{
	int r = record_prepare(l, err);

	if (r < 0)
		return r;
	return record_write(l, OCI_RECORD_PHASE_INTENT, err);
}

static int create_cgroup(struct launch *l, struct crun_error *err)
{
	int r = cgroup_create(l->cgroup, err);

	/* An ordinary user's container may go without one: then the record must not send `kill --all` there. */
	if (r >= 0 && !cgroup_path(l->cgroup)) {
		l->record.cgroup_path = NULL;
		l->record.cgroup_created = NULL;
		l->record.cgroup_created_len = 0;
		l->record.cgroup_used_len = 0;
	}
	return r;
}

static void undo_cgroup(struct launch *l)
{
	struct crun_error err;

	if (cgroup_destroy(l->cgroup, &err) >= 0)
		return;
	/* Then the record is the only way to find it again. */
	l->keep_state = true;
	log_warning("undo: %s; `crun delete --force %s` tries again", err.text, l->id);
}

static int create_rdt(struct launch *l, struct crun_error *err)
{
	return intelrdt_create(&l->rdt, err);
}

static void undo_rdt(struct launch *l)
{
	struct crun_error err;

	if (!l->rdt.ours[0] || intelrdt_remove_group(l->rdt.base_fd, l->rdt.ours, &err) >= 0)
		return;
	l->keep_state = true;
	log_warning("undo: %s; `crun delete --force %s` tries again", err.text, l->id);
}

static bool wants_gate(const struct launch *l)
{
	return l->plan->gate;
}

static int listen_gate(struct launch *l, struct crun_error *err)
{
	l->gate_fd = gate_listen(&l->dir, err);
	return l->gate_fd < 0 ? l->gate_fd : 0;
}

static bool wants_helpers(const struct launch *l)
{
	return l->plan->id_map_writer == ID_MAP_HELPERS;
}

static int open_helpers(struct launch *l, struct crun_error *err)
{
	return idmaps_open_helpers(&l->helpers, err);
}

static bool wants_seccomp(const struct launch *l)
{
	return l->plan->sync_filter;
}

/* ---- birth ---- */

static int give_birth(struct launch *l, struct crun_error *err)
{
	struct init_args args = {
		.plan = l->plan,
		.birth = &l->birth,
		.gate_fd = l->gate_fd,
		.mount_fds = l->mount_fds,
		.root_source_fd = l->root_source_fd,
		.ns_fds = l->ns_fds,
		.cgroup_path = cgroup_path(l->cgroup),
		.seccomp = l->seccomp,
		.log_level = log_wants(LOG_LEVEL_DEBUG) ? LOG_LEVEL_DEBUG : LOG_LEVEL_WARNING,
	};
	struct spawn_request request = {
		.birth = &l->birth,
		.ns_fds = l->ns_fds,
		.cgroup_fd = cgroup_clone_fd(l->cgroup),
		.child = init_main,
		.arg = &args,
	};
	int r = launch_share_progress(l, err);

	if (r < 0)
		return r;
	r = channel_pair(&l->channel, &l->init_channel, err);
	if (r < 0)
		return r;
	args.progress = l->progress;
	args.channel = l->init_channel;
	l->pid = spawn_init(&request, &l->pidfd, err);
	if (l->pid == -ENOSYS && request.cgroup_fd >= 0) {
		cgroup_cannot_clone(l->cgroup);
		plan_birth(l);
		request.cgroup_fd = FD_NONE;
		l->pid = spawn_init(&request, &l->pidfd, err);
	}
	if (l->pid < 0)
		return l->pid;
	/* The child has its copies; ours would keep the sockets open after its death. */
	channel_close(&l->init_channel);
	close_fd(&l->gate_fd);
	for (size_t i = 0; i < l->plan->mounts_len; i++)
		close_fd(&l->mount_fds[i]);
	close_fd(&l->root_source_fd);
	return 0;
}

/* Reaped before the error is printed: callers read our stderr to its end, which a surviving child would hold open. */
static void undo_birth(struct launch *l)
{
	launch_kill_init(l);
	close_fd(&l->pidfd);
	l->pid = -1;
	/* runtime.md: what fails from the createRuntime hooks on is stopped and goes on to the poststop hooks. */
	if (l->hooks_began) {
		struct deadline d = launch_undo_deadline(l);
		struct hook_state state;

		launch_hook_state(l, 0, &state);
		lifecycle_hooks_poststop(l->plan->config->hooks, &state, &d);
	}
}

/* ---- while init sets itself up ---- */

static int adopt(struct launch *l, struct crun_error *err)
{
	int r;

	if (cgroup_needs_adopt(l->cgroup)) {
		r = cgroup_adopt(l->cgroup, l->pid, err);
		if (r < 0)
			return r;
	}
	if (l->plan->id_map_writer != ID_MAP_NONE) {
		r = idmaps_write(l->plan, &l->helpers, l->pid, &l->deadline, err);
		if (r < 0)
			return r;
	}
	r = limits_apply(l->plan, l->pid, err);
	return r < 0 ? r : sched_apply(&l->plan->process, l->pid, err);
}

/* Before GO, so that whatever init starts is in the class too. */
static int join_rdt(struct launch *l, struct crun_error *err)
{
	return intelrdt_add(&l->rdt, l->pid, err);
}

static bool wants_netdevs(const struct launch *l)
{
	return l->plan->net_devices_len > 0;
}

static int note_netdevs(void *data, struct crun_error *err)
{
	return record_write(data, OCI_RECORD_PHASE_INTENT, err);
}

/* Before GO, as sysctls may be about them and hooks may look for them. */
static int move_netdevs(struct launch *l, struct crun_error *err)
{
	const struct netdevs_request request = {
		.plan = l->plan,
		.joined_fd = l->ns_fds[NS_NET],
		.pid = l->pid,
		.arena = &l->arena,
		.record = &l->record,
		.note = note_netdevs,
		.data = l,
	};

	return netdevs_move(&request, &l->netdevs, err);
}

static void undo_netdevs(struct launch *l)
{
	struct deadline d = deadline_in(DEADLINE_PROCESS_MS);

	/* Nobody in there may swap an interface for one of his own while we take it back. Our descriptor keeps the namespace alive. */
	(void)sys_pidfd_send_signal(l->pidfd, SIGKILL);
	(void)sys_pidfd_wait(&d, l->pidfd);
	netdevs_restore(l->netdevs);
}

static bool wants_go(const struct launch *l)
{
	return l->plan->sync_go;
}

static int send_go(struct launch *l, struct crun_error *err)
{
	return channel_send(&l->channel, MSG_GO, FD_NONE, err);
}

/* Overlaps init's mounts. The copy outlives the bundle, which an engine may unmount before it calls delete. */
static int copy_config(struct launch *l, struct crun_error *err)
{
	return state_write_config(&l->dir, l->file.text.data, l->file.text.len, err);
}

static int write_pid_file(struct launch *l, struct crun_error *err)
{
	int r = l->opts->pid_file ? pidfile_write(l->opts->pid_file, l->pid, err) : 0;

	l->pid_file_written = r >= 0 && l->opts->pid_file;
	return r;
}

/* Not one of the caller's that we have not replaced yet. */
static void undo_pid_file(struct launch *l)
{
	if (l->pid_file_written)
		(void)unlink(l->opts->pid_file);
	l->pid_file_written = false;
}

/*
 * For run this is the whole record and the pid file: init goes on to the payload once it hears SETTLED, which follows. For create
 * it names init, in case we are killed between its READY and the final record.
 */
static int publish(struct launch *l, struct crun_error *err)
{
	int r = record_write(l, l->is_run ? OCI_RECORD_PHASE_RUNNING : OCI_RECORD_PHASE_CREATING,
			     err);

	return r < 0 || !l->is_run ? r : write_pid_file(l, err);
}

static int compile_seccomp(struct launch *l, struct crun_error *err)
{
	return seccomp_compile_cached(&l->plan->seccomp, l->dir.root_fd, l->seccomp, err);
}

static bool wants_hooks(const struct launch *l)
{
	return l->plan->sync_hooks;
}

void launch_hook_state(const struct launch *l, pid_t pid, struct hook_state *ret)
{
	*ret = (struct hook_state){
		.oci_version = l->plan->config->oci_version,
		.id = l->id,
		.bundle = l->plan->bundle,
		.root = l->plan->rootfs,
		.pid = pid,
		.annotations = l->plan->config->annotations,
	};
}

static int run_create_hooks(struct launch *l, struct crun_error *err)
{
	struct hook_state state;
	int r = launch_expect(l, MSG_PAUSED, NULL, err);

	if (r < 0)
		return r;
	l->hooks_began = true;
	launch_hook_state(l, l->pid, &state);
	r = lifecycle_hooks_create(l->plan->config->hooks, &state, &l->deadline, err);
	if (r < 0)
		return r;
	return channel_send(&l->channel, MSG_RESUME, FD_NONE, err);
}

static int send_filter(struct launch *l, struct crun_error *err)
{
	int r = channel_send(&l->channel, MSG_FILTER, FD_NONE, err);

	/* While init goes on. Without the file exec compiles the filter itself. */
	if (r >= 0)
		(void)state_write_filter(&l->dir, l->seccomp, ERR_IGNORED);
	return r;
}

static bool wants_listener(const struct launch *l)
{
	return l->plan->sync_listener;
}

static int pass_listener(struct launch *l, struct crun_error *err)
{
	struct hook_state state;

	launch_hook_state(l, l->pid, &state);
	return launch_pass_listener(l, &state, err);
}

static bool wants_delegate(const struct launch *l)
{
	return l->plan->cgroup.delegate;
}

static int delegate_cgroup(struct launch *l, struct crun_error *err)
{
	return cgroup_delegate(l->cgroup, l->pid, err);
}

static bool wants_deadline(const struct launch *l)
{
	return sched_is_deadline(&l->plan->process);
}

static int set_deadline(struct launch *l, struct crun_error *err)
{
	return sched_apply_deadline(&l->plan->process, l->payload ? l->payload : l->pid, err);
}

static int publish_create(struct launch *l, struct crun_error *err)
{
	/* The last moment at which the creation can be called off. */
	int r = deadline_check(&l->deadline);

	if (r < 0)
		return deadline_err(&l->deadline, r, err, "create container `%s`", l->id);
	r = record_write(l, OCI_RECORD_PHASE_CREATED, err);
	return r < 0 ? r : write_pid_file(l, err);
}

/* run: said early, so that nobody waits, unless there is something left to be done to a ready init. */
static bool settles_early(const struct launch *l)
{
	return l->is_run && !wants_deadline(l) && !wants_delegate(l);
}

static bool settles_late(const struct launch *l)
{
	return !settles_early(l);
}

/* There is a record by which init can be found: it gives up if we die before it has heard so. */
static int settle(struct launch *l, struct crun_error *err)
{
	return channel_send(&l->channel, MSG_SETTLED, FD_NONE, err);
}

const struct host_phase host_phases[] = {
	{.name = "helpers",
	 .when = wants_helpers,
	 .run = open_helpers,
	 .code = CODE_MAPPING_HELPER},
	{.name = "state", .run = reserve_state, .undo = undo_state},
	{.name = "notify", .when = wants_notify, .run = prepare_notify},
	{.name = "sockets", .run = connect_sockets},
	{.name = "cgroup.select", .run = select_cgroup},
	{.name = "rdt.select", .when = wants_rdt, .run = select_rdt, .code = CODE_RESCTRL},
	{.name = "intent", .run = write_intent},
	{.name = "cgroup", .run = create_cgroup, .code = CODE_CGROUP_CREATE, .undo = undo_cgroup},
	{.name = "rdt", .when = wants_rdt, .run = create_rdt, .undo = undo_rdt},
	{.name = "gate", .when = wants_gate, .run = listen_gate},
	{.name = "namespaces", .run = namespaces_open, .code = CODE_NAMESPACE_JOIN},
	{.name = "sources", .run = sources_open, .code = CODE_MOUNT_SOURCE_REFUSED},
	{.name = "seccomp.area", .when = wants_seccomp, .run = launch_share_seccomp},
	{.name = "spawn", .run = give_birth, .code = CODE_NAMESPACE_CREATE, .undo = undo_birth},
	{.name = "adopt", .run = adopt, .code = CODE_CGROUP_ATTACH},
	{.name = "rdt.join", .when = wants_rdt, .run = join_rdt},
	{.name = "netdevs",
	 .when = wants_netdevs,
	 .run = move_netdevs,
	 .code = CODE_NETWORK_DEVICE,
	 .undo = undo_netdevs},
	{.name = "go", .when = wants_go, .run = send_go, .says = {SENDS(MSG_GO)}},
	{.name = "config.copy", .run = copy_config},
	{.name = "publish", .run = publish, .undo = undo_pid_file},
	{.name = "seccomp.compile", .when = wants_seccomp, .run = compile_seccomp},
	{.name = "hooks",
	 .when = wants_hooks,
	 .run = run_create_hooks,
	 .says = {EXPECTS(MSG_PAUSED), SENDS(MSG_RESUME)}},
	{.name = "filter", .when = wants_seccomp, .run = send_filter, .says = {SENDS(MSG_FILTER)}},
	{.name = "listener",
	 .when = wants_listener,
	 .run = pass_listener,
	 .says = {EXPECTS(MSG_LISTENER)}},
	{.name = "named", .when = settles_early, .run = settle, .says = {SENDS(MSG_SETTLED)}},
	{.name = "ready", .run = launch_await_ready, .says = {EXPECTS(MSG_READY)}},
	{.name = "delegate", .when = wants_delegate, .run = delegate_cgroup},
	{.name = "deadline", .when = wants_deadline, .run = set_deadline},
	{.name = "settle", .when = settles_late, .run = settle, .says = {SENDS(MSG_SETTLED)}},
	/* After SETTLED: a complete record whose init gave up for want of it would look like a container that was stopped. */
	{.name = "record", .when = wants_gate, .run = publish_create, .undo = undo_pid_file},
	{0},
};

#define HOST_PHASES (ARRAY_LEN(host_phases) - 1)

static void undo_phases(struct launch *l, size_t n)
{
	/* Should we be killed on the way: a record that is complete by now does not say that it is going. */
	if (l->dir.fd >= 0)
		state_mark(&l->dir, STATE_MARK_DELETING);
	while (n-- > 0) {
		size_t span;

		if (!host_phases[n].undo || (host_phases[n].when && !host_phases[n].when(l)))
			continue;
		log_debug("undo: %s", host_phases[n].name);
		span = trace_begin_undo(host_phases[n].name);
		host_phases[n].undo(l);
		trace_end(span, 0);
	}
}

int launch_run_phases(struct launch *l, struct crun_error *err)
{
	for (size_t i = 0; i < HOST_PHASES; i++) {
		int r;

		if (host_phases[i].when && !host_phases[i].when(l))
			continue;
		log_debug("host: %s", host_phases[i].name);
		r = TRACED(host_phases[i].name, host_phases[i].run(l, err));
		trace_birth(l->pid);
		if (r < 0) {
			err_code_of_step(err, host_phases[i].code);
			launch_prefer_inits_word(l, err);
			launch_name_phase(l, host_phases[i].name, err);
			launch_begin_undo(l);
			undo_phases(l, i);
			return -err->errnum;
		}
	}
	return 0;
}

void launch_undo(struct launch *l)
{
	launch_begin_undo(l);
	undo_phases(l, HOST_PHASES);
}
