/* SPDX-License-Identifier: Apache-2.0 */
/* The request of an update: a document, or single values as they were typed. */
#pragma once

#include "libcrun.h"

#include <libocispec/oci.h>

/*
 * The resources that OPTS asks for, in ARENA, checked as far as that is possible without the host. KIND_SPEC names the option or the place
 * in the document. With TEXT, which gets it, the document is read as well; otherwise *ret is NULL when there is one, and only the options
 * are checked.
 */
int update_values_read(const struct libcrun_update_options *opts, struct oci_arena *arena,
		       struct oci_text *text, struct oci_linux_resources **ret,
		       struct crun_error *err) CRUN_NODISCARD;
