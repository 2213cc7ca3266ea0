/* SPDX-License-Identifier: Apache-2.0 */
/* Which descriptors stay open in init. */
#pragma once

#include <stddef.h>

struct fd_set_list {
	int *fds; /* malloc'd, unsorted */
	size_t len, cap;
	int error; /* -ENOMEM once an append failed */
};

/* Adds FD to those that stay; a negative one is ignored. */
void fds_keep(struct fd_set_list *list, int fd);

/*
 * Closes every descriptor from FIRST on that is not in LIST; what is below FIRST stays. Returns 0 or -errno. Without close_range(2)
 * (before 5.9) it walks the numbers up to the soft RLIMIT_NOFILE.
 */
int fds_close_others(struct fd_set_list *list, unsigned first);

/*
 * Closes the close-on-exec descriptors from FIRST up to, but without, END that are not in LIST. What a caller passed to us came
 * through an execve, so it is none of these: they are our own, in numbers that the caller promised and did not use.
 */
void fds_close_own(const struct fd_set_list *list, unsigned first, unsigned end);

void fds_done(struct fd_set_list *list);
