// SPDX-License-Identifier: Apache-2.0
// Which descriptors stay open in init: see fds.h.
#include "init/fds.h"

#include "sys/file.h"

#include <errno.h>
#include <limits.h>
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

static int close_span(unsigned first, unsigned last)
{
	struct rlimit limit;
	int r = sys_close_range(first, last, 0);

	if (r != -ENOSYS)
		return r;
	if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
		return -errno;
	for (unsigned fd = first; fd <= last && fd < limit.rlim_cur; fd++)
		close((int)fd);
	return 0;
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
			r = close_span(first, fd - 1);
			if (r < 0)
				return r;
		}
		first = fd + 1;
	}
	return close_span(first, UINT_MAX);
}

void fds_done(struct fd_set_list *list)
{
	free(list->fds);
	memset(list, 0, sizeof(*list));
}
