// SPDX-License-Identifier: Apache-2.0
// The payload's thread, which alone is under the payload's filter: see filtered.h.
#include "init/last/filtered.h"

#include "init/seccomp_load.h"
#include "sys/futex.h"
#include "sys/wall.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

/* How often the first thread looks: under its filter the second one cannot be asked to wake anybody. */
#define LOOK_US_FIRST 100
#define LOOK_US_MAX   10000

enum { LOADING, LOADED, GO, FAILED };

struct filtered {
	const struct seccomp_area *area;
	const struct plan_process *process;
	const char *exec_path;
	uint32_t state; /* futex */
	uint32_t tid;
	struct wall start;     /* keeps the second thread until GO */
	struct wall end;       /* and, when execve has failed, until the first one ends us all */
	int result;	       /* the notification fd, or why FAILED */
	struct crun_error err; /* FAILED while LOADING */
};

static uint32_t state_of(const struct filtered *f)
{
	return __atomic_load_n(&f->state, __ATOMIC_ACQUIRE);
}

static void set_state(struct filtered *f, uint32_t state)
{
	__atomic_store_n(&f->state, state, __ATOMIC_RELEASE);
}

/* A state that only one of the threads may leave. */
static bool change_state(struct filtered *f, uint32_t old, uint32_t state)
{
	return __atomic_compare_exchange_n(&f->state, &old, state, false, __ATOMIC_ACQ_REL,
					   __ATOMIC_ACQUIRE);
}

/*
 * A while of the second thread without a wall, which is up to the profile. Returns a negative errno when that does not allow it: to
 * turn in circles instead would cost a processor for as long as a created container is not started.
 */
static int doze(const struct filtered *f, uint32_t state)
{
	int r = sys_futex_wait(&f->state, state, -1);

	return r == -EAGAIN || r == -EINTR ? 0 : r;
}

static void await_go(struct filtered *f)
{
	if (f->start.page) {
		sys_wall_wait(&f->start);
		return;
	}
	while (state_of(f) == LOADED) {
		int r = doze(f, LOADED);

		if (r >= 0)
			continue;
		f->result = r;
		err_sys(&f->err, r,
			"wait for the container's start under the seccomp profile, which has to "
			"allow futex where there is no userfaultfd(2)");
		(void)change_state(f, LOADED, FAILED);
	}
}

/* The second thread. Once the filter is loaded every system call is one that the payload's profile judges. */
static void *filtered_main(void *arg)
{
	struct filtered *f = arg;

	__atomic_store_n(&f->tid, (uint32_t)sys_gettid(), __ATOMIC_RELEASE);
	f->result = init_seccomp_load(f->area, &f->err);
	set_state(f, f->result < 0 ? FAILED : LOADED);
	if (f->result < 0)
		return NULL;
	await_go(f);
	if (state_of(f) == GO) {
		execve(f->exec_path, (char *const *)f->process->argv,
		       (char *const *)f->process->envp);
		f->result = -errno;
		set_state(f, FAILED);
	}
	/* Not even the end of a thread is certain to be allowed; the first one ends us all. */
	if (f->end.page)
		sys_wall_wait(&f->end);
	while (doze(f, FAILED) >= 0)
		;
	return NULL;
}

/* Waits while the state is OLD. Returns 0, or -EPIPE when the filter killed the thread. */
static int await_change(struct filtered *f, uint32_t old)
{
	int look_us = LOOK_US_FIRST;

	while (state_of(f) == old) {
		uint32_t tid = __atomic_load_n(&f->tid, __ATOMIC_ACQUIRE);

		if (tid && !sys_thread_exists((pid_t)tid) && state_of(f) == old)
			return -EPIPE;
		(void)sys_futex_wait(&f->state, old, look_us);
		look_us = look_us * 2 < LOOK_US_MAX ? look_us * 2 : LOOK_US_MAX;
	}
	return 0;
}

static int explain_thread(int r, struct crun_error *err)
{
	/* pthread_create(3), fork(2) */
	if (r == -EAGAIN)
		return err_set(
			err, KIND_SPEC, EAGAIN,
			"a seccomp listener needs a second thread beside the container's first "
			"process until it starts, and linux.resources.pids.limit or "
			"RLIMIT_NPROC leaves no room for one");
	return err_sys(err, r, "make a thread for the payload, which a seccomp listener needs");
}

int filtered_start(const struct last *last, struct filtered **ret, struct crun_error *err)
{
	struct filtered *f = calloc(1, sizeof(*f));
	int r;

	if (!f)
		return err_sys(err, -ENOMEM, "make a thread for the payload");
	f->area = last->seccomp;
	f->process = &last->plan->process;
	f->exec_path = last->exec_path;
	/* Without them, or on a kernel before 5.11, the profile has to allow a wait. */
	if (sys_wall_make(&f->start) < 0 || sys_wall_make(&f->end) < 0)
		sys_wall_done(&f->start);
	r = sys_thread_start(filtered_main, f);
	if (r < 0) {
		sys_wall_done(&f->start);
		sys_wall_done(&f->end);
		free(f);
		return explain_thread(r, err);
	}
	*ret = f;
	if (await_change(f, LOADING) < 0)
		return err_set(err, KIND_INTERNAL, EPIPE,
			       "the thread that was to load the seccomp filter has gone");
	if (f->result < 0)
		*err = f->err;
	return f->result;
}

int filtered_execve(struct filtered *f, const struct last *last, struct crun_error *err)
{
	if (!change_state(f, LOADED, GO)) {
		*err = f->err;
		return f->result;
	}
	if (f->start.page)
		(void)sys_wall_open(&f->start);
	else
		(void)sys_futex_wake(&f->state);
	if (await_change(f, GO) < 0)
		return err_set(
			err, CODE_INIT_DIED, EPIPE,
			"read from the init process: its seccomp filter killed it before it could "
			"execute `%s` (does the profile allow execve%s?)",
			last->exec_path, f->start.page ? "" : " and futex");
	return -f->result;
}

bool filtered_holds(const struct filtered *f, int fd)
{
	return fd == f->start.fd || fd == f->end.fd;
}
