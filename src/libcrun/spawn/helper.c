// SPDX-License-Identifier: Apache-2.0
// The VM-sharing helper: see helper.h. Only raw wrappers here: it runs on borrowed memory.
#include "spawn/helper.h"

#include "sys/file.h"
#include "sys/process.h"

#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <unistd.h>

#define STACK_SIZE (256 * 1024)
#define GUARD_SIZE 4096

/* setns(2) with a pidfd (5.8): the namespaces may belong to each other, the kernel checks them together and enters all or none. */
static int join_target(struct helper_request *req)
{
	int r = sys_setns(req->target_fd, req->target_flags);

	if (r < 0)
		req->failed_flag = req->target_flags;
	return r;
}

/*
 * A namespace may belong to our user namespace or to the one that we are about to enter: what is refused before is tried
 * again after (EPERM says which).
 */
static int join_all(struct helper_request *req)
{
	bool joined[HELPER_MAX_JOINS] = {0};

	for (int pass = 0; pass < 2; pass++) {
		for (int i = 0; i < req->joins_len; i++) {
			int r;

			if (joined[i])
				continue;
			r = sys_setns(req->joins[i].fd, req->joins[i].flag);
			if (r == -EPERM && pass == 0 && req->user_fd >= 0)
				continue;
			if (r < 0) {
				req->failed_flag = req->joins[i].flag;
				return r;
			}
			joined[i] = true;
		}
		if (pass == 0 && req->user_fd >= 0) {
			int r = sys_setns(req->user_fd, CLONE_NEWUSER);

			/* EINVAL: we are in it already, or this is a namespace of another type. */
			if (r == -EINVAL && sys_ns_type(req->user_fd) == CLONE_NEWUSER)
				r = 0;
			if (r < 0) {
				req->failed_flag = CLONE_NEWUSER;
				return r;
			}
		}
	}
	return 0;
}

static int helper_main(void *arg)
{
	struct helper_request *req = arg;
	struct sys_clone_args args = {
		.flags = (unsigned)req->clone_flags | CLONE_PARENT,
		/* clone(2): with CLONE_PARENT the exit signal is the helper's own, and must be given as 0. */
		.exit_signal = 0,
	};
	pid_t pid;
	int r = req->target_flags ? join_target(req) : join_all(req);

	if (r < 0) {
		req->error = r;
		_exit(0);
	}
	if (req->own_fds) {
		/* A new user namespace makes us dumpable where the sysctl fs.suid_dumpable says so. */
		(void)sys_prctl(PR_SET_DUMPABLE, 0, 0);
		for (int i = 0; i < req->gaps_len; i++)
			(void)sys_close_range(req->gaps[i].first, req->gaps[i].last, 0);
	} else {
		args.flags |= CLONE_PIDFD;
		args.pidfd = (uintptr_t)&req->pidfd;
	}
	if (req->cgroup_fd >= 0) {
		args.flags |= CLONE_INTO_CGROUP;
		args.cgroup = (unsigned)req->cgroup_fd;
	}
	pid = sys_clone3(&args);
	if (pid == 0) {
		req->child(req->arg);
		_exit(1);
	}
	if (pid < 0)
		req->error = pid;
	else
		req->pid = pid;
	_exit(0);
}

int helper_run(struct helper_request *req)
{
	char *stack;
	pid_t pid;
	int r = 0;

	stack = mmap(NULL, STACK_SIZE, PROT_READ | PROT_WRITE,
		     MAP_PRIVATE | MAP_ANONYMOUS | MAP_STACK, -1, 0);
	if (stack == MAP_FAILED)
		return -errno;
	if (mprotect(stack, GUARD_SIZE, PROT_NONE) < 0) {
		r = -errno;
		munmap(stack, STACK_SIZE);
		return r;
	}
	req->pidfd = -1;
	req->error = 0;
	req->failed_flag = 0;
	/* CLONE_VFORK: we sleep until it has exited, so its use of our memory never overlaps ours. */
	pid = clone(helper_main, stack + STACK_SIZE,
		    CLONE_VM | CLONE_VFORK | (req->own_fds ? 0 : CLONE_FILES) | SIGCHLD, req);
	if (pid < 0)
		r = -errno;
	else
		sys_waitpid(pid, NULL, 0);
	munmap(stack, STACK_SIZE);
	return r;
}
