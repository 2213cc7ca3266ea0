// SPDX-License-Identifier: Apache-2.0
// A write that the kernel may take long over: see writer.h.
#include "spawn/writer.h"

#include "base/cleanup.h"
#include "sys/file.h"
#include "sys/pidfd.h"
#include "sys/process.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

/* How long the kernel may take to notice that the writer is dead; it looks between two rounds of its work. */
#define DEATH_MS 2000

static void __attribute__((noreturn)) writer(int fd, const char *value, pid_t parent)
{
	int r = sys_prctl(PR_SET_PDEATHSIG, SIGKILL, 0);

	/* When it cannot be ended it is left behind: then it must hold no lock, and nobody's pipe open. */
	if (r >= 0 && dup2(fd, 0) < 0)
		r = -errno;
	if (r >= 0)
		r = sys_close_range(1, ~0U, 0);
	if (r == -ENOSYS)
		r = 0; /* before 5.9 only what it holds then is in the way, and only if it hangs */
	if (r >= 0 && getppid() == parent && write(0, value, strlen(value)) < 0)
		r = -errno;
	_exit(r < 0 ? -r : 0);
}

/* What the exit status says; a signal is somebody else's SIGKILL. */
static int result(pid_t pid)
{
	int status, r = sys_waitpid(pid, &status, 0);

	if (r < 0)
		return r;
	return WIFEXITED(status) ? -WEXITSTATUS(status) : -EINTR;
}

int spawn_write_at(int dir_fd, const char *file, const char *value, const struct deadline *deadline)
{
	_cleanup_close_ int fd = sys_openat(dir_fd, file, O_WRONLY, 0);
	_cleanup_close_ int pidfd = FD_NONE;
	struct deadline death;
	pid_t pid, self = getpid();
	int r;

	if (fd < 0)
		return fd;
	pid = fork();
	if (pid < 0)
		return -errno;
	if (pid == 0)
		writer(fd, value, self);
	pidfd = sys_pidfd_open(pid);
	r = pidfd < 0 ? pidfd : sys_pidfd_wait(deadline, pidfd);
	if (r >= 0)
		return result(pid);
	(void)kill(pid, SIGKILL);
	death = deadline_in(DEATH_MS);
	if (pidfd >= 0)
		(void)sys_pidfd_wait(&death, pidfd);
	(void)sys_waitpid(pid, NULL, pidfd < 0 ? 0 : WNOHANG);
	return r;
}
