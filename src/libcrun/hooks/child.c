// SPDX-License-Identifier: Apache-2.0
// One hook's process: see child.h.
#include "hooks/child.h"

#include "base/cleanup.h"
#include "sys/anon.h"
#include "sys/file.h"
#include "sys/process.h"

#include <errno.h>
#include <poll.h>
#include <stdint.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

/* The child keeps its report fd here, above the standard ones, and closes what is above. */
#define REPORT_FD 3

/* What a background process may have left in the pipe is read up to this; it could write forever. */
#define DRAIN_MAX (64 * 1024)

static int64_t now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* Before 5.9, or where a seccomp policy that is loaded already forbids the call. */
static void close_one_by_one(unsigned first)
{
	struct rlimit lim = {.rlim_cur = 1024};

	getrlimit(RLIMIT_NOFILE, &lim);
	for (unsigned fd = first; fd < lim.rlim_cur; fd++)
		close((int)fd);
}

/* Puts the fds in place by way of numbers above 9, so that none is overwritten before it was moved. */
static int arrange_fds(const struct hook_child *c, int stderr_fd, int report)
{
	int fds[4] = {c->stdin_fd, c->stdout_fd >= 0 ? c->stdout_fd : stderr_fd, stderr_fd, report};
	int r;

	for (int i = 0; i < 4; i++) {
		fds[i] = sys_dup_cloexec(fds[i], 10);
		if (fds[i] < 0)
			return fds[i];
	}
	for (int i = 0; i < 4; i++) {
		r = sys_dup3(fds[i], i, i == REPORT_FD ? O_CLOEXEC : 0);
		if (r < 0)
			return r;
	}
	if (sys_close_range(REPORT_FD + 1, ~0U, 0) < 0)
		close_one_by_one(REPORT_FD + 1);
	return 0;
}

/* The new process. Reports an errno through REPORT when the program cannot be executed; the fd closes when it can. */
__attribute__((noreturn)) static void become_hook(const struct hook_child *c, int stderr_fd,
						  int report)
{
	int r, problem;

	sys_setsid();
	r = arrange_fds(c, stderr_fd, report);
	if (r == 0) {
		report = REPORT_FD;
		/* The bundle may be closed to us (a user namespace without its owner); a hook can live without it. */
		if (chdir(c->cwd) < 0 && chdir("/") < 0)
			r = -errno;
	}
	if (r == 0) {
		sys_reset_signals();
		execve(c->path, (char *const *)c->argv, (char *const *)c->envp);
		r = -errno;
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

/* Waits until the process is over, its output read meanwhile so that it cannot block on a full pipe. */
static int watch(struct hook_child *c, int pidfd, int output, pid_t pid)
{
	struct pollfd p[2] = {{.fd = pidfd, .events = POLLIN}, {.fd = output, .events = POLLIN}};
	int64_t deadline = c->timeout > 0 ? now_ms() + (int64_t)c->timeout * 1000 : -1;

	for (;;) {
		int64_t left = -1;

		if (deadline >= 0 && !c->timed_out) {
			left = deadline - now_ms();
			if (left <= 0) {
				/* Not reaped yet, hence the number is still its own, and its group's. */
				kill(-pid, SIGKILL);
				kill(pid, SIGKILL);
				c->timed_out = true;
				left = -1;
			}
		}
		if (poll(p, 2, left > 60000 ? 60000 : (int)left) < 0) {
			if (errno == EINTR)
				continue;
			return -errno;
		}
		if (p[1].fd >= 0 && p[1].revents && !drain(c, output, DRAIN_MAX))
			p[1].fd = FD_NONE;
		if (p[0].revents)
			break;
	}
	if (p[1].fd >= 0)
		drain(c, output, DRAIN_MAX);
	return 0;
}

static pid_t start(const struct hook_child *c, int stderr_fd, int *pidfd, int *exec_errno)
{
	_cleanup_close_ int report_rd = FD_NONE, report_wr = FD_NONE;
	struct sys_clone_args args = {
		.flags = CLONE_PIDFD,
		.pidfd = (uintptr_t)pidfd,
		.exit_signal = SIGCHLD,
	};
	int fds[2], r;
	ssize_t n;
	pid_t pid;

	r = sys_pipe(fds, 0);
	if (r < 0)
		return r;
	report_rd = fds[0];
	report_wr = fds[1];
	pid = sys_clone3(&args);
	if (pid < 0)
		return pid;
	if (pid == 0)
		become_hook(c, stderr_fd, report_wr);
	close_fd(&report_wr);
	do
		n = read(report_rd, exec_errno, sizeof(*exec_errno));
	while (n < 0 && errno == EINTR);
	if (n != (ssize_t)sizeof(*exec_errno))
		*exec_errno = 0;
	return pid;
}

static int run(struct hook_child *c, struct crun_error *err)
{
	_cleanup_close_ int pipe_rd = FD_NONE, pipe_wr = FD_NONE, pidfd = FD_NONE;
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
	pid = start(c, c->stderr_fd >= 0 ? c->stderr_fd : pipe_wr, &pidfd, &c->exec_errno);
	if (pid < 0)
		return err_sys(err, pid, "start a process for hook `%s`", c->path);
	close_fd(&pipe_wr);
	r = watch(c, pidfd, pipe_rd, pid);
	if (r < 0) {
		err_sys(err, r, "watch hook `%s`", c->path);
		kill(pid, SIGKILL);
	}
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
