/* SPDX-License-Identifier: Apache-2.0 */
/* The state document that hooks get on stdin. */
#pragma once

#include "base/error.h"

#include <libocispec/oci.h>

#include <stdbool.h>
#include <sys/types.h>

/* What hooks are told about the container. Strings are borrowed. */
struct hook_state {
	const char *oci_version; /* of the configuration */
	const char *id;
	const char *bundle; /* absolute */
	const char *root;   /* absolute host path of the root file system, or NULL */
	pid_t pid;	    /* as the host numbers it; 0: none (poststop) */
	const char *status; /* NULL: what runtime.md says for the stage, see hooks_status() */
	const struct oci_string_map *annotations; /* or NULL */
};

/* Writes the state of runtime.md as the next value of OUT, for documents that contain it. A failure is OUT's. */
void hooks_state_write(const struct hook_state *state, struct oci_json *out);

/*
 * Writes the state of runtime.md ("State") into the empty writer OUT: compact, '/' unescaped, `root` added for hooks
 * that look into the container's files. The caller frees OUT in any case. Returns 0 or a negative errno.
 */
int hooks_state_json(const struct hook_state *state, struct oci_json *out,
		     struct crun_error *err) CRUN_NODISCARD;
