// SPDX-License-Identifier: Apache-2.0
// Handles of processes: see pidfd.h.
#include "sys/pidfd.h"

#include "base/cleanup.h"
#include "base/str.h"
#include "sys/file.h"
#include "sys/io.h"
#include "sys/ret.h"

#include <errno.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <unistd.h>

/* A stand-in is looked at this often. */
#define LOOK_MS 10

/* In PID/stat, counted from the state, which follows the name in parentheses (proc_pid_stat(5)). */
#define STAT_THREADS 17

/* What this process found out: then a handle may be a stand-in. */
static bool may_be_stand_in;

static bool is_stand_in(int fd)
{
	struct statfs fs;

	return may_be_stand_in && sys_fstatfs(fd, &fs) == 0 && fs.f_type == PROC_SUPER_MAGIC_;
}

static int open_stand_in(pid_t pid)
{
	char path[32];
	int fd;

	may_be_stand_in = true;
	if (pid <= 0)
		return -EINVAL;
	snprintf(path, sizeof(path), "/proc/%d", (int)pid);
	/* Not O_PATH: pidfd_send_signal(2) takes an opened directory. */
	fd = sys_openat(AT_FDCWD, path, O_RDONLY | O_DIRECTORY, 0);
	return fd == -ENOENT ? -ESRCH : fd;
}

int sys_pidfd_open(pid_t pid)
{
	int fd =
		SYS_RET_NEW((int)syscall(SYS_pidfd_open, pid, 0), syscall(SYS_pidfd_open, -1, ~0U));

	return fd == -ENOSYS ? open_stand_in(pid) : fd;
}

/* The pid of a stand-in's process if it is alive, else -ESRCH. */
static pid_t pid_of_stand_in(int fd)
{
	char text[2048], *rest, *word;
	uint64_t pid, threads = 0;
	bool ended;
	int r = io_read_file_at(fd, "stat", text, sizeof(text));

	if (r < 0)
		return r == -ENOENT ? -ESRCH : r;
	rest = strrchr(text, ')');
	if (!rest || rest[1] != ' ' || !rest[2])
		return -EIO;
	rest += 2;
	/* The letter is the main thread's; others may live on after it. */
	ended = *rest == 'Z' || *rest == 'X' || *rest == 'x';
	for (int i = 0; (word = strsep(&rest, " ")) != NULL; i++) {
		if (i == STAT_THREADS)
			(void)str_to_u64(word, UINT32_MAX, &threads);
	}
	if (ended && threads <= 1)
		return -ESRCH;
	rest = text;
	word = strsep(&rest, " ");
	r = str_to_u64(word, INT32_MAX, &pid);
	return r < 0 ? r : (pid_t)pid;
}

/* "Pid:" of a real one: -1 once the process is reaped. */
static pid_t pid_of_pidfd(int fd)
{
	char path[48], text[1024], *pid;
	uint64_t n;
	int r;

	snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", fd);
	r = io_read_file_at(AT_FDCWD, path, text, sizeof(text));
	if (r < 0)
		return r;
	pid = strstr(text, "\nPid:\t");
	if (!pid)
		return -EBADF;
	pid += strlen("\nPid:\t");
	pid[strcspn(pid, "\n")] = '\0';
	return str_to_u64(pid, INT32_MAX, &n) < 0 || n == 0 ? -ESRCH : (pid_t)n;
}

int sys_pidfd_send_signal(int pidfd, int sig)
{
	int r = SYS_RET_NEW((int)syscall(SYS_pidfd_send_signal, pidfd, sig, NULL, 0),
			    syscall(SYS_pidfd_send_signal, -1, 0, NULL, ~0U));
	pid_t pid;

	if (r != -ENOSYS)
		return r;
	pid = is_stand_in(pidfd) ? pid_of_stand_in(pidfd) : pid_of_pidfd(pidfd);
	return pid < 0 ? pid : SYS_RET(kill(pid, sig));
}

int sys_pidfd_wait(const struct deadline *d, int pidfd)
{
	if (!is_stand_in(pidfd))
		return deadline_wait_in(d, pidfd);
	for (;;) {
		pid_t pid = pid_of_stand_in(pidfd);
		int r = pid < 0 ? pid : deadline_pause(d, LOOK_MS);

		/* Not to be able to look (no descriptor is left, say) is not its end: what it uses would be taken from it. */
		if (r < 0)
			return r == -ESRCH ? 0 : r;
	}
}

bool sys_pidfd_has_ended(int pidfd)
{
	struct deadline now = deadline_in(0);

	return sys_pidfd_wait(&now, pidfd) == 0;
}

int sys_pidfd_poll(const struct deadline *d, struct pollfd *fds, unsigned n)
{
	int r, pidfd = fds[0].fd;

	if (pidfd < 0 || !is_stand_in(pidfd))
		return deadline_poll(d, fds, n);
	fds[0].fd = FD_NONE; /* poll(2) skips it */
	do {
		struct deadline look = deadline_within(d, LOOK_MS);

		r = deadline_poll(&look, fds, n);
		if (pid_of_stand_in(pidfd) < 0) {
			fds[0].revents = POLLIN;
			r = r > 0 ? r + 1 : 1;
		}
	} while (r == -ETIMEDOUT && deadline_check(d) == 0);
	fds[0].fd = pidfd;
	return r;
}
