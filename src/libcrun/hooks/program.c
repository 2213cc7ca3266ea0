// SPDX-License-Identifier: Apache-2.0
// Programs of the host, opened early and executed by their descriptor: see program.h.
#include "hooks/program.h"

#include "base/cleanup.h"
#include "sys/file.h"
#include "sys/process.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

int program_open(const char *dirs, const char *name, struct host_program *ret)
{
	int why = -ENOENT;

	ret->fd = FD_NONE;
	for (const char *dir = dirs; *dir; dir += strcspn(dir, " ")) {
		int n;

		dir += *dir == ' ';
		n = snprintf(ret->path, sizeof(ret->path), "%.*s/%s", (int)strcspn(dir, " "), dir,
			     name);
		if (n < 0 || (size_t)n >= sizeof(ret->path))
			return -ENAMETOOLONG;
		if (faccessat(AT_FDCWD, ret->path, X_OK, 0) != 0) {
			why = errno == ENOENT ? why : -errno;
			continue;
		}
		ret->fd = sys_openat(AT_FDCWD, ret->path, O_PATH, 0);
		return ret->fd < 0 ? ret->fd : 0;
	}
	return why;
}

void program_close(struct host_program *p)
{
	close_fd(&p->fd);
}

int program_exec(int fd, char *const argv[], char *const envp[])
{
	int r = sys_execveat(fd, "", argv, envp, AT_EMPTY_PATH);
	char link[32];

	/* A script: what its interpreter is given to open is /dev/fd/N, which close-on-exec would have closed. Or its interpreter is missing. */
	if (r != -ENOENT)
		return r;
	snprintf(link, sizeof(link), "/dev/fd/%d", fd);
	if (faccessat(AT_FDCWD, link, F_OK, 0) != 0 || fcntl(fd, F_SETFD, 0) < 0)
		return r;
	return sys_execveat(fd, "", argv, envp, AT_EMPTY_PATH);
}

/* The new process, in the memory of ours: it changes nothing there but *ret_errno. */
__attribute__((noreturn)) static void become(const struct host_program *p, char *const argv[],
					     char *const envp[], int stderr_fd,
					     volatile int *ret_errno)
{
	int r;

	sys_reset_signals();
	r = sys_dup3(stderr_fd, STDERR_FILENO, 0);
	if (r >= 0)
		r = program_exec(p->fd, argv, envp);
	*ret_errno = r;
	_exit(127);
}

int program_start(const struct host_program *p, char *const argv[], char *const envp[],
		  int stderr_fd)
{
	/* The child writes it. */
	volatile int problem = 0;
	sigset_t all, saved;
	pid_t pid;

	sigfillset(&all);
	/* No handler of ours may run in the child: it would write to our memory. */
	sigprocmask(SIG_SETMASK, &all, &saved);
	/* Two helpers are started for each container that has ranges of ids: a fork would copy our page tables for nothing. */
	pid = vfork();
	if (pid == 0)
		become(p, argv, envp, stderr_fd, &problem);
	if (pid < 0)
		problem = -errno;
	sigprocmask(SIG_SETMASK, &saved, NULL);
	if (pid > 0 && problem)
		(void)sys_waitpid(pid, NULL, 0);
	return problem ? problem : pid;
}
