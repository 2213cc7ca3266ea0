// SPDX-License-Identifier: Apache-2.0
// The payload's thread, which alone is under the payload's filter: see filtered.h.
#include "init/last/filtered.h"

#include "init/seccomp_load.h"
#include "sys/futex.h"

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <stdlib.h>
#include <unistd.h>

/* It calls three functions; the C library's own part of a stack depends on its version. */
#define STACK_SIZE (256 * 1024)

/* How often the first thread looks: under its filter the second one cannot be asked to wake anybody. */
#define LOOK_US 200

enum { LOADING, LOADED, GO, FAILED };

struct filtered {
	const struct seccomp_area *area;
	const struct plan_process *process;
	const char *exec_path;
	uint32_t state; /* futex */
	uint32_t tid;
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

/* The second thread. Once the filter is loaded every system call is one that the payload's profile judges. */
static void *filtered_main(void *arg)
{
	struct filtered *f = arg;

	__atomic_store_n(&f->tid, (uint32_t)sys_gettid(), __ATOMIC_RELEASE);
	f->result = init_seccomp_load(f->area, &f->err);
	set_state(f, f->result < 0 ? FAILED : LOADED);
	if (f->result < 0)
		return NULL;
	while (state_of(f) != GO) {
		int r = sys_futex_wait(&f->state, LOADED, -1);

		if (r < 0 && r != -EAGAIN && r != -EINTR)
			sched_yield();
	}
	execve(f->exec_path, (char *const *)f->process->argv, (char *const *)f->process->envp);
	f->result = -errno;
	set_state(f, FAILED);
	/* Not even the end of a thread is certain to be allowed; the first one ends us all. */
	for (;;)
		(void)sys_futex_wait(&f->state, FAILED, -1);
}

/* Waits while the state is OLD. Returns 0, or -EPIPE when the filter killed the thread. */
static int await_change(struct filtered *f, uint32_t old)
{
	while (state_of(f) == old) {
		uint32_t tid = __atomic_load_n(&f->tid, __ATOMIC_ACQUIRE);

		if (tid && !sys_thread_exists((pid_t)tid) && state_of(f) == old)
			return -EPIPE;
		(void)sys_futex_wait(&f->state, old, LOOK_US);
	}
	return 0;
}

static int start_thread(struct filtered *f)
{
	pthread_attr_t attr;
	pthread_t thread;
	int r = pthread_attr_init(&attr);

	if (r)
		return -r;
	/* The default is the payload's RLIMIT_STACK, which may be anything. */
	r = pthread_attr_setstacksize(&attr, STACK_SIZE);
	if (r == 0)
		r = pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
	if (r == 0)
		r = pthread_create(&thread, &attr, filtered_main, f);
	pthread_attr_destroy(&attr);
	return -r;
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
	r = start_thread(f);
	if (r < 0) {
		free(f);
		return err_sys(err, r,
			       "make a thread for the payload, which a seccomp listener needs");
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
	set_state(f, GO);
	sys_futex_wake(&f->state);
	if (await_change(f, GO) < 0)
		return err_set(
			err, KIND_INTERNAL, EPIPE,
			"read from the init process: its seccomp filter killed it before it could "
			"execute `%s` (does the profile allow futex and execve?)",
			last->exec_path);
	return -f->result;
}
