// SPDX-License-Identifier: Apache-2.0
// Init's story: run outside, become inside, run inside, become last, run last. Knows all three contexts, decides nothing.
#include "init/init_main.h"

#include "base/cleanup.h"
#include "base/log.h"
#include "fs/mount_attr.h"
#include "init/context.h"
#include "init/fds.h"
#include "init/outside/phase.h"
#include "sync/ladder.h"
#include "sync/trace.h"
#include "sys/file.h"
#include "sys/process.h"

#include <stdio.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

static void send_log(void *data, enum crun_log_level level, const char *text)
{
	struct channel *channel = data;

	(void)channel_send_log(channel, level, text);
}

/* The progress word: the domain, and the number of the phase counted from 1; 0 is the domain as a whole, in spans of time only. */
enum domain { DOMAIN_OUTSIDE = 1, DOMAIN_INSIDE, DOMAIN_LAST, DOMAIN_ALL };
#define DOMAIN_SHIFT 8

static const char *const domain_names[] = {[DOMAIN_OUTSIDE] = "outside",
					   [DOMAIN_INSIDE] = "inside",
					   [DOMAIN_LAST] = "last",
					   [DOMAIN_ALL] = "init"};

/* Progress words of a process that exec adds, and of one that changes mounts. */
#define EXEC_BIT   (1U << 16)
#define MOUNTS_BIT (1U << 17)

#define FIND_PHASE(table, number, ret)                      \
	do {                                                \
		for (size_t i_ = 0; (table)[i_].name; i_++) \
			if (i_ + 1 == (number))             \
				(ret) = (table)[i_].name;   \
	} while (0)

bool init_phase_name(uint32_t progress, char *buf, size_t size)
{
	bool exec = progress & EXEC_BIT, mounts = progress & MOUNTS_BIT;
	uint32_t domain = (progress & ~(EXEC_BIT | MOUNTS_BIT)) >> DOMAIN_SHIFT,
		 number = progress & ((1U << DOMAIN_SHIFT) - 1);
	const char *name = NULL;

	/* The word is init's to write, so anything may be in it. */
	if (number == 0 && domain < ARRAY_LEN(domain_names) && domain_names[domain]) {
		snprintf(buf, size, "%s", domain_names[domain]);
		return true;
	}
	if (mounts)
		FIND_PHASE(live_mounts_phases, number, name);
	else if (domain == DOMAIN_OUTSIDE)
		FIND_PHASE(exec ? exec_outside_phases : outside_phases, number, name);
	else if (domain == DOMAIN_INSIDE)
		FIND_PHASE(exec ? exec_inside_phases : inside_phases, number, name);
	else if (domain == DOMAIN_LAST)
		FIND_PHASE(exec ? exec_last_phases : last_phases, number, name);
	if (name)
		snprintf(buf, size, "%s.%s", mounts ? "mounts" : domain_names[domain], name);
	return name != NULL;
}

/* Returns the span of time that the phase begins. */
static size_t tell_progress(const struct init_args *args, enum domain domain, size_t phase)
{
	uint32_t word = (uint32_t)domain << DOMAIN_SHIFT | (uint32_t)(phase + 1);

	if (args->plan->exec)
		word |= EXEC_BIT;
	if (args->plan->live_mounts)
		word |= MOUNTS_BIT;
	__atomic_store_n(args->progress, word, __ATOMIC_RELAXED);
	return trace_init_begin(word);
}

static size_t enter_domain(enum domain domain)
{
	return trace_init_begin((uint32_t)domain << DOMAIN_SHIFT);
}

#define RUN_PHASES(table, context, domain, args, err)                                   \
	({                                                                              \
		const char *in_ = domain_names[domain];                                 \
		size_t span_;                                                           \
		int r_ = 0;                                                             \
		for (size_t i_ = 0; r_ >= 0 && (table)[i_].name; i_++) {                \
			if ((table)[i_].when && !(table)[i_].when((context)->plan))     \
				continue;                                               \
			span_ = tell_progress((args), (domain), i_);                    \
			log_debug("init: %s.%s", in_, (table)[i_].name);                \
			r_ = (table)[i_].run((context), (err));                         \
			trace_init_end(span_, r_);                                      \
			if (r_ < 0)                                                     \
				err_code_of_step((err), (table)[i_].code);              \
			if (r_ < 0)                                                     \
				log_debug("init: %s.%s failed", in_, (table)[i_].name); \
		}                                                                       \
		r_;                                                                     \
	})

/* The first act of the child: nothing that the caller leaked, and nothing of the host side that init has no use for, stays open. */
static int close_everything_else(const struct init_args *args, struct crun_error *err)
{
	unsigned first = 3 + args->plan->process.preserve_fds;
	struct fd_set_list keep = {0};
	int r;

	fds_keep(&keep, args->channel.fd);
	fds_keep(&keep, args->gate_fd);
	fds_keep(&keep, args->root_source_fd);
	if (args->plan->exec || args->plan->live_mounts)
		fds_keep(&keep, args->proc_fd);
	for (int i = 0; i < NS_COUNT; i++) {
		if (args->birth->join_after & (1U << i))
			fds_keep(&keep, args->ns_fds[i]);
		else
			/* Closed below: the number will be that of something else. */
			args->ns_fds[i] = FD_NONE;
	}
	for (size_t i = 0; i < args->plan->mounts_len; i++)
		fds_keep(&keep, args->mount_fds[i]);
	r = fds_close_others(&keep, first);
	/* An image's program /proc/self/fd/N/... is looked up before close-on-exec takes effect (CVE-2024-21626). */
	fds_close_own(&keep, 3, first);
	fds_done(&keep);
	if (r < 0)
		return err_sys(err, r, "close inherited file descriptors");
	return 0;
}

static bool runs_hooks(const struct launch_plan *plan)
{
	const struct oci_hooks *hooks = plan->config->hooks;

	return hooks && (hooks->create_container_len || hooks->start_container_len);
}

static int run_outside(const struct init_args *args, struct outside *o, struct crun_error *err)
{
	int r;

	*o = (struct outside){
		.plan = args->plan,
		.birth = args->birth,
		.channel = o->channel,
		.callers_umask = umask(0),
		.root_fd = FD_NONE,
		.host_root_fd = FD_NONE,
		.label_fd = FD_NONE,
		.status_fd = FD_NONE,
		.null_fd = FD_NONE,
		.mask_fd = FD_NONE,
		.mask_null_fd = FD_NONE,
		.proc_fd = FD_NONE,
		.stage = {.proc_fd = FD_NONE, .dir_fd = FD_NONE},
		.mount_fds = args->mount_fds,
		.root_source_fd = args->root_source_fd,
		.ns_fds = args->ns_fds,
		.gate_fd = args->gate_fd,
		.seccomp = args->seccomp,
		.cgroup_path = args->cgroup_path,
	};
	r = close_everything_else(args, err);
	if (r < 0)
		return r;
	if (args->plan->exec || args->plan->live_mounts) {
		o->proc_fd = args->proc_fd;
		return args->plan->exec
			       ? RUN_PHASES(exec_outside_phases, o, DOMAIN_OUTSIDE, args, err)
			       : RUN_PHASES(live_mounts_phases, o, DOMAIN_OUTSIDE, args, err);
	}
	o->proc_fd = outside_open_proc(err);
	if (o->proc_fd < 0)
		return o->proc_fd;
	o->stage.proc_fd = o->proc_fd;
	if (runs_hooks(args->plan))
		o->host_pid = outside_own_pid(o->proc_fd);
	return RUN_PHASES(outside_phases, o, DOMAIN_OUTSIDE, args, err);
}

/* Takes over what may be known inside and closes every fd of the host's file system. */
static int become_inside(struct outside *o, struct inside *in, struct crun_error *err)
{
	bool old_mounts = mount_stage_is_open(&o->stage);
	bool needs_proc = !o->plan->exec && (old_mounts || mount_attr_needs_proc());

	*in = (struct inside){
		.plan = o->plan,
		.channel = o->channel,
		.root_fd = FD_NONE,
		.proc_fd = needs_proc ? take_fd(&o->proc_fd) : FD_NONE,
		.old_mounts = old_mounts,
		.cwd_fd = FD_NONE,
		.label_fd = take_fd(&o->label_fd),
		.status_fd = take_fd(&o->status_fd),
		.keyring = o->keyring,
		.mask_fd = take_fd(&o->mask_fd),
		.null_fd = take_fd(&o->mask_null_fd),
		.gate_fd = o->gate_fd,
		.host_pid = o->host_pid,
		.console_fd = FD_NONE,
		.seccomp = o->seccomp,
	};
	close_fd(&o->root_fd);
	close_fd(&o->host_root_fd);
	close_fd(&o->stage.dir_fd);
	close_fd(&o->proc_fd);
	close_fd(&o->null_fd);
	for (int i = 0; i < NS_COUNT; i++)
		close_fd(&o->ns_fds[i]);
	in->root_fd = sys_openat(FD_NONE, "/", O_PATH | O_DIRECTORY, 0);
	if (in->root_fd < 0)
		return err_sys(err, in->root_fd, "open the container's root");
	return 0;
}

/* The phase `fds` closes everything from FIRST on at once; what is below are the numbers that the caller's descriptors may have. */
static void leave(int *fd, unsigned first)
{
	if (*fd >= 0 && (unsigned)*fd < first)
		close(*fd);
	*fd = FD_NONE;
}

static void become_last(struct inside *in, struct last *last)
{
	unsigned first = 3 + in->plan->process.preserve_fds;

	*last = (struct last){
		.plan = in->plan,
		.channel = in->channel,
		.gate_fd = in->gate_fd,
		.console_fd = take_fd(&in->console_fd),
		.label_fd = in->plan->self_audit ? take_fd(&in->label_fd) : FD_NONE,
		.status_fd = take_fd(&in->status_fd),
		.keyring = in->keyring,
		.host_pid = in->host_pid,
		.exec_path = in->exec_path,
		.seccomp = in->seccomp,
	};
	leave(&in->root_fd, first);
	leave(&in->proc_fd, first);
	leave(&in->cwd_fd, first);
	leave(&in->label_fd, first);
	leave(&in->mask_fd, first);
	leave(&in->null_fd, first);
}

static int run_inside(const struct init_args *args, struct outside *o, struct inside *in,
		      struct crun_error *err)
{
	int r = become_inside(o, in, err);

	if (r < 0)
		return r;
	return RUN_PHASES(args->plan->exec ? exec_inside_phases : inside_phases, in, DOMAIN_INSIDE,
			  args, err);
}

static int run_last(const struct init_args *args, struct inside *in, struct crun_error *err)
{
	struct last last;

	become_last(in, &last);
	return RUN_PHASES(args->plan->exec ? exec_last_phases : last_phases, &last, DOMAIN_LAST,
			  args, err);
}

static int run_all(const struct init_args *args, struct channel *channel, struct crun_error *err)
{
	static struct inside in; /* large, and there is only one init */
	struct outside o = {.channel = channel};
	size_t span = enter_domain(DOMAIN_OUTSIDE);
	int r = run_outside(args, &o, err);

	trace_init_end(span, r);
	if (r < 0)
		return r;
	if (args->plan->live_mounts)
		return 0;
	span = enter_domain(DOMAIN_INSIDE);
	r = run_inside(args, &o, &in, err);
	trace_init_end(span, r);
	if (r < 0)
		return r;
	span = enter_domain(DOMAIN_LAST);
	r = run_last(args, &in, err);
	trace_init_end(span, r);
	return r;
}

void init_main(void *data)
{
	const struct init_args *args = data;
	struct channel channel = args->channel;
	struct crun_error err = {0};
	size_t span;
	int r;

	if (args->birth->join_after & (1U << NS_TIME) || args->plan->ns[NS_TIME].action == NS_NEW)
		trace_leave_clock();
	span = enter_domain(DOMAIN_ALL);
	(void)sys_prctl(PR_SET_NAME, (unsigned long)INIT_COMM, 0);
	/* The runtime may be killed at any time: what it has not finished must not live on (cleared once READY was said). */
	(void)sys_prctl(PR_SET_PDEATHSIG, SIGKILL, 0);
	log_set_sink(send_log, &channel, (enum crun_log_level)args->log_level);
	r = run_all(args, &channel, &err);
	trace_init_end(span, r);
	if (r >= 0)
		_exit(0);
	(void)channel_send_error(&channel, &err);
	_exit(1);
}
