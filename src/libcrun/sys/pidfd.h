/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Handles of processes, which a reused pid cannot deceive. Where the kernel has no pidfd_open(2) (5.3, or a seccomp profile that hides
 * it) /proc/PID stands in for it: that directory too belongs to one process for ever, but poll(2) calls it ready at once; so wait with
 * the functions of this file only. Each returns >= 0 or a negative errno.
 */
#pragma once

#include "sys/deadline.h"

#include <sys/types.h>

/* A handle of PID: a pidfd, or its directory in the procfs at /proc. -ESRCH: no such process. */
int sys_pidfd_open(pid_t pid);

/* Before 5.1 it is kill(2) on the number that the handle has, right after a look that it is alive. */
int sys_pidfd_send_signal(int pidfd, int sig);

/*
 * Waits for the end of the process, whether or not anybody has reaped it. Returns 0, or as deadline_poll, or why a stand-in cannot be looked at;
 * D NULL: no limit.
 */
int sys_pidfd_wait(const struct deadline *d, int pidfd);

/* Whether the process has ended, without waiting. */
bool sys_pidfd_has_ended(int pidfd);

/* deadline_poll of descriptors of which the first, in fds[0], is a handle of a process or FD_NONE. */
int sys_pidfd_poll(const struct deadline *d, struct pollfd *fds, unsigned n);
