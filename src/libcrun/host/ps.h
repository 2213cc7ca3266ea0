/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of crun ps share: the processes of a container, and the two tables of them. */
#pragma once

#include "base/buf.h"
#include "host/verbs.h"

struct ps_pids {
	pid_t *pids; /* sorted, as this pid namespace numbers them */
	size_t len;
};

/* Appends a table of our own. A process that ended meanwhile is left out. */
void ps_table(const struct ps_pids *pids, struct buf *out);

/*
 * Runs the host's ps(1) with ARGS (NULL-terminated) and appends its header and the rows of PIDS. Its environment is not the caller's and
 * it is looked for in fixed directories: ours may be those of whoever calls us as root.
 */
int ps_program(const struct ps_pids *pids, char *const *args, struct buf *out,
	       struct crun_error *err) CRUN_NODISCARD;
