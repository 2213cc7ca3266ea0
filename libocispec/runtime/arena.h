/* SPDX-License-Identifier: Apache-2.0 */
/* An arena: memory for one document, given back at once. */
#pragma once

#include <stddef.h>

struct oci_chunk;

/* All zero bytes make an empty arena, which needs no initialisation and no release. */
struct oci_arena {
	struct oci_chunk *chunks;
	char *low,
		*high; /* free part of the newest chunk: structs from below, strings from above */
};

/* Makes room for size bytes in one piece, so that a document costs one allocation.
 * Returns 0 or -ENOMEM. */
__attribute__((warn_unused_result)) int oci_arena_reserve(struct oci_arena *arena, size_t size);

/* Zeroed memory aligned for any type; NULL when out of memory. */
__attribute__((warn_unused_result)) void *oci_arena_alloc(struct oci_arena *arena, size_t size);

/* Memory of arbitrary content and alignment, for strings; NULL when out of memory. */
__attribute__((warn_unused_result)) char *oci_arena_bytes(struct oci_arena *arena, size_t size);

/* A NUL-terminated copy of len bytes; NULL when out of memory. */
__attribute__((warn_unused_result)) char *oci_arena_strndup(struct oci_arena *arena,
							    const char *text, size_t len);

/* Frees everything and leaves an empty arena. */
void oci_arena_free(struct oci_arena *arena);
