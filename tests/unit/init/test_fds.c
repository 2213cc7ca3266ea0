// SPDX-License-Identifier: Apache-2.0
// Which descriptors survive in init, tried out in children with descriptors at awkward numbers.
#include "init/fds.h"

#include "base/cleanup.h"
#include "sys/file.h"

#include "../test.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <sys/resource.h>
#include <sys/wait.h>

#define HIGHEST 200

static bool is_open(int fd)
{
	return fcntl(fd, F_GETFD) >= 0;
}

/* Opens 0...HIGHEST-1, keeps KEEP, closes from FIRST on; exit status 0 when exactly the right ones are open. */
static int try(const int *keep, size_t n, unsigned first)
{
	struct fd_set_list list = {0};

	for (int fd = 0; fd < HIGHEST; fd++) {
		if (!is_open(fd) && dup2(0, fd) < 0)
			return 2;
	}
	for (size_t i = 0; i < n; i++)
		fds_keep(&list, keep[i]);
	if (fds_close_others(&list, first) != 0)
		return 3;
	for (int fd = 0; fd < HIGHEST; fd++) {
		bool kept = (unsigned)fd < first;

		for (size_t i = 0; i < n; i++)
			kept = kept || keep[i] == fd;
		if (is_open(fd) != kept)
			return 4;
	}
	fds_done(&list);
	return list.fds || list.len ? 5 : 0;
}

static int in_child(const int *keep, size_t n, unsigned first)
{
	pid_t pid = fork();
	int status = 0;

	if (pid == 0)
		_exit(try(keep, n, first));
	waitpid(pid, &status, 0);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

TEST(nothing_to_keep)
{
	CHECK_INT(in_child(NULL, 0, 3), 0);
	CHECK_INT(in_child(NULL, 0, 0), 0);
	CHECK_INT(in_child(NULL, 0, HIGHEST), 0);
}

TEST(kept_at_every_place)
{
	CHECK_INT(in_child((int[]){3}, 1, 3), 0);
	CHECK_INT(in_child((int[]){HIGHEST - 1}, 1, 3), 0);
	CHECK_INT(in_child((int[]){3, 4, 5}, 3, 3), 0);
	CHECK_INT(in_child((int[]){100, 5, 50, 4}, 4, 3), 0);
	CHECK_INT(in_child((int[]){0, 1, 2}, 3, 0), 0);
}

TEST(below_the_first_and_twice_and_negative)
{
	CHECK_INT(in_child((int[]){1, 2, 7}, 3, 6), 0);
	CHECK_INT(in_child((int[]){9, 9, 9, 12}, 4, 3), 0);
	CHECK_INT(in_child((int[]){-1, FD_NONE, -EBADF, 20}, 4, 3), 0);
}

TEST(numbers_that_are_not_open)
{
	CHECK_INT(in_child((int[]){HIGHEST + 50, 5}, 2, 3), 0);
	CHECK_INT(in_child((int[]){INT32_MAX}, 1, 3), 0);
}

TEST(many)
{
	int keep[HIGHEST / 2];

	for (int i = 0; i < HIGHEST / 2; i++)
		keep[i] = HIGHEST - 1 - 2 * i;
	CHECK_INT(in_child(keep, HIGHEST / 2, 3), 0);
}

TEST(the_list_is_empty_after_an_early_end)
{
	struct fd_set_list list = {0};

	fds_keep(&list, -1);
	CHECK_INT(list.len, 0);
	fds_done(&list);
	list.error = -ENOMEM;
	CHECK_INT(fds_close_others(&list, 3), -ENOMEM);
	CHECK(is_open(1));
}

TEST_MAIN()
