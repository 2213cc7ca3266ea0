// SPDX-License-Identifier: Apache-2.0
// The instant of birth: see spawn.h.
#include "spawn/spawn.h"

#include "base/cleanup.h"
#include "spawn/helper.h"
#include "sys/pidfd.h"
#include "sys/process.h"

#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <stdint.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

static const char *ns_name(int flag)
{
	for (int i = 0; i < NS_COUNT; i++) {
		if (ns_table[i].flag == flag)
			return ns_table[i].spec_name;
	}
	return "?";
}

static int explain_clone(const struct spawn_request *req, int r, struct crun_error *err)
{
	const struct birth *birth = req->birth;

	/* E2BIG: clone3 before 5.7 takes no arguments of that length. */
	if (req->cgroup_fd >= 0 && (r == -ENOSYS || r == -E2BIG))
		return err_set(err, CODE_KERNEL_TOO_OLD, ENOSYS,
			       "clone3 into a cgroup needs Linux 5.7: Function not implemented");
	if (req->cgroup_fd >= 0 && r == -EOPNOTSUPP)
		return err_set(
			err, CODE_CGROUP_BUSY, EOPNOTSUPP,
			"clone3 into a cgroup: it takes no process, because a cgroup above it "
			"is the root of a threaded subtree (cgroup.type); choose another "
			"linux.cgroupsPath");
	if (r == -ENOSPC && (birth->clone_flags & CLONE_NEWUSER))
		return err_set(
			err, CODE_NAMESPACE_LIMIT, ENOSPC,
			"no more user namespaces: raise the sysctl user.max_user_namespaces");
	if (r == -ENOSPC)
		return err_set(err, CODE_NAMESPACE_LIMIT, ENOSPC,
			       "no more namespaces: raise the sysctls user.max_*_namespaces");
	if (r == -EPERM && (birth->clone_flags & CLONE_NEWUSER))
		return err_set(
			err, CODE_USERNS_FORBIDDEN, EPERM,
			"creating a user namespace: operation not permitted (see the sysctls "
			"kernel.unprivileged_userns_clone and kernel.apparmor_restrict_unprivileged_userns)");
	if (r == -EINVAL)
		return err_set(err, CODE_KERNEL_TOO_OLD, EINVAL,
			       "clone3: this kernel lacks one of the namespaces asked for");
	return err_sys(err, r, "clone3");
}

static pid_t spawn_direct(const struct spawn_request *req, int *ret_pidfd, struct crun_error *err)
{
	int pidfd = FD_NONE;
	struct sys_clone_args args = {
		.flags = (unsigned)req->birth->clone_flags | CLONE_PIDFD,
		.pidfd = (uintptr_t)&pidfd,
		.exit_signal = SIGCHLD,
	};
	pid_t pid;

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
		return explain_clone(req, pid, err);
	/* Not before: a clone3 that fails late has written the number of an fd that it took back. */
	*ret_pidfd = pidfd;
	return pid;
}

/*
 * Whoever lives in a joined pid or user namespace sees init, which still holds the host's files, from its first instruction on; and in
 * its own user namespace it may ptrace everybody who is not closed to that (CVE-2016-9962). Init's copy of our memory inherits it.
 */
static int run_closed_to_ptrace(const struct birth *birth, struct helper_request *helper)
{
	int was, r;

	/* A new user namespace has nobody else in it, and its maps may have to be written by an ordinary user. */
	if (birth->clone_flags & CLONE_NEWUSER)
		return helper_run(helper);
	was = sys_prctl(PR_GET_DUMPABLE, 0, 0);
	r = sys_prctl(PR_SET_DUMPABLE, 0, 0);
	if (r < 0)
		return r;
	r = helper_run(helper);
	/* Ours again: the change of user namespace by the helper, which shares our memory, may have cleared it too. */
	if (was == 1)
		(void)sys_prctl(PR_SET_DUMPABLE, 1, 0);
	return r;
}

/* The lowest descriptor from NEXT on that is kept; UINT_MAX: there is none. clone3 takes the cgroup's, which the child closes at once. */
static unsigned next_kept(const struct spawn_request *req, unsigned next)
{
	unsigned kept = UINT_MAX;

	for (int i = -1; i < req->keep_len; i++) {
		int fd = i < 0 ? req->cgroup_fd : req->keep[i];

		if (fd >= 0 && (unsigned)fd >= next && (unsigned)fd < kept)
			kept = (unsigned)fd;
	}
	return kept;
}

/* What lies between the descriptors that are kept, from close_from on. */
static int find_gaps(const struct spawn_request *req, struct helper_request *helper)
{
	unsigned next = req->close_from;

	for (;;) {
		unsigned kept = next_kept(req, next);

		if (helper->gaps_len == HELPER_MAX_GAPS)
			return -E2BIG;
		if (kept > next)
			helper->gaps[helper->gaps_len++] =
				(struct helper_gap){next, kept == UINT_MAX ? UINT_MAX : kept - 1};
		if (kept == UINT_MAX)
			return 0;
		next = kept + 1;
	}
}

static void list_joins(const struct spawn_request *req, struct helper_request *helper)
{
	for (int i = 0; i < NS_COUNT; i++) {
		if (!(req->birth->join_before & (1U << i)))
			continue;
		if (i == NS_USER)
			helper->user_fd = req->ns_fds[i];
		else
			helper->joins[helper->joins_len++] =
				(struct helper_join){req->ns_fds[i], ns_table[i].flag};
	}
}

static int explain_join(const struct helper_request *helper, struct crun_error *err)
{
	if (helper->target_flags)
		return err_sys_code(err, CODE_NAMESPACE_JOIN, helper->error,
				    "join the container's namespaces");
	return err_sys_code(err, CODE_NAMESPACE_JOIN, helper->error, "join the %s namespace",
			    ns_name(helper->failed_flag));
}

static pid_t spawn_helped(const struct spawn_request *req, int *ret_pidfd, struct crun_error *err)
{
	struct helper_request helper = {
		.user_fd = FD_NONE,
		.clone_flags = req->birth->clone_flags,
		.cgroup_fd = req->cgroup_fd,
		.target_fd = req->target_fd,
		.target_flags = req->target_flags,
		.own_fds = req->close_from > 0,
		.child = req->child,
		.arg = req->arg,
	};
	int r;

	if (!req->target_flags)
		list_joins(req, &helper);
	r = req->close_from ? find_gaps(req, &helper) : 0;
	if (r == 0)
		r = run_closed_to_ptrace(req->birth, &helper);
	if (r < 0)
		return err_sys(err, r, "clone the namespace helper");
	if (helper.error < 0)
		return helper.failed_flag ? explain_join(&helper, err)
					  : explain_clone(req, helper.error, err);
	/* Killed before it had cloned: a signal to process 0 would be one to our own process group. */
	if (helper.pid <= 0)
		return err_set(err, CODE_INIT_DIED, ECHILD,
			       "clone the container's process: the helper that joins namespaces "
			       "for it was killed");
	if (helper.own_fds) {
		/* It is our child and not waited for: the number is its own. */
		helper.pidfd = sys_pidfd_open(helper.pid);
		if (helper.pidfd < 0) {
			kill(helper.pid, SIGKILL);
			sys_waitpid(helper.pid, NULL, __WALL);
			return err_sys(err, helper.pidfd, "open a pidfd of process %d",
				       (int)helper.pid);
		}
	}
	*ret_pidfd = helper.pidfd;
	return helper.pid;
}

pid_t spawn_init(const struct spawn_request *req, int *ret_pidfd, struct crun_error *err)
{
	if (req->birth->join_before || req->target_flags || req->close_from)
		return spawn_helped(req, ret_pidfd, err);
	return spawn_direct(req, ret_pidfd, err);
}
