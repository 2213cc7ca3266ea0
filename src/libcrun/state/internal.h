/* SPDX-License-Identifier: Apache-2.0 */
/* What the sources of state/ share. */
#pragma once

#include "state/store.h"

/* Replaces NAME by a rename of TEMPORARY, so that who reads it meanwhile gets the old or the new content. Returns 0 or -errno. */
int state_replace_file(const struct state_dir *dir, const char *name, const char *temporary,
		       const char *data, size_t len) CRUN_NODISCARD;
