/* SPDX-License-Identifier: Apache-2.0 */
/* A JSON writer into memory. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct oci_type;

/* All zero bytes make an empty compact writer; set pretty before the first value.
 * A failure (lack of memory, nesting beyond 64) sticks and makes the calls that follow do nothing,
 * so it is enough to look at the value of oci_json_finish(). */
struct oci_json {
	char *data; /* NUL-terminated once finished */
	size_t len, cap;
	bool pretty; /* one member per line, two spaces per level, "key": value */
	bool after_key;
	uint8_t depth;
	uint64_t filled; /* bit per level: it has a member already */
	int error;	 /* 0 or -errno */
};

void oci_json_begin_object(struct oci_json *json);
void oci_json_end_object(struct oci_json *json);
void oci_json_begin_array(struct oci_json *json);
void oci_json_end_array(struct oci_json *json);

/* The key of the next value. */
void oci_json_key(struct oci_json *json, const char *key);

/* A string; NULL writes null. '/' is not escaped: callers compare the text. Bytes that are not
 * UTF-8 become U+FFFD, for JSON cannot carry them. */
void oci_json_string(struct oci_json *json, const char *value);
void oci_json_string_n(struct oci_json *json, const char *value, size_t len);
void oci_json_int(struct oci_json *json, int64_t value);
void oci_json_uint(struct oci_json *json, uint64_t value);
/* 1234 as 12.34: for the few values that have two decimals, without floating point. */
void oci_json_hundredths(struct oci_json *json, uint64_t value);
void oci_json_bool(struct oci_json *json, bool value);
void oci_json_null(struct oci_json *json);

/* A key with its value; a NULL string writes nothing at all. */
void oci_json_member_string(struct oci_json *json, const char *key, const char *value);
void oci_json_member_int(struct oci_json *json, const char *key, int64_t value);
void oci_json_member_bool(struct oci_json *json, const char *key, bool value);

/* Ends the text, in the pretty form with a newline. Returns 0 or -errno of what failed;
 * the text remains the writer's until oci_json_free(). */
__attribute__((warn_unused_result)) int oci_json_finish(struct oci_json *json);

/* Frees the text and leaves an empty writer. */
void oci_json_free(struct oci_json *json);

/* Writes a document's struct as the next value: members in the schema's order, absent ones left
 * out. The generated oci_config_write() and its like are the same with types checked.
 * Returns 0 or the writer's -errno. */
__attribute__((warn_unused_result)) int oci_write(const struct oci_type *type, const void *value,
						  struct oci_json *out);
