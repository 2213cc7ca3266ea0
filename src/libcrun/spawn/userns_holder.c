// SPDX-License-Identifier: Apache-2.0
// The holder of a new user namespace: see userns_holder.h.
#include "spawn/userns_holder.h"

#include "base/cleanup.h"
#include "sys/process.h"

#include <fcntl.h>
#include <sched.h>
#include <signal.h>

static void __attribute__((noreturn)) hold(const int pipe_fds[2])
{
	char byte;

	close(pipe_fds[1]);
	while (read(pipe_fds[0], &byte, 1) < 0 && errno == EINTR)
		;
	_exit(0);
}

static int explain_clone(int r, struct crun_error *err)
{
	if (r == -ENOSPC || r == -EUSERS)
		return err_set(
			err, CODE_NAMESPACE_LIMIT, -r,
			"no more user namespaces: raise the sysctl user.max_user_namespaces");
	return err_sys(err, r, "make a user namespace for the id mapping");
}

int userns_holder_begin(struct userns_holder *ret, struct crun_error *err)
{
	struct sys_clone_args args = {.flags = CLONE_NEWUSER, .exit_signal = SIGCHLD};
	int pipe_fds[2];

	if (pipe2(pipe_fds, O_CLOEXEC) < 0)
		return err_sys(err, -errno, "make a pipe");
	ret->pid = sys_clone3(&args);
	if (ret->pid == 0)
		hold(pipe_fds);
	close_fd(&pipe_fds[0]);
	if (ret->pid < 0) {
		close_fd(&pipe_fds[1]);
		return explain_clone(ret->pid, err);
	}
	ret->pipe_fd = pipe_fds[1];
	return 0;
}

void userns_holder_end(struct userns_holder *holder)
{
	close_fd(&holder->pipe_fd);
	(void)sys_waitpid(holder->pid, NULL, 0);
}
