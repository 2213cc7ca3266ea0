// SPDX-License-Identifier: Apache-2.0
// One hook's process: see child.h.
#include "hooks/child.h"

#include "base/cleanup.h"
#include "fs/close_fds.h"
#include "hooks/program.h"
#include "sys/anon.h"
#include "sys/file.h"
#include "sys/process.h"

#include <errno.h>
#include <stdint.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

/* The child keeps its report fd and its program here, above the standard ones, and closes what is above. */
#define REPORT_FD  3
#define PROGRAM_FD 4

/* What a background process may have left in the pipe is read up to this; it could write forever. */
#define DRAIN_MAX (64 * 1024)

/* Puts the fds in place by way of numbers above 9, so that none is overwritten before it was moved. */
static int arrange_fds(const struct hook_child *c, int stderr_fd, int report)
{
	int fds[] = {c->stdin_fd, c->stdout_fd >= 0 ? c->stdout_fd : stderr_fd, stderr_fd, report,
		     c->program_fd};
	int r, n = c->program_fd >= 0 ? PROGRAM_FD + 1 : REPORT_FD + 1;

	for (int i = 0; i < n; i++) {
		fds[i] = sys_dup_cloexec(fds[i], 10);
		if (fds[i] < 0)
			return fds[i];
	}
	for (int i = 0; i < n; i++) {
		r = sys_dup3(fds[i], i, i >= REPORT_FD ? O_CLOEXEC : 0);
		if (r < 0)
			return r;
	}
	return close_fds((unsigned)n, ~0U);
}

static int execute(const struct hook_child *c)
{
	if (c->program_fd >= 0)
		return program_exec(PROGRAM_FD, (char *const *)c->argv, (char *const *)c->envp);
	execve(c->path, (char *const *)c->argv, (char *const *)c->envp);
	return -errno;
}

/* The new process. Reports an errno through REPORT when the program cannot be executed; the fd closes when it can. */
__attribute__((noreturn)) static void become_hook(const struct hook_child *c, int stderr_fd,
						  int report)
{
	int r, problem;

	sys_setsid();
	if (c->dies_with_us)
		(void)sys_prctl(PR_SET_PDEATHSIG, SIGKILL, 0);
	r = arrange_fds(c, stderr_fd, report);
	if (r == 0) {
		report = REPORT_FD;
		/* The bundle may be closed to us (a user namespace without its owner); a hook can live without it. */
		if (chdir(c->cwd) < 0 && chdir("/") < 0)
			r = -errno;
	}
	if (r == 0) {
		sys_reset_signals();
		r = execute(c);
	}
	problem = -r;
	while (write(report, &problem, sizeof(problem)) < 0 && errno == EINTR)
		;
	_exit(127);
}

static void keep_tail(struct hook_child *c, const char *data, size_t len)
{
	size_t keep;

	if (len >= HOOK_TAIL) {
		memcpy(c->tail, data + len - HOOK_TAIL, HOOK_TAIL);
		c->tail_len = HOOK_TAIL;
	} else {
		keep = c->tail_len < HOOK_TAIL - len ? c->tail_len : HOOK_TAIL - len;
		memmove(c->tail, c->tail + c->tail_len - keep, keep);
		memcpy(c->tail + keep, data, len);
		c->tail_len = keep + len;
	}
	c->tail[c->tail_len] = '\0';
}

/* Reads what is there, at most MAX bytes. Returns false at the end of file. */
static bool drain(struct hook_child *c, int fd, size_t max)
{
	char buf[4096];

	for (size_t done = 0; done < max;) {
		ssize_t n = read(fd, buf, sizeof(buf));

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return errno == EAGAIN;
		if (n == 0)
			return false;
		keep_tail(c, buf, (size_t)n);
		done += (size_t)n;
	}
	return true;
}

/* Not reaped yet, hence the number is still its own, and its group's. */
static void kill_group(pid_t pid)
{
	kill(-pid, SIGKILL);
	kill(pid, SIGKILL);
}

/* Waits until the process is over, its output read meanwhile so that it cannot block on a full pipe. */
static int watch(struct hook_child *c, int pidfd, int output, const struct deadline *d)
{
	struct pollfd p[2] = {{.fd = pidfd, .events = POLLIN}, {.fd = output, .events = POLLIN}};

	while (!p[0].revents) {
		int r = deadline_poll(d, p, 2);

		if (r < 0)
			return r;
		if (p[1].fd >= 0 && p[1].revents && !drain(c, output, DRAIN_MAX))
			p[1].fd = FD_NONE;
		/* Somebody who writes without end is always ready. */
		r = p[0].revents ? 0 : deadline_check(d);
		if (r < 0)
			return r;
	}
	if (p[1].fd >= 0)
		drain(c, output, DRAIN_MAX);
	return 0;
}

/* The other end is closed by the execve, or sends why there was none: a program may lie where nobody answers, too. */
static int read_report(struct hook_child *c, int report, const struct deadline *d)
{
	int r = deadline_wait_in(d, report);
	ssize_t n;

	if (r < 0)
		return r;
	do
		n = read(report, &c->exec_errno, sizeof(c->exec_errno));
	while (n < 0 && errno == EINTR);
	if (n != (ssize_t)sizeof(c->exec_errno))
		c->exec_errno = 0;
	return 0;
}

static pid_t start(const struct hook_child *c, int stderr_fd, int *pidfd, int *ret_report)
{
	_cleanup_close_ int report_rd = FD_NONE, report_wr = FD_NONE;
	struct sys_clone_args args = {
		.flags = CLONE_PIDFD,
		.pidfd = (uintptr_t)pidfd,
		.exit_signal = SIGCHLD,
	};
	int fds[2], r;
	pid_t pid;

	r = sys_pipe(fds, 0);
	if (r < 0)
		return r;
	report_rd = fds[0];
	report_wr = fds[1];
	pid = sys_clone3(&args);
	if (pid == 0)
		become_hook(c, stderr_fd, report_wr);
	if (pid > 0)
		*ret_report = take_fd(&report_rd);
	return pid;
}

/* Kills what takes too long. Returns 0 when there is an end to be fetched. */
static int await_end(struct hook_child *c, pid_t pid, int pidfd, int output, int report)
{
	int64_t own = c->timeout > 0 ? (int64_t)c->timeout * 1000 : DEADLINE_NEVER;
	struct deadline d = deadline_within(c->deadline, own);
	struct deadline death;
	int r = read_report(c, report, &d);

	if (r == 0)
		r = watch(c, pidfd, output, &d);
	if (r == 0)
		return 0;
	kill_group(pid);
	if (r == -ETIMEDOUT && deadline_left(c->deadline) != 0)
		c->timed_out = true;
	else if (r == -ETIMEDOUT || r == -ECANCELED)
		c->gave_up = r;
	else
		return r;
	death = deadline_in(DEADLINE_PROCESS_MS);
	return watch(c, pidfd, output, &death);
}

static int run(struct hook_child *c, struct crun_error *err)
{
	_cleanup_close_ int pipe_rd = FD_NONE, pipe_wr = FD_NONE, pidfd = FD_NONE, report = FD_NONE;
	int fds[2], r;
	pid_t pid;

	if (c->stderr_fd < 0) {
		r = sys_pipe(fds, O_NONBLOCK);
		if (r < 0)
			return err_sys(err, r, "make a pipe for hook `%s`", c->path);
		pipe_rd = fds[0];
		pipe_wr = fds[1];
		/* Only our end: a program does not expect its stderr to refuse a write. */
		fcntl(pipe_wr, F_SETFL, 0);
	}
	pid = start(c, c->stderr_fd >= 0 ? c->stderr_fd : pipe_wr, &pidfd, &report);
	if (pid < 0)
		return err_sys(err, pid, "start a process for hook `%s`", c->path);
	close_fd(&pipe_wr);
	r = await_end(c, pid, pidfd, pipe_rd, report);
	if (r == -ETIMEDOUT)
		return err_set(err, CODE_HOOK_TIMEOUT, ETIMEDOUT,
			       "hook `%s` (process %d) does not end %d seconds after SIGKILL",
			       c->path, (int)pid, DEADLINE_PROCESS_MS / 1000);
	if (r < 0)
		err_sys(err, r, "watch hook `%s`", c->path);
	pid = sys_waitpid(pid, &c->status, 0);
	if (r < 0)
		return r;
	return pid < 0 ? err_sys(err, pid, "wait for hook `%s`", c->path) : 0;
}

int hook_child_run(struct hook_child *c, struct crun_error *err)
{
	struct sigaction dfl = {.sa_handler = SIG_DFL}, saved;
	int r;

	c->timed_out = false;
	c->gave_up = 0;
	c->exec_errno = c->status = 0;
	c->tail_len = 0;
	c->tail[0] = '\0';
	/* A caller that ignores SIGCHLD would have the kernel throw the exit status away. */
	sigaction(SIGCHLD, &dfl, &saved);
	r = run(c, err);
	sigaction(SIGCHLD, &saved, NULL);
	return r;
}

const char *hook_child_last_line(const struct hook_child *c, char *buf, size_t size)
{
	size_t end = c->tail_len, start, len;

	while (end > 0 && strchr(" \t\r\n", c->tail[end - 1]))
		end--;
	for (start = end; start > 0 && c->tail[start - 1] != '\n';)
		start--;
	len = end - start < size - 1 ? end - start : size - 1;
	memcpy(buf, c->tail + start, len);
	buf[len] = '\0';
	return buf;
}
