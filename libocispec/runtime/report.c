// SPDX-License-Identifier: Apache-2.0
// What is wrong with a document, and at which of its values.

#include <libocispec/runtime/reader.h>
#include <libocispec/runtime/value.h>

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* Appends /key with the escapes of RFC 6901. */
static size_t add_key(char *text, size_t used, size_t size, const char *key, size_t len)
{
	size_t i;

	if (used + 1 < size)
		text[used++] = '/';
	for (i = 0; i < len && used + 2 < size; i++) {
		if (key[i] == '~' || key[i] == '/') {
			text[used++] = '~';
			text[used++] = key[i] == '~' ? '0' : '1';
		} else {
			text[used++] = key[i];
		}
	}
	return used;
}

void oci_render_pointer(struct reader *r, bool without_last, char *text, size_t size)
{
	size_t used = 0;
	unsigned i;

	for (i = 0; i < r->depth && used + 24 < size; i++) {
		const struct frame *f = &r->frames[i];
		const char *key;

		if (without_last && i == r->depth - 1)
			break;
		if (f->shape == OCI_ARRAY && f->len > 0) {
			used += (size_t)snprintf(text + used, size - used, "/%zu", f->len - 1);
		} else if (f->shape == OCI_MAP && f->len > 0) {
			memcpy(&key, f->items + (f->len - 1) * f->field->item_size, sizeof(key));
			used = add_key(text, used, size, key, strlen(key));
		} else if (f->shape == OCI_ONE && f->field) {
			used = add_key(text, used, size, f->field->key, f->field->key_len);
		} else if (f->shape == OCI_ONE && r->unknown) {
			used = add_key(text, used, size, r->unknown, r->unknown_len);
		}
	}
	/* The last character may have been cut. */
	text[oci_utf8_check(text, used)] = '\0';
}

__attribute__((format(printf, 4, 5))) int oci_fail_at(struct reader *r, size_t offset,
						      bool without_last, const char *format, ...)
{
	char pointer[sizeof(r->err->pointer)], sentence[OCI_SENTENCE];
	va_list args;

	va_start(args, format);
	vsnprintf(sentence, sizeof(sentence), format, args);
	va_end(args);
	oci_render_pointer(r, without_last, pointer, sizeof(pointer));
	r->place.pointer = pointer;
	r->place.offset = offset;
	r->place.at_text = true;
	oci_error_set(r->err, EINVAL, &r->place, "%s", sentence);
	r->place.pointer = NULL;
	r->failed = true;
	return 0;
}

size_t oci_event_start(const struct reader *r)
{
	return oci_token_start(r->place.data, yajl_get_bytes_consumed(r->yajl));
}

int oci_fail_memory(struct reader *r)
{
	r->place.at_text = false;
	oci_error_set(r->err, ENOMEM, &r->place, "out of memory");
	r->failed = true;
	return 0;
}

int oci_fail_type(struct reader *r, const struct oci_field *field, bool item, const char *found)
{
	char text[80];

	return oci_fail_at(r, oci_event_start(r), false, "expected %s, found %s",
			   field ? oci_expected(field, item, text, sizeof(text)) : "an object",
			   found);
}

/* Where yajl's offset is when it gives up. */
enum offset {
	TOKEN_END,
	TOKEN_TEXT, /* at a token, or behind the first character of a string */
	BYTE,
	BYTE_AFTER,
};

/* What yajl means by its sentences, in words about the document. */
static const struct syntax {
	const char *part, *meaning;
	enum offset offset;
	bool between; /* the error is between members: the last key is not concerned */
} known_syntax[] = {
	{"trailing garbage", "there is something after the end of the document", TOKEN_END, false},
	{"unallowed token", "this is not allowed here", TOKEN_END, false},
	{"invalid object key", "expected a string as key", TOKEN_END, true},
	{"must be separated", "expected a colon after the key", TOKEN_END, false},
	{"after key and value", "expected a comma or a closing brace", TOKEN_TEXT, true},
	{"after array element", "expected a comma or a closing bracket", TOKEN_END, false},
	{"invalid character inside string", "control character in a string", BYTE, false},
	{"inside a string, '\\'", "unknown escape sequence in a string", BYTE_AFTER, false},
	{"invalid (non-hex)", "bad \\u escape sequence in a string", BYTE, false},
	{"invalid string", "unknown word; only true, false and null have no quotes", TOKEN_END,
	 false},
	{"malformed number", "malformed number", TOKEN_END, false},
	{"comment", "comments are not allowed", TOKEN_END, false},
	{"", "unexpected character", TOKEN_END, false}, /* matches anything */
};

/* The start of the token for TOKEN_TEXT: two less when it is a string. */
static size_t text_start(const char *data, size_t size, size_t at)
{
	if (at < 2 || at >= size || data[at - 2] != '"')
		return at;
	/* Not a string: the quote ended the value before. */
	if (strchr(" \t\r\n", data[at - 1]) && strchr("{[-0123456789tfn", data[at]))
		return at;
	return at - 2;
}

int oci_fail_syntax(struct reader *r)
{
	unsigned char *text = yajl_get_error(r->yajl, 0, NULL, 0);
	size_t offset = yajl_get_bytes_consumed(r->yajl);
	const struct syntax *s = known_syntax;

	while (!strstr((const char *)text, s->part))
		s++;
	if (offset > r->size)
		offset = r->size;
	switch (s->offset) {
	case TOKEN_END:
		offset = oci_token_start(r->place.data, offset);
		break;
	case TOKEN_TEXT:
		offset = text_start(r->place.data, r->size, offset);
		break;
	case BYTE_AFTER:
		offset -= offset > 0;
		break;
	case BYTE:
		break;
	}
	return oci_fail_at(r, offset, s->between, "%s", s->meaning);
}
