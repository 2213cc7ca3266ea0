/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The self-audit (--self-audit): init compares what it has become with the plan, by system calls alone, for the container's /proc is the
 * container's. Domain: init/last. Every function fails with CODE_SELF_AUDIT and names the first difference by which the payload would have
 * more than the plan says; to have less is for the phases to judge.
 */
#pragma once

#include "init/context.h"

/* Descriptors below 1024 other than standard streams, those of --preserve-fds and our own connection. */
int audit_fds(const struct last *last, struct crun_error *err) CRUN_NODISCARD;

/* User and group ids, groups, the five sets of capabilities, securebits, no_new_privs, and that nobody may trace us. */
int audit_credentials(const struct launch_plan *plan, struct crun_error *err) CRUN_NODISCARD;

/* Working directory, umask, signals and resource limits. */
int audit_process(const struct launch_plan *plan, struct crun_error *err) CRUN_NODISCARD;

/*
 * Below ROOT_FD: the root, mounts, masked and read-only paths, as far as the payload's user can reach them. A mount with something mounted over it
 * later is not looked at, and none where hooks had the chance to mount.
 */
int audit_mounts(const struct launch_plan *plan, int root_fd,
		 struct crun_error *err) CRUN_NODISCARD;
