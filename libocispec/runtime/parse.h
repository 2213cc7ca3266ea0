/* SPDX-License-Identifier: Apache-2.0 */
/* Reading of OCI documents: one pass over the text, one sentence about what is wrong with it. */
#pragma once

#include <stddef.h>

#include <libocispec/runtime/arena.h>

/* A larger document is refused: no engine writes one, and memory is not for the caller to spend. */
#define OCI_MAX_TEXT (16u << 20)
/* Levels of objects and arrays, those of ignored fields included. */
#define OCI_MAX_NESTING 64

struct oci_type;

/* The text of a document. */
struct oci_text {
	char *data; /* NUL-terminated, in the arena */
	size_t len; /* without the NUL */
};

/* Why a document was refused. Flat, so that it needs no release and survives lack of memory. */
struct oci_parse_error {
	int errnum; /* positive */
	unsigned line,
		column;	   /* from 1, columns in characters; 0 when the text has no part in it */
	char pointer[256]; /* JSON pointer of the value, "" for the document */
	char text[768];	   /* "config.json:12:15: /process/args/0: expected a string, found ..." */
};

/* Parses len bytes of data as a document of the given type. The generated oci_config_parse() and
 * its like are the same with types checked.
 *
 * name is what error sentences call the document; NULL means its usual file name.
 * *ret and all it points to are in the arena and do not refer to data.
 * Unknown fields and other platforms' objects are skipped, and null counts as absent.
 *
 * Returns 0, or with *err set -EINVAL (bad document), -EFBIG (more than OCI_MAX_TEXT) or -ENOMEM.
 * *ret is set on success only. */
__attribute__((warn_unused_result)) int oci_parse(const struct oci_type *type, const char *name,
						  const char *data, size_t len,
						  struct oci_arena *arena, void **ret,
						  struct oci_parse_error *err);

/* Reads fd to its end, then parses. fd may be a pipe and stays open.
 * When text is not NULL it receives the document, in the arena, as soon as it was read, so also
 * when parsing fails; the caller clears it before the call.
 * Returns as oci_parse(), or -errno of the read. */
__attribute__((warn_unused_result)) int oci_parse_fd(const struct oci_type *type, int fd,
						     const char *name, struct oci_arena *arena,
						     struct oci_text *text, void **ret,
						     struct oci_parse_error *err);

/* Only reads fd to its end, for a document that is not parsed as it is. Returns 0 with *text set, in the arena, or as oci_parse_fd(). */
__attribute__((warn_unused_result)) int oci_read_fd(int fd, const char *name,
						    struct oci_arena *arena, struct oci_text *text,
						    struct oci_parse_error *err);

/* Takes the JSON pointer of a member that the type does not have; without its own name when that has escapes in it. */
typedef void (*oci_unknown_fn)(void *data, const char *pointer);

/* Calls fn for each member of a document that oci_parse() skips as unknown, but not for what is inside of one.
 * Returns as oci_parse(). */
int oci_each_unknown(const struct oci_type *type, const char *data, size_t len, oci_unknown_fn fn,
		     void *fn_data);

/* Finds where the value of a JSON pointer (RFC 6901) begins in a document, for a check that fails
 * after parsing. Of several values with the same pointer it finds the last one.
 * Returns 0, or -ENOENT (no such value), -EINVAL (bad JSON) or -ENOMEM with both set to 0. */
__attribute__((warn_unused_result)) int oci_locate(const char *data, size_t len,
						   const char *pointer, unsigned *ret_line,
						   unsigned *ret_column);
