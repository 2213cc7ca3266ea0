// SPDX-License-Identifier: Apache-2.0
// JSON writer into a growing buffer; failures stick until oci_json_finish().

#include <libocispec/runtime/model.h>
#include <libocispec/runtime/json.h>

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FIRST_SIZE 512

static bool make_room(struct oci_json *json, size_t more)
{
	size_t cap = json->cap ? json->cap : FIRST_SIZE;
	char *grown;

	if (json->error)
		return false;
	/* One for the NUL at the end. */
	if (json->cap - json->len > more)
		return true;
	while (cap - json->len <= more) {
		if (cap > SIZE_MAX / 2) {
			json->error = -ENOMEM;
			return false;
		}
		cap *= 2;
	}
	grown = realloc(json->data, cap);
	if (!grown) {
		json->error = -ENOMEM;
		return false;
	}
	json->data = grown;
	json->cap = cap;
	return true;
}

static void put(struct oci_json *json, const char *text, size_t len)
{
	if (!make_room(json, len))
		return;
	memcpy(json->data + json->len, text, len);
	json->len += len;
}

static void new_line(struct oci_json *json)
{
	unsigned i;

	put(json, "\n", 1);
	for (i = 0; i < json->depth; i++)
		put(json, "  ", 2);
}

/* Whatever stands between the last value and the next value or key. */
static void separate(struct oci_json *json)
{
	uint64_t bit;

	if (json->after_key) {
		json->after_key = false;
		return;
	}
	if (json->depth == 0)
		return;
	bit = UINT64_C(1) << (json->depth - 1);
	if (json->filled & bit)
		put(json, ",", 1);
	json->filled |= bit;
	if (json->pretty)
		new_line(json);
}

static void begin(struct oci_json *json, const char *bracket)
{
	separate(json);
	if (json->error)
		return;
	if (json->depth == 64) {
		json->error = -E2BIG;
		return;
	}
	json->filled &= ~(UINT64_C(1) << json->depth);
	json->depth++;
	put(json, bracket, 1);
}

static void end(struct oci_json *json, const char *bracket)
{
	bool filled;

	if (json->error || json->depth == 0)
		return;
	json->depth--;
	filled = json->filled & (UINT64_C(1) << json->depth);
	if (json->pretty && filled)
		new_line(json);
	put(json, bracket, 1);
}

void oci_json_begin_object(struct oci_json *json)
{
	begin(json, "{");
}

void oci_json_end_object(struct oci_json *json)
{
	end(json, "}");
}

void oci_json_begin_array(struct oci_json *json)
{
	begin(json, "[");
}

void oci_json_end_array(struct oci_json *json)
{
	end(json, "]");
}

static const char *short_escape(char c)
{
	switch (c) {
	case '"':
		return "\\\"";
	case '\\':
		return "\\\\";
	case '\b':
		return "\\b";
	case '\f':
		return "\\f";
	case '\n':
		return "\\n";
	case '\r':
		return "\\r";
	case '\t':
		return "\\t";
	default:
		return NULL;
	}
}

static void put_special(struct oci_json *json, char c)
{
	const char *text = short_escape(c);
	char hex[8];

	if (!text) {
		snprintf(hex, sizeof(hex), "\\u%04x", (unsigned)(unsigned char)c);
		text = hex;
	}
	put(json, text, strlen(text));
}

static void put_string(struct oci_json *json, const char *value, size_t len)
{
	size_t at = 0, plain = 0, n;

	put(json, "\"", 1);
	while (at < len) {
		unsigned char c = (unsigned char)value[at];

		if (c >= 0x20 && c < 0x80 && c != '"' && c != '\\') {
			at++;
			continue;
		}
		n = c < 0x80 ? 0 : oci_utf8_char(value + at, len - at);
		if (n > 0) {
			at += n;
			continue;
		}
		put(json, value + plain, at - plain);
		if (c < 0x80)
			put_special(json, value[at]);
		else
			put(json, "\xef\xbf\xbd", 3);
		plain = ++at;
	}
	if (at > plain)
		put(json, value + plain, at - plain);
	put(json, "\"", 1);
}

void oci_json_key(struct oci_json *json, const char *key)
{
	separate(json);
	put_string(json, key, strlen(key));
	put(json, ": ", json->pretty ? 2 : 1);
	json->after_key = true;
}

void oci_json_string_n(struct oci_json *json, const char *value, size_t len)
{
	separate(json);
	put_string(json, value, len);
}

void oci_json_string(struct oci_json *json, const char *value)
{
	if (value)
		oci_json_string_n(json, value, strlen(value));
	else
		oci_json_null(json);
}

void oci_json_int(struct oci_json *json, int64_t value)
{
	char text[24];

	separate(json);
	put(json, text, (size_t)snprintf(text, sizeof(text), "%" PRId64, value));
}

void oci_json_uint(struct oci_json *json, uint64_t value)
{
	char text[24];

	separate(json);
	put(json, text, (size_t)snprintf(text, sizeof(text), "%" PRIu64, value));
}

void oci_json_hundredths(struct oci_json *json, uint64_t value)
{
	char text[32];

	separate(json);
	put(json, text,
	    (size_t)snprintf(text, sizeof(text), "%" PRIu64 ".%02u", value / 100,
			     (unsigned)(value % 100)));
}

void oci_json_bool(struct oci_json *json, bool value)
{
	separate(json);
	put(json, value ? "true" : "false", value ? 4 : 5);
}

void oci_json_null(struct oci_json *json)
{
	separate(json);
	put(json, "null", 4);
}

void oci_json_member_string(struct oci_json *json, const char *key, const char *value)
{
	if (!value)
		return;
	oci_json_key(json, key);
	oci_json_string(json, value);
}

void oci_json_member_int(struct oci_json *json, const char *key, int64_t value)
{
	oci_json_key(json, key);
	oci_json_int(json, value);
}

void oci_json_member_bool(struct oci_json *json, const char *key, bool value)
{
	oci_json_key(json, key);
	oci_json_bool(json, value);
}

int oci_json_finish(struct oci_json *json)
{
	if (json->pretty)
		put(json, "\n", 1);
	if (make_room(json, 0))
		json->data[json->len] = '\0';
	return json->error;
}

void oci_json_free(struct oci_json *json)
{
	free(json->data);
	*json = (struct oci_json){0};
}
