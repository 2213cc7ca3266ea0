// SPDX-License-Identifier: Apache-2.0
// Arena: memory for one document in few pieces; structs grow from below, strings from above.

#include <libocispec/runtime/arena.h>

#include <errno.h>
#include <stdalign.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define MIN_CHUNK 8192

struct oci_chunk {
	struct oci_chunk *next;
	size_t size;
	alignas(max_align_t) char data[];
};

int oci_arena_reserve(struct oci_arena *arena, size_t size)
{
	struct oci_chunk *chunk;

	if ((size_t)(arena->high - arena->low) >= size && arena->chunks)
		return 0;
	if (size < MIN_CHUNK)
		size = MIN_CHUNK;
	/* Twice the last one: the number of chunks stays small whatever the document is. */
	if (arena->chunks && size < arena->chunks->size * 2)
		size = arena->chunks->size * 2;
	if (size > SIZE_MAX / 4)
		return -ENOMEM;
	size = (size + alignof(max_align_t) - 1) & ~(alignof(max_align_t) - 1);
	chunk = malloc(sizeof(*chunk) + size);
	if (!chunk)
		return -ENOMEM;
	chunk->next = arena->chunks;
	chunk->size = size;
	arena->chunks = chunk;
	arena->low = chunk->data;
	arena->high = chunk->data + size;
	return 0;
}

void *oci_arena_alloc(struct oci_arena *arena, size_t size)
{
	void *found;

	if (size > SIZE_MAX / 4)
		return NULL;
	size = (size + alignof(max_align_t) - 1) & ~(alignof(max_align_t) - 1);
	if (oci_arena_reserve(arena, size) < 0)
		return NULL;
	found = arena->low;
	arena->low += size;
	return memset(found, 0, size);
}

char *oci_arena_bytes(struct oci_arena *arena, size_t size)
{
	if (oci_arena_reserve(arena, size) < 0)
		return NULL;
	arena->high -= size;
	return arena->high;
}

char *oci_arena_strndup(struct oci_arena *arena, const char *text, size_t len)
{
	char *copy = len == SIZE_MAX ? NULL : oci_arena_bytes(arena, len + 1);

	if (!copy)
		return NULL;
	memcpy(copy, text, len);
	copy[len] = '\0';
	return copy;
}

void oci_arena_free(struct oci_arena *arena)
{
	struct oci_chunk *chunk = arena->chunks, *next;

	for (; chunk; chunk = next) {
		next = chunk->next;
		free(chunk);
	}
	*arena = (struct oci_arena){0};
}
