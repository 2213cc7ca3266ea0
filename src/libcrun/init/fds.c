// SPDX-License-Identifier: Apache-2.0
// Which descriptors stay open in init: see fds.h.
#include "init/fds.h"

#include "fs/close_fds.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

void fds_keep(struct fd_set_list *list, int fd)
{
	if (fd < 0 || list->error)
		return;
	if (list->len == list->cap) {
		size_t cap = list->cap ? list->cap * 2 : 32;
		int *fds = realloc(list->fds, cap * sizeof(*fds));

		if (!fds) {
			list->error = -ENOMEM;
			return;
		}
		list->fds = fds;
		list->cap = cap;
	}
	list->fds[list->len++] = fd;
}

static int compare(const void *a, const void *b)
{
	int x = *(const int *)a, y = *(const int *)b;

	return (x > y) - (x < y);
}

int fds_close_others(struct fd_set_list *list, unsigned first)
{
	int r;

	if (list->error)
		return list->error;
	if (list->len)
		qsort(list->fds, list->len, sizeof(*list->fds), compare);
	for (size_t i = 0; i < list->len; i++) {
		unsigned fd = (unsigned)list->fds[i];

		if (fd < first)
			continue;
		if (fd > first) {
			r = close_fds(first, fd - 1);
			if (r < 0)
				return r;
		}
		first = fd + 1;
	}
	return close_fds(first, UINT_MAX);
}

static bool is_kept(const struct fd_set_list *list, int fd)
{
	for (size_t i = 0; i < list->len; i++) {
		if (list->fds[i] == fd)
			return true;
	}
	return false;
}

void fds_close_own(const struct fd_set_list *list, unsigned first, unsigned end)
{
	struct rlimit limit = {.rlim_max = 1024};

	if (first >= end)
		return;
	/* No number is above the limit, however many the caller has promised. */
	if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && end > limit.rlim_max)
		end = (unsigned)limit.rlim_max;
	for (unsigned fd = first; fd < end; fd++) {
		int flags = fcntl((int)fd, F_GETFD);

		if (flags >= 0 && (flags & FD_CLOEXEC) && !is_kept(list, (int)fd))
			close((int)fd);
	}
}

void fds_done(struct fd_set_list *list)
{
	free(list->fds);
	memset(list, 0, sizeof(*list));
}
