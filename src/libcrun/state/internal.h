/* SPDX-License-Identifier: Apache-2.0 */
/* What the sources of state/ share. */
#pragma once

#include "state/store.h"

/* Opens a document for reading; follows no link at its end and never waits, should somebody have put a fifo there. Returns the fd or -errno. */
int state_open_document(int dirfd, const char *path) CRUN_NODISCARD;

/* Replaces NAME by a rename of TEMPORARY, so that who reads it meanwhile gets the old or the new content. Returns 0 or -errno. */
int state_replace_file(const struct state_dir *dir, const char *name, const char *temporary,
		       const char *data, size_t len) CRUN_NODISCARD;
