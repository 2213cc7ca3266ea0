/* SPDX-License-Identifier: Apache-2.0 */
/* Processes and namespaces. Each returns >= 0 or a negative errno. No policy. */
#pragma once

#include "sys/kernel.h"

#include <signal.h>
#include <sys/types.h>

/*
 * clone3(2) without a new stack (fork semantics). Before 5.3 it is clone(2), which makes the same child unless it is to be born in a
 * cgroup: -ENOSYS then, and -E2BIG from 5.3 to 5.6. Returns the pid, 0 in the child, or a negative errno.
 */
pid_t sys_clone3(struct sys_clone_args *args);
int sys_setns(int fd, int nstype);
int sys_unshare(int flags);
/* The CLONE_NEW* flag of the namespace that FD is open on; -ENOTTY when it is none. */
int sys_ns_type(int fd);
/* waitpid(2) with EINTR retried; *status may be NULL. */
pid_t sys_waitpid(pid_t pid, int *status, int flags);
/* Whether a signal has stopped the child PID since this was asked last: 1, 0 or -errno. A child that ended is not waited for. */
int sys_child_stopped(pid_t pid);
/* The signal that killed the child PID, which stays to be reaped: 0 when it lives, or exited, or -errno. */
int sys_child_killed(pid_t pid);
int sys_prctl(int option, unsigned long arg2, unsigned long arg3);
int sys_setsid(void);
/* execveat(2) of the file FD itself. Returns only on failure. */
int sys_execveat(int fd, const char *path, char *const argv[], char *const envp[], int flags);
/* Sets every signal to its default action and unblocks all of them. */
void sys_reset_signals(void);
