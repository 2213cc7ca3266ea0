/* SPDX-License-Identifier: Apache-2.0 */
/* What crun validate finds, for others who report it in a form of their own. */
#pragma once

#include "libcrun.h"

/* FIX: what a person can do. All texts are borrowed for the call. */
typedef void (*validate_finding_fn)(void *data, bool warning, const char *pointer, const char *text,
				    const char *fix);

/* Calls FOUND for all findings about the configuration of OPTS, sorted by their place in it, or errors first where they are very many. Fails only if it cannot be read. */
int validate_each(const struct libcrun_create_options *opts, validate_finding_fn found, void *data,
		  struct crun_error *err) CRUN_NODISCARD;
