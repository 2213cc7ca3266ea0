/* SPDX-License-Identifier: Apache-2.0 */
/* Memory for yajl, from an arena. Internal. */
#pragma once

#include <setjmp.h>

#include <yajl/yajl_common.h>

#include <libocispec/runtime/arena.h>

/* yajl uses what its allocator returns without a look, so lack of memory does not return: it jumps
 * to failed, which the caller has set. Nothing is lost by the jump, for all of yajl's memory is the
 * arena's, yajl_free() included. */
struct oci_memory {
	struct oci_arena *arena;
	jmp_buf failed;
};

yajl_alloc_funcs oci_memory_functions(struct oci_memory *memory);
