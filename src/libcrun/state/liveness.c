// SPDX-License-Identifier: Apache-2.0
// Whether a recorded process is still the same one: see liveness.h.
#include "state/liveness.h"

#include "base/cleanup.h"
#include "base/str.h"
#include "sys/file.h"
#include "sys/io.h"
#include "sys/pidfd.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>

/* In /proc/PID/stat, counted from 1; the second one, the command's name, ends at the last ')'. */
#define STAT_STATE	3
#define STAT_FLAGS	9
#define STAT_START_TIME 22

/* include/linux/sched.h of the kernel: forked, but no execve(2) since. */
#define PF_FORKNOEXEC_ 0x40

struct stat_facts {
	uint64_t start_time;
	bool dead, executed;
};

static int parse_stat(char *text, struct stat_facts *ret)
{
	char *rest = strrchr(text, ')');
	uint64_t flags;
	char *word;
	int r;

	if (!rest || rest[1] != ' ')
		return -EIO;
	rest += 2;
	/* Zombie; dead (two spellings in history). */
	ret->dead = *rest == 'Z' || *rest == 'X' || *rest == 'x';
	for (int field = STAT_STATE; (word = strsep(&rest, " ")) != NULL; field++) {
		if (field == STAT_FLAGS) {
			r = str_to_u64(word, UINT64_MAX, &flags);
			if (r < 0)
				return r;
			ret->executed = !(flags & PF_FORKNOEXEC_);
		}
		if (field == STAT_START_TIME)
			return str_to_u64(word, UINT64_MAX, &ret->start_time);
	}
	return -EIO;
}

static int read_stat(pid_t pid, struct stat_facts *ret)
{
	char path[64];
	char text[2048];
	_cleanup_close_ int fd = FD_NONE;
	ssize_t n;

	if (pid <= 0)
		return -ESRCH;
	snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
	fd = sys_openat(AT_FDCWD, path, O_RDONLY, 0);
	if (fd < 0)
		return fd == -ENOENT ? -ESRCH : fd;
	/* The kernel gives it whole in one read. */
	n = io_read_start(fd, text, sizeof(text) - 1);
	if (n < 0)
		return (int)n;
	text[n] = '\0';
	return parse_stat(text, ret);
}

int process_start_time(pid_t pid, uint64_t *ret, bool *ret_dead)
{
	struct stat_facts facts;
	int r = read_stat(pid, &facts);

	if (r < 0)
		return r;
	*ret = facts.start_time;
	*ret_dead = facts.dead;
	return 0;
}

/* /proc may be mounted with hidepid, which hides from an ordinary user what is closed to ptrace, as init is up to its execve: it is no less alive. */
static bool is_hidden(int pidfd)
{
	return sys_pidfd_send_signal(pidfd, 0) == 0 && !sys_pidfd_has_ended(pidfd);
}

int process_open(pid_t pid, uint64_t start_time, bool *ret_executed)
{
	_cleanup_close_ int fd = FD_NONE;
	const struct deadline over = deadline_in(0);
	struct stat_facts facts;
	int r;

	if (pid <= 0)
		return -ESRCH;
	fd = sys_pidfd_open(pid);
	/* The number is now the id of a mere thread: EINVAL, ENOENT on newer kernels. */
	if (fd == -EINVAL || fd == -ENOENT)
		return -ESRCH;
	if (fd < 0)
		return fd;
	r = read_stat(pid, &facts);
	if (r == -ESRCH && is_hidden(fd))
		return -EACCES;
	if (r < 0)
		return r;
	if (facts.start_time != start_time)
		return -ESRCH;
	if (ret_executed)
		*ret_executed = facts.executed;
	/*
	 * The state letter is the main thread's; others may live on after it ended. A pidfd is readable once the whole process
	 * is dead, waited for or not.
	 */
	r = sys_pidfd_wait(&over, fd);
	if (r == 0)
		return -ESRCH;
	return r == -ETIMEDOUT ? take_fd(&fd) : r;
}
