// SPDX-License-Identifier: Apache-2.0
// Processes and namespaces: see process.h.
#include "sys/process.h"

#include "sys/ret.h"

#include <linux/nsfs.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

/* clone(2), as far as it can say the same: CLONE_PIDFD (5.2) in the place of parent_tid, the exit signal in the lowest byte of the flags. */
static pid_t clone_by_old_call(const struct sys_clone_args *args)
{
	unsigned long flags = (unsigned long)(args->flags | args->exit_signal);
	int *pidfd = (int *)(uintptr_t)args->pidfd;

	if (args->flags > UINT32_MAX || (args->flags & CSIGNAL))
		return -ENOSYS;
#ifdef __s390__
	return SYS_RET((int)syscall(SYS_clone, 0, flags, pidfd, NULL, 0));
#else
	return SYS_RET((int)syscall(SYS_clone, flags, 0, pidfd, NULL, 0));
#endif
}

pid_t sys_clone3(struct sys_clone_args *args)
{
	pid_t r = SYS_RET_NEW((int)syscall(SYS_clone3, args, sizeof(*args)),
			      syscall(SYS_clone3, NULL, 0));

	return r == -ENOSYS ? clone_by_old_call(args) : r;
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

int sys_child_stopped(pid_t pid)
{
	siginfo_t info = {.si_pid = 0};
	int r;

	SYS_RETRY(r, waitid(P_PID, (id_t)pid, &info, WSTOPPED | WNOHANG | __WALL));
	return r < 0 ? r : info.si_pid == pid;
}

int sys_child_killed(pid_t pid)
{
	siginfo_t info = {.si_pid = 0};
	int r;

	SYS_RETRY(r, waitid(P_PID, (id_t)pid, &info, WEXITED | WNOWAIT | WNOHANG | __WALL));
	if (r < 0 || info.si_pid != pid)
		return r;
	return info.si_code == CLD_KILLED || info.si_code == CLD_DUMPED ? info.si_status : 0;
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
