/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The self-audit (--self-audit): init compares what it has become with the plan, by system calls alone, for the container's /proc is the
 * container's. Domain: init/last. Every function fails with CODE_SELF_AUDIT and names the first difference by which the payload would have
 * more than the plan says; to have less is for the phases to judge.
 */
#pragma once

#include "init/context.h"

/* What /proc/PID/status tells of seccomp(2). */
struct audit_filters {
	long mode, count; /* -1: it does not tell */
};

/* Descriptors below 1024 other than standard streams, those of --preserve-fds and our own connection. */
int audit_fds(const struct last *last, struct crun_error *err) CRUN_NODISCARD;

/* User and group ids, groups, the five sets of capabilities, securebits, no_new_privs, and that nobody may trace us. */
int audit_credentials(const struct launch_plan *plan, struct crun_error *err) CRUN_NODISCARD;

/* The LSM label that execve will give us, as LABEL_FD tells, our own attr/exec; FD_NONE: none is wanted. */
int audit_label(const struct launch_plan *plan, int label_fd,
		struct crun_error *err) CRUN_NODISCARD;

/* That our session keyring is KEYRING, the one that was made for us; 0: none was. */
int audit_keyring(int32_t keyring, struct crun_error *err) CRUN_NODISCARD;

/*
 * Loads the filter as phase_seccomp does, and makes sure that it is in force before it returns. The look itself must not be the profile's to
 * allow: a second thread, which is not under the filter, reads LAST->status_fd, and this one waits for it without a system call (sys/wall.h).
 * The second thread says what is wrong by the channel and ends the process. Where there can be none the filter is loaded all the same.
 * A filter with a listener needs none of that: the kernel gave a notification descriptor for it.
 */
int audit_load_filter(struct last *last, struct crun_error *err) CRUN_NODISCARD;

/* Its parts: reads STATUS_FD, /proc/PID/status of the process; compares what was BEFORE the load with what is NOW. */
int audit_filters_read(int status_fd, struct audit_filters *ret) CRUN_NODISCARD;
int audit_filters(const struct audit_filters *before, const struct audit_filters *now,
		  struct crun_error *err) CRUN_NODISCARD;

/* Working directory, umask, signals and resource limits. */
int audit_process(const struct launch_plan *plan, struct crun_error *err) CRUN_NODISCARD;

/*
 * Below ROOT_FD: the root, mounts, masked and read-only paths, as far as the payload's user can reach them. A mount with something mounted over it
 * later is not looked at, and none where hooks had the chance to mount.
 */
int audit_mounts(const struct launch_plan *plan, int root_fd,
		 struct crun_error *err) CRUN_NODISCARD;
