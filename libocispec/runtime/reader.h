/* SPDX-License-Identifier: Apache-2.0 */
/* The reader's state, for the reader and its error reports. Internal. */
#pragma once

#include <yajl/yajl_parse.h>

#include <libocispec/runtime/memory.h>
#include <libocispec/runtime/model.h>

/* One open object, array or map of a known field. */
struct frame {
	enum oci_shape shape;	       /* OCI_ONE is an object */
	const struct oci_field *field; /* object: of the current key, NULL if unknown; else own */
	const struct oci_type *type;   /* object */
	char *base;		/* object: the struct; else: where the holder wants the result */
	uint64_t seen, present; /* object: bits of fields given, and given with a value */
	char *items;		/* array, map */
	size_t len, cap;	/* array, map */
	size_t start;		/* offset after the opening bracket */
};

struct reader {
	const struct oci_type *root;
	struct oci_arena *arena;
	struct oci_parse_error *err;
	struct oci_place place;
	size_t size; /* of the document */
	yajl_handle yajl;
	void *result;
	const char *unknown; /* current key, if it is unknown and has no escapes */
	size_t unknown_len;
	oci_unknown_fn note; /* of oci_each_unknown(), or NULL */
	void *note_data;
	unsigned depth;	  /* frames */
	unsigned skipped; /* open objects and arrays of an unknown field */
	bool failed;
	struct oci_memory memory; /* yajl's */
	struct frame frames[OCI_MAX_FRAMES];
};

static inline struct frame *top(struct reader *r)
{
	return &r->frames[r->depth - 1];
}

/* Offset where the token of the current event begins. */
size_t oci_event_start(const struct reader *r);

/* Renders the pointer of the current value; without_last leaves out the innermost key. */
void oci_render_pointer(struct reader *r, bool without_last, char *text, size_t size);

/* The functions below set the error, note that reading has failed, and return 0, which stops yajl. */

/* At an offset of the text. */
__attribute__((format(printf, 4, 5))) int oci_fail_at(struct reader *r, size_t offset,
						      bool without_last, const char *format, ...);
int oci_fail_memory(struct reader *r);
/* A value of the wrong type for the field (NULL: the document); item: inside its array or map. */
int oci_fail_type(struct reader *r, const struct oci_field *field, bool item, const char *found);
/* What yajl_parse() refused. */
int oci_fail_syntax(struct reader *r);
