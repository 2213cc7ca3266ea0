/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The phases of init/inside, in the order of the table in phases.c. Domain: the container's first process; container namespaces,
 * CONTAINER file system only, still privileged there. Must hold no fd of the host's file system, and use neither dlopen nor NSS nor a
 * locale. Ends with the payload's ids and capabilities.
 */
#pragma once

#include "init/context.h"

/* The final propagation of "/" (linux.rootfsPropagation). */
int phase_propagation(struct inside *in, struct crun_error *err) CRUN_NODISCARD;
/* Opens the container's pseudo terminal, makes it the controlling one, and mounts it on /dev/console. */
int phase_console(struct inside *in, struct crun_error *err) CRUN_NODISCARD;
/* Gives pipes and sockets on 0-2 to the payload's user. */
int phase_stdio(struct inside *in, struct crun_error *err) CRUN_NODISCARD;
/* Read-only root, read-only paths, masked paths. */
int phase_seal(struct inside *in, struct crun_error *err) CRUN_NODISCARD;
int phase_hostname(struct inside *in, struct crun_error *err) CRUN_NODISCARD;
int phase_personality(struct inside *in, struct crun_error *err) CRUN_NODISCARD;
/* linux.memoryPolicy: of ourselves, because the kernel has no call for another process; kept over execve. */
int phase_memory_policy(struct inside *in, struct crun_error *err) CRUN_NODISCARD;
/* apparmorProfile or selinuxLabel, verified by reading it back. */
int phase_lsm(struct inside *in, struct crun_error *err) CRUN_NODISCARD;
int phase_rlimits(struct inside *in, struct crun_error *err) CRUN_NODISCARD;
/* Bounding set, groups, gid, uid, then the other sets and no_new_privs. */
int phase_credentials(struct inside *in, struct crun_error *err) CRUN_NODISCARD;
/* process.cwd, as the final user; refused when it is not below the root. */
int phase_cwd(struct inside *in, struct crun_error *err) CRUN_NODISCARD;
/* HOME and LISTEN_* where the configuration left them to us. */
int phase_environment(struct inside *in, struct crun_error *err) CRUN_NODISCARD;
/* Finds argv[0] as the final user, so that create fails and not start. */
int phase_exec_path(struct inside *in, struct crun_error *err) CRUN_NODISCARD;
