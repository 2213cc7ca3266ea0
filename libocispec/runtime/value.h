/* SPDX-License-Identifier: Apache-2.0 */
/* Values: from JSON scalars into struct members, and what was wrong with them. Internal. */
#pragma once

#include <libocispec/runtime/model.h>

/* Space for the sentence about one value. */
#define OCI_SENTENCE 600

/* What a field expects here: as a member of an object, or (item) inside its array or map. */
const char *oci_expected(const struct oci_field *field, bool item, char *text, size_t size);

/* Stores the digits of a JSON number; 0, or -EINVAL with a sentence. */
int oci_store_number(const struct oci_field *field, void *dest, const char *digits, size_t len,
		     char sentence[OCI_SENTENCE]);

/* Stores a string or an enum; 0, -ENOMEM, or -EINVAL with a sentence. */
int oci_store_string(const struct oci_field *field, void *dest, const char *value, size_t len,
		     struct oci_arena *arena, char sentence[OCI_SENTENCE]);
