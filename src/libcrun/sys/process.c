// SPDX-License-Identifier: Apache-2.0
// Processes, pidfds, namespaces: see process.h.
#include "sys/process.h"

#include "sys/ret.h"

#include <linux/nsfs.h>
#include <poll.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

pid_t sys_clone3(struct sys_clone_args *args)
{
	long r = syscall(SYS_clone3, args, sizeof(*args));

	return r < 0 ? -errno : (pid_t)r;
}

int sys_pidfd_open(pid_t pid)
{
	return SYS_RET((int)syscall(SYS_pidfd_open, pid, 0));
}

int sys_pidfd_send_signal(int pidfd, int sig)
{
	return SYS_RET((int)syscall(SYS_pidfd_send_signal, pidfd, sig, NULL, 0));
}

int sys_setns(int fd, int nstype)
{
	return SYS_RET(setns(fd, nstype));
}

int sys_unshare(int flags)
{
	return SYS_RET(unshare(flags));
}

int sys_ns_type(int fd)
{
	return SYS_RET(ioctl(fd, NS_GET_NSTYPE));
}

pid_t sys_waitpid(pid_t pid, int *status, int flags)
{
	pid_t r;

	SYS_RETRY(r, waitpid(pid, status, flags));
	return r;
}

int sys_prctl(int option, unsigned long arg2, unsigned long arg3)
{
	return SYS_RET(prctl(option, arg2, arg3, 0, 0));
}

int sys_setsid(void)
{
	return SYS_RET(setsid());
}

int sys_execveat(int fd, const char *path, char *const argv[], char *const envp[], int flags)
{
	return SYS_RET((int)syscall(SYS_execveat, fd, path, argv, envp, flags));
}

int sys_poll_in(int fd, int timeout_ms)
{
	struct pollfd p = {.fd = fd, .events = POLLIN};
	int r;

	SYS_RETRY(r, poll(&p, 1, timeout_ms));
	return r;
}

void sys_reset_signals(void)
{
	/*
	 * All zero is SIG_DFL in the kernel's struct sigaction of every architecture. The raw call, because libc refuses the two
	 * signals that it keeps for itself (32 and 33), which a caller may have left ignored all the same.
	 */
	static const unsigned long dfl[8];
	sigset_t none;

	for (int sig = 1; sig < _NSIG; sig++)
		(void)syscall(SYS_rt_sigaction, sig, dfl, NULL,
			      _NSIG / 8); /* SIGKILL and SIGSTOP fail */
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
}
