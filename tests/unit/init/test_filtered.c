// SPDX-License-Identifier: Apache-2.0
// The payload's thread: it alone is under the filter, and becomes the process when it executes the payload.
#include "init/last/filtered.h"

#include "base/cleanup.h"
#include "sys/seccomp.h"
#include "sys/wall.h"

#include "../test.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <signal.h>
#include <stddef.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>

static struct crun_error err;
static struct seccomp_area area;

/* ACTION for the system call NR, everything else is allowed. */
static void make_filter(int nr, uint32_t action)
{
	const struct sock_filter insns[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)nr, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, action),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};

	memcpy(area.insns, insns, sizeof(insns));
	area.len = ARRAY_LEN(insns);
	area.flags = 0;
	area.listener = 1;
}

/* In a child: starts the thread, checks that we are not under its filter, executes PATH. The child's exit status, or -SIGNAL. */
static int run(const char *path, int (*before)(int fd))
{
	static const char *const argv[] = {"sh", "-c", "exit 42", NULL};
	static const char *envp[] = {NULL};
	struct launch_plan plan = {.process = {.argv = argv, .envp = envp}};
	struct last last = {.plan = &plan, .seccomp = &area, .exec_path = path};
	struct filtered *f;
	int status, fd, r;
	pid_t pid;

	fflush(stdout);
	pid = fork();
	if (pid == 0) {
		if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
			_exit(99);
		fd = filtered_start(&last, &f, &err);
		if (fd < 0)
			_exit(err.errnum == EINVAL && strstr(err.text, "seccomp") ? 98 : 97);
		r = before ? before(fd) : 0;
		if (r)
			_exit(r);
		r = filtered_execve(f, &last, &err);
		_exit(r == ENOENT ? 50 : r == EXDEV ? 51 : r == -EPIPE && err.errnum ? 52 : 53);
	}
	if (waitpid(pid, &status, 0) != pid)
		return -1000;
	return WIFSIGNALED(status) ? -WTERMSIG(status) : WEXITSTATUS(status);
}

static int we_are_free(int fd)
{
	if (fd < 3 || fcntl(fd, F_GETFD) != FD_CLOEXEC)
		return 90;
	/* Under the filter it would be -77. */
	return syscall(SYS_getppid) > 0 ? 0 : 91;
}

TEST(the_thread_becomes_the_process)
{
	make_filter(SYS_getppid, SECCOMP_RET_ERRNO | 77);
	CHECK_INT(run("/bin/sh", we_are_free), 42);
}

TEST(what_execve_says_is_told)
{
	make_filter(SYS_getppid, SECCOMP_RET_ERRNO | 77);
	CHECK_INT(run("/no/such/file", NULL), 50);
	make_filter(SYS_execve, SECCOMP_RET_ERRNO | EXDEV);
	CHECK_INT(run("/bin/sh", NULL), 51);
}

TEST(a_killed_thread_is_noticed)
{
	make_filter(SYS_execve, SECCOMP_RET_KILL_THREAD);
	CHECK_INT(run("/bin/sh", NULL), 52);
	make_filter(SYS_execve, SECCOMP_RET_KILL_PROCESS);
	CHECK_INT(run("/bin/sh", NULL), -SIGSYS);
}

TEST(it_does_without_futex)
{
	struct wall wall;
	bool walled = sys_wall_make(&wall) == 0;

	sys_wall_done(&wall);
	make_filter(SYS_futex, SECCOMP_RET_ERRNO | EPERM);
	/* Without userfaultfd(2) it says so instead of turning in circles. */
	CHECK_INT(run("/bin/sh", we_are_free), walled ? 42 : 53);
	make_filter(SYS_futex, SECCOMP_RET_KILL_THREAD);
	CHECK_INT(run("/bin/sh", NULL), walled ? 42 : 52);
}

TEST(a_filter_that_the_kernel_refuses)
{
	make_filter(SYS_getppid, SECCOMP_RET_ERRNO | 77);
	area.len = 3;
	area.insns[2] = 0;
	CHECK_INT(run("/bin/sh", NULL), 98);
}

TEST_MAIN()
