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
#define STAT_START_TIME 22

static int parse_stat(char *text, uint64_t *ret, bool *ret_dead)
{
	char *rest = strrchr(text, ')');
	char *word;

	if (!rest || rest[1] != ' ')
		return -EIO;
	rest += 2;
	/* Zombie; dead (two spellings in history). */
	*ret_dead = *rest == 'Z' || *rest == 'X' || *rest == 'x';
	for (int field = STAT_STATE; (word = strsep(&rest, " ")) != NULL; field++) {
		if (field == STAT_START_TIME)
			return str_to_u64(word, UINT64_MAX, ret);
	}
	return -EIO;
}

int process_start_time(pid_t pid, uint64_t *ret, bool *ret_dead)
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
	return parse_stat(text, ret, ret_dead);
}

int process_open(pid_t pid, uint64_t start_time)
{
	_cleanup_close_ int fd = FD_NONE;
	const struct deadline over = deadline_in(0);
	uint64_t found;
	bool dead;
	int r;

	if (pid <= 0)
		return -ESRCH;
	fd = sys_pidfd_open(pid);
	/* The number is now the id of a mere thread: EINVAL, ENOENT on newer kernels. */
	if (fd == -EINVAL || fd == -ENOENT)
		return -ESRCH;
	if (fd < 0)
		return fd;
	r = process_start_time(pid, &found, &dead);
	if (r < 0)
		return r;
	if (found != start_time)
		return -ESRCH;
	/*
	 * The state letter is the main thread's; others may live on after it ended. A pidfd is readable once the whole process
	 * is dead, waited for or not.
	 */
	r = sys_pidfd_wait(&over, fd);
	if (r == 0)
		return -ESRCH;
	return r == -ETIMEDOUT ? take_fd(&fd) : r;
}
