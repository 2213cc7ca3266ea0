/* SPDX-License-Identifier: Apache-2.0 */
/* The shape of the tables that the generator writes for the reader and the writer. Internal. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <libocispec/runtime/parse.h>

/* Levels of known objects and arrays; the generator checks the schema against it. */
#define OCI_MAX_FRAMES 16

enum oci_kind {
	OCI_STRING,
	OCI_BOOL,
	OCI_UINT16,
	OCI_INT32,
	OCI_UINT32,
	OCI_INT64,
	OCI_UINT64,
	OCI_ENUM,
	OCI_OBJECT,
};

enum oci_shape {
	OCI_ONE,
	OCI_ARRAY,
	OCI_MAP,
};

struct oci_enum {
	const char *what;	  /* "a namespace type" */
	const char *const *names; /* by value; names[0] is NULL */
	unsigned count;		  /* of names, the NULL included */
};

struct oci_field {
	const char *key;
	uint8_t key_len;
	uint8_t shape, kind;
	uint16_t offset;    /* of the value, or of the pointer to it */
	uint16_t aux;	    /* ONE number or bool: of has_x; ARRAY: of x_len */
	uint16_t item_size; /* ARRAY and MAP */
	union {
		const struct oci_type *type;   /* OBJECT */
		const struct oci_enum *values; /* ENUM */
	};
	int64_t min; /* integers */
	uint64_t max;
	const char *(*check)(const char *value); /* see below; NULL for none */
};

struct oci_type {
	const struct oci_field *fields;
	uint64_t required; /* bit per field */
	unsigned count, size;
	int (*lookup)(const char *key, size_t len); /* index of the field or -1 */
	const char *file;			    /* root types: the document's usual name */
};

/* What a map looks like whatever its values are. */
struct oci_any_map {
	void *items; /* each begins with const char *key, then the value */
	size_t len;
};

/* Value of a name; 0 when unknown. */
unsigned oci_enum_lookup(const struct oci_enum *values, const char *name, size_t len);

/* Checks of string values: NULL when good, else what was expected ("a page size such as 2MB"). */
const char *oci_check_oci_version(const char *value);
const char *oci_check_hugepage_size(const char *value);
const char *oci_check_mem_bw_schema(const char *value);

/* Offset of the first byte that is not part of valid UTF-8; len when all is well. */
size_t oci_utf8_check(const char *data, size_t len);
/* Length of the valid UTF-8 character at data, 0 when there is none. */
size_t oci_utf8_char(const char *data, size_t len);

/* Offset of the first byte of the JSON token that ends before the offset end. */
size_t oci_token_start(const char *data, size_t end);
/* Line and column, from 1, of a byte offset. */
void oci_line_column(const char *data, size_t offset, unsigned *ret_line, unsigned *ret_column);

/* Like oci_locate(); with at_key it finds the key of the value instead. */
int oci_locate_offset(const char *data, size_t len, const char *pointer, bool at_key,
		      size_t *ret_offset);

/* Fills the error: name:line:column: pointer: sentence. at_text is false for errors without a place
 * in the text (then data and offset are ignored). Returns -errnum. */
struct oci_place {
	const char *name, *data, *pointer;
	size_t offset;
	bool at_text;
};
__attribute__((format(printf, 4, 5))) int oci_error_set(struct oci_parse_error *err, int errnum,
							const struct oci_place *place,
							const char *format, ...);

/* Writes into text what an unknown enum value should have been and returns text. */
const char *oci_error_enum(const struct oci_enum *values, const char *given, size_t len, char *text,
			   size_t size);
/* Writes a quoted, shortened and printable form of a string and returns text. */
const char *oci_error_quote(const char *given, size_t len, char *text, size_t size);
