// SPDX-License-Identifier: Apache-2.0
// The waits of a launch: see the end of launch.h.
#include "host/launch.h"

#include "base/cleanup.h"
#include "base/log.h"
#include "cgroup/stats.h"
#include "host/payload.h"
#include "host/trace.h"
#include "host/verbs.h"
#include "init/init_main.h"
#include "sys/pidfd.h"
#include "sys/process.h"

#include <errno.h>
#include <signal.h>
#include <sys/mman.h>

/* How often a process that says nothing is looked at, and how often it is continued. */
#define LOOK_MS	  200
#define MAX_WAKES 25U
/* A process that was killed and is not gone then may be frozen. */
#define FROZEN_MS 200

int launch_share_progress(struct launch *l, struct crun_error *err)
{
	void *word = mmap(NULL, sizeof(*l->progress), PROT_READ | PROT_WRITE,
			  MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	if (word == MAP_FAILED)
		return err_sys(err, -errno, "map memory for init's progress");
	l->progress = word;
	return 0;
}

int launch_share_seccomp(struct launch *l, struct crun_error *err)
{
	void *area = mmap(NULL, sizeof(*l->seccomp), PROT_READ | PROT_WRITE,
			  MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	if (area == MAP_FAILED)
		return err_sys(err, -errno, "map memory for the seccomp program");
	l->seccomp = area;
	return 0;
}

/* Adds the time that the hooks of one list may take; false: no limit. */
static bool add_hooks(const struct oci_hook *list, size_t len, int64_t *ms)
{
	for (size_t i = 0; i < len; i++) {
		if (!list[i].has_timeout || list[i].timeout <= 0)
			return false;
		*ms += (int64_t)list[i].timeout * 1000;
	}
	return true;
}

/* config.md, "POSIX-platform Hooks": a hook without a timeout is waited for, and init runs hooks too. */
static int64_t init_limit(const struct launch *l)
{
	const struct oci_hooks *hooks = l->plan->config->hooks;
	int64_t ms = DEADLINE_INIT_MS;

	if (hooks && !add_hooks(hooks->create_container, hooks->create_container_len, &ms))
		return DEADLINE_NEVER;
	if (hooks && !l->plan->gate &&
	    !add_hooks(hooks->start_container, hooks->start_container_len, &ms))
		return DEADLINE_NEVER;
	return ms;
}

/*
 * kill(2) of the container's root reaches whoever is in its pid namespace, and so a process that joins it by exec, or that is born into one that
 * is shared: stopped, it would never say anything. Each word of it, a line for the log too, is waited for until D; in between it is continued,
 * but not for ever. Returns as channel.watch. In a pid namespace that it begins itself there is nobody to stop it.
 */
static int await_word(const void *watched, const struct deadline *d, struct crun_error *err)
{
	const struct launch *l = watched;

	for (unsigned wakes = 0; wakes < MAX_WAKES;) {
		struct deadline look = deadline_within(d, LOOK_MS);

		int r = deadline_wait_in(&look, l->channel.fd);

		/* What ends the wait otherwise, the channel tells. */
		if (r != -ETIMEDOUT || deadline_check(d) < 0)
			return r == 0;
		if (sys_child_stopped(l->pid) <= 0)
			continue;
		log_debug("process %d was stopped by a signal: continuing it", (int)l->pid);
		(void)sys_pidfd_send_signal(l->pidfd, SIGCONT);
		wakes++;
	}
	return err_set(
		err, KIND_STATE, EBUSY,
		"process %d was stopped by a signal %u times before its program ran: something "
		"in the container's pid namespace sends it SIGSTOP",
		(int)l->pid, MAX_WAKES);
}

static void watch_for_stops(struct launch *l)
{
	if (!l->plan->exec && plan_ns_is_own(l->plan, NS_PID))
		return;
	l->channel.watch = await_word;
	l->channel.watched = l;
}

int launch_expect(struct launch *l, enum message_kind kind, int *ret_fd, struct crun_error *err)
{
	struct deadline d = deadline_or(&l->deadline, init_limit(l));

	watch_for_stops(l);
	return channel_expect(&l->channel, kind, &d, ret_fd, err);
}

int launch_expect_eof(struct launch *l, struct crun_error *err)
{
	struct deadline d = deadline_or(&l->deadline, init_limit(l));
	int r;

	watch_for_stops(l);
	r = channel_expect_eof(&l->channel, &d, err);
	trace_execve();
	return r;
}

void launch_name_phase(const struct launch *l, const char *phase, struct crun_error *err)
{
	char name[64];

	if (err->kind != KIND_TIMEOUT && err->kind != KIND_INTERRUPTED &&
	    err->code != CODE_INIT_DIED)
		return;
	if (l->pid > 0 && l->progress &&
	    init_phase_name(__atomic_load_n(l->progress, __ATOMIC_RELAXED), name, sizeof(name)))
		err_in(err, "phase `%s`, init in phase `%s`", phase, name);
	else
		err_in(err, "phase `%s`", phase);
}

int launch_explain_by_memory(const struct launch *l, struct crun_error *err)
{
	struct cgroup_oom oom = {.scope = OOM_NONE};

	if (l->cgroup)
		cgroup_oom_read(l->cgroup, &oom);
	if ((oom.scope != OOM_OWN && oom.scope != OOM_ABOVE) || !oom.limit.known)
		return 0;
	return err_set(err, CODE_INIT_DIED, EPIPE,
		       "read from the init process: it was killed for lack of memory, as the "
		       "limit of cgroup `%s` is %llu bytes",
		       oom.path, (unsigned long long)oom.limit.value);
}

/* The most frequent reason not to have said a word: a memory limit that leaves no room even for the setting up. */
static void explain_death(const struct launch *l, struct crun_error *err)
{
	struct deadline d = deadline_in(DEADLINE_PROCESS_MS);

	if (launch_explain_by_memory(l, err) < 0)
		return;
	if (l->pidfd >= 0 && sys_pidfd_wait(&d, l->pidfd) == 0 && sys_child_killed(l->pid) > 0)
		err_set(err, CODE_INIT_DIED, EPIPE,
			"read from the init process: it was killed by signal %d",
			sys_child_killed(l->pid));
	else
		err_set(err, CODE_INIT_DIED, EPIPE,
			"read from the init process: it ended without a word");
}

/*
 * EPIPE may be another socket's: init is well then, and waits for us. Other failures may be about what a dead process has no more, its files in
 * /proc and its cgroup, and these go before the channel is hung up.
 */
static bool init_is_gone(const struct launch *l, int errnum)
{
	return errnum == EPIPE || errnum == ECONNRESET ? channel_is_hung_up(&l->channel)
						       : payload_died_before(l->pid);
}

void launch_prefer_inits_word(struct launch *l, struct crun_error *err)
{
	/* It has ended, or is about to: its end of the channel is closed, unless somebody else has it, too. */
	struct deadline d = deadline_in(DEADLINE_PROCESS_MS);
	struct crun_error word;

	if (l->pid <= 0 || l->channel.fd < 0 || l->channel.heard_failure ||
	    err->kind == KIND_HOOK || err->kind == KIND_TIMEOUT || err->kind == KIND_INTERRUPTED ||
	    !init_is_gone(l, err->errnum))
		return;
	if (channel_expect_eof(&l->channel, &d, &word) == 0)
		explain_death(l, err);
	else if (l->channel.heard_failure ||
		 (word.kind != KIND_INTERNAL && word.kind != KIND_TIMEOUT))
		*err = word;
}

void launch_begin_undo(struct launch *l)
{
	l->deadline = deadline_none();
}

struct deadline launch_undo_deadline(const struct launch *l)
{
	struct deadline d = command_deadline(l->ctx);

	d.cancel_fd = l->interrupts.fd;
	return d;
}

void launch_kill_init(struct launch *l)
{
	struct deadline d = deadline_in(FROZEN_MS);
	int r;

	(void)sys_pidfd_send_signal(l->pidfd, SIGKILL);
	r = sys_pidfd_wait(&d, l->pidfd);
	if (r < 0 && l->cgroup)
		cgroup_leave_frozen(l->cgroup, l->pid);
	d = deadline_in(DEADLINE_PROCESS_MS);
	if (r == 0 || sys_pidfd_wait(&d, l->pidfd) == 0) {
		(void)sys_waitpid(l->pid, NULL, 0);
		return;
	}
	l->keep_state = true;
	log_warning("undo: process %d has not ended %d seconds after SIGKILL; `crun delete --force "
		    "%s` tries again",
		    (int)l->pid, DEADLINE_PROCESS_MS / 1000, l->id);
}
