/* SPDX-License-Identifier: Apache-2.0 */
/* Which containers a command is about: one by its id, or all that a regular expression matches. */
#pragma once

#include "cli.h"

typedef int (*container_fn)(struct invocation *inv, const char *id, struct crun_error *err);

/*
 * Calls FN for the container NAME; with REGEX for each one whose id matches NAME, a POSIX extended regular expression
 * that may match any part of the id. All of them are tried; the first failure is returned. Matching none is a failure
 * unless NONE_IS_FINE.
 */
int each_selected(struct invocation *inv, const char *name, bool regex, bool none_is_fine,
		  container_fn fn, struct crun_error *err) CRUN_NODISCARD;
