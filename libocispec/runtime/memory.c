// SPDX-License-Identifier: Apache-2.0
// Memory for yajl, from an arena.

#include <libocispec/runtime/memory.h>

#include <stddef.h>
#include <string.h>

/* Before each block, so that it can be enlarged. */
union header {
	size_t size;
	max_align_t align;
};

static void *memory_alloc(void *ctx, size_t size)
{
	struct oci_memory *memory = ctx;
	union header *header = oci_arena_alloc(memory->arena, sizeof(*header) + size);

	if (!header)
		longjmp(memory->failed, 1);
	header->size = size;
	return header + 1;
}

static void *memory_realloc(void *ctx, void *old, size_t size)
{
	union header *header = old;
	void *found;

	if (old && size <= header[-1].size)
		return old;
	found = memory_alloc(ctx, size);
	if (old)
		memcpy(found, old, header[-1].size);
	return found;
}

static void memory_free(void *ctx, void *block)
{
	(void)ctx;
	(void)block;
}

yajl_alloc_funcs oci_memory_functions(struct oci_memory *memory)
{
	return (yajl_alloc_funcs){
		.malloc = memory_alloc,
		.realloc = memory_realloc,
		.free = memory_free,
		.ctx = memory,
	};
}
