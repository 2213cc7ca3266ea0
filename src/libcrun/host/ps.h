/* SPDX-License-Identifier: Apache-2.0 */
/* crun ps: which processes belong to a container, and how they are shown. */
#pragma once

#include "base/buf.h"
#include "host/verbs.h"

struct ps_pids {
	pid_t *pids; /* sorted */
	size_t len;
};

#define _cleanup_ps_pids_ _cleanup_(ps_pids_done)
void ps_pids_done(struct ps_pids *pids);

/*
 * The processes of the container as this pid namespace numbers them: those in its cgroup and below; without a cgroup of its own those of
 * its pid namespace, or else init alone. None is not an error.
 */
int ps_collect(const struct container *c, struct ps_pids *ret,
	       struct crun_error *err) CRUN_NODISCARD;

/* Appends a table of our own. A process that ended meanwhile is left out. */
void ps_table(const struct ps_pids *pids, struct buf *out);

/*
 * Runs the host's ps(1) with ARGS (NULL-terminated) and appends its header and the rows of PIDS. Its environment is not the caller's and
 * it is looked for in fixed directories: ours may be those of whoever calls us as root.
 */
int ps_program(const struct ps_pids *pids, char *const *args, struct buf *out,
	       struct crun_error *err) CRUN_NODISCARD;
