/* SPDX-License-Identifier: Apache-2.0 */
/* Fuzzing along a schema: a target that is linked with json_mutator.c says what its input is a document of. */
#pragma once

#include <libocispec/oci.h>

extern const struct oci_type *const fuzz_document_type;
