/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A page that blocks whoever reads it until it is opened: userfaultfd(2). A thread can wait at it without a system call, hence also
 * under a seccomp filter that allows none.
 */
#pragma once

#include <stddef.h>

struct wall {
	const volatile char *page; /* NULL: there is none */
	size_t size;
	int fd; /* FD_NONE: open, or there is none */
};

/*
 * Needs no privilege since Linux 5.11. Returns 0 or a negative errno, such as -EINVAL before, -ENOSYS for a kernel without
 * CONFIG_USERFAULTFD or -EPERM; then *RET is empty.
 */
int sys_wall_make(struct wall *ret);

/* Returns once it is open. The calling thread sleeps until then; signals are handled meanwhile. */
void sys_wall_wait(const struct wall *w);

/* Lets everybody through, now and later. Returns 0 or a negative errno. */
int sys_wall_open(struct wall *w);

/* Frees it; nobody may be waiting. Accepts an empty one. */
void sys_wall_done(struct wall *w);
