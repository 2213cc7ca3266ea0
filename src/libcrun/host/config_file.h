/* SPDX-License-Identifier: Apache-2.0 */
/* The configuration of a bundle as it was read. Nothing of the host or the container is looked at, and nothing is touched. */
#pragma once

#include "libcrun.h"

#include <libocispec/oci.h>

struct config_file {
	const char *bundle; /* as the kernel calls it: absolute, without symbolic links */
	const char *path; /* of the file: --config as it was given, or config.json in the bundle */
	struct oci_text text; /* as read, also when it is no configuration; else empty */
	struct oci_config *config;
};

/*
 * Reads the configuration that OPTS name by `bundle` (NULL: the working directory) and `config`; all of *F is in ARENA, or borrowed of OPTS. The
 * bundle's own file must be a regular one; what `config` names may be a pipe, and is waited for. On failure *F has what was found until then:
 * with a text, KIND_SPEC says that this is no configuration.
 */
int config_file_read(struct config_file *f, const struct libcrun_create_options *opts,
		     struct oci_arena *arena, struct crun_error *err) CRUN_NODISCARD;
