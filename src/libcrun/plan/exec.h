/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The plan of a process that `exec` adds to a container: what the process asks for, and nothing around it, for that is there already.
 */
#pragma once

#include "plan/plan.h"

/* What exec knows besides the two documents. */
struct plan_exec_options {
	const char *id, *bundle;
	unsigned joins; /* bit per enum ns_index: namespaces of the container that are not ours */
	const char *pidfd_socket; /* --pidfd-socket or NULL */
	const char *seccomp_receiver;
	unsigned preserve_fds, listen_fds;
	bool new_keyring; /* the container has a session keyring of its own */
	bool detach;
};

/*
 * What PROCESS leaves out and the container's own process has becomes part of it: user, capabilities, no_new_privs, limits, LSM
 * labels, OOM score, CPU affinity. Borrows from CONTAINER, which may be NULL.
 */
void plan_exec_defaults(struct oci_process *process, const struct oci_process *container);

/*
 * Plans PROCESS, which is complete, for the container of CONFIG. Pure. Returns 0, or -errno with a JSON pointer below /process in err->at where
 * PROCESS is at fault.
 */
int plan_exec(const struct oci_config *config, const struct oci_process *process,
	      const struct host_facts *facts, const struct plan_exec_options *opts,
	      struct oci_arena *arena, struct launch_plan **ret,
	      struct crun_error *err) CRUN_NODISCARD;

/*
 * The value of --user, UID or UID:GID in digits: names would have to be looked up in the image, whose files say what its author likes
 * (CVE-2016-3697). *ret_has_gid tells whether there was a GID. Returns 0 or -EINVAL.
 */
int plan_exec_user(const char *text, uint32_t *ret_uid, uint32_t *ret_gid,
		   bool *ret_has_gid) CRUN_NODISCARD;
