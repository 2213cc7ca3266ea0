// SPDX-License-Identifier: Apache-2.0
// Writing D-Bus messages: see bus_wire.h.
#include "cgroup/bus_wire.h"

#include "cgroup/bus_types.h"

#include <errno.h>
#include <string.h>

/* Where the lengths and the serial are in the header: "Message Format". */
#define AT_BODY_LENGTH 4
#define AT_SERIAL      8
#define AT_FIELDS      12

/* A signature's and a bus name's limit: "Valid Signatures", "Valid Names". */
#define SHORT_MAX 255

static void put(struct buf *b, uint64_t value, size_t size)
{
	uint8_t bytes[8];

	for (size_t i = 0; i < size; i++)
		bytes[i] = (uint8_t)(value >> (8 * i));
	buf_append(b, bytes, size);
}

static void patch(struct buf *b, size_t at, uint32_t value)
{
	for (size_t i = 0; !b->failed && i < sizeof(value); i++)
		b->data[at + i] = (char)(value >> (8 * i));
}

static void pad(struct buf *b, size_t alignment)
{
	static const char zeros[8] = {0};

	buf_append(b, zeros, bus_padding(b->len, alignment));
}

void bus_write_number(struct bus_writer *w, char type, uint64_t value)
{
	pad(&w->data, bus_alignment(type));
	put(&w->data, value, bus_fixed_size(type));
}

/* The length in bytes of the UTF-8 character at S, 0 when it is none. RFC 3629, 4: no longer form than needed, no surrogates. */
static size_t utf8_length(const unsigned char *s)
{
	static const struct {
		unsigned char from, to, second_from, second_to, more;
	} forms[] = {
		{0x01, 0x7f, 0, 0, 0},	     {0xc2, 0xdf, 0x80, 0xbf, 1},
		{0xe0, 0xe0, 0xa0, 0xbf, 2}, {0xe1, 0xec, 0x80, 0xbf, 2},
		{0xed, 0xed, 0x80, 0x9f, 2}, {0xee, 0xef, 0x80, 0xbf, 2},
		{0xf0, 0xf0, 0x90, 0xbf, 3}, {0xf1, 0xf3, 0x80, 0xbf, 3},
		{0xf4, 0xf4, 0x80, 0x8f, 3},
	};

	for (size_t i = 0; i < ARRAY_LEN(forms); i++) {
		if (s[0] < forms[i].from || s[0] > forms[i].to)
			continue;
		if (forms[i].more && (s[1] < forms[i].second_from || s[1] > forms[i].second_to))
			return 0;
		for (size_t n = 2; n <= forms[i].more; n++) {
			if ((s[n] & 0xc0) != 0x80)
				return 0;
		}
		return 1U + forms[i].more;
	}
	return 0;
}

static bool is_utf8(const char *text)
{
	const unsigned char *s = (const unsigned char *)text;

	while (*s) {
		size_t n = utf8_length(s);

		if (!n)
			return false;
		s += n;
	}
	return true;
}

void bus_write_string(struct bus_writer *w, const char *text)
{
	size_t n = strlen(text);

	if (n > BUS_MESSAGE_MAX || !is_utf8(text)) {
		w->invalid = true;
		return;
	}
	bus_write_number(w, 'u', n);
	buf_append(&w->data, text, n + 1);
}

void bus_write_signature(struct bus_writer *w, const char *signature)
{
	size_t n = strlen(signature);

	if (n > SHORT_MAX) {
		w->invalid = true;
		return;
	}
	put(&w->data, n, 1);
	buf_append(&w->data, signature, n + 1);
}

void bus_write_struct(struct bus_writer *w)
{
	pad(&w->data, 8);
}

size_t bus_write_array(struct bus_writer *w, char type)
{
	size_t at;

	bus_write_number(w, 'u', 0);
	at = w->data.len;
	/* Also before the first of no elements, and not counted: "Marshaling containers". */
	pad(&w->data, bus_alignment(type));
	return at;
}

void bus_write_array_end(struct bus_writer *w, char type, size_t array)
{
	size_t first = array + bus_padding(array, bus_alignment(type));

	patch(&w->data, array - sizeof(uint32_t), (uint32_t)(w->data.len - first));
}

static void write_field(struct bus_writer *w, uint8_t code, const char *text)
{
	const char type[2] = {bus_field_type(code), '\0'};

	if (!text)
		return;
	bus_write_struct(w);
	put(&w->data, code, 1);
	bus_write_signature(w, type);
	if (type[0] == 'g')
		bus_write_signature(w, text);
	else
		bus_write_string(w, text);
}

void bus_write_begin(struct bus_writer *w, const struct bus_message *head)
{
	const bool has_body = head->signature && head->signature[0];
	size_t fields;

	*w = (struct bus_writer){0};
	put(&w->data, 'l', 1);
	put(&w->data, head->kind, 1);
	put(&w->data, head->flags, 1);
	put(&w->data, BUS_VERSION, 1);
	put(&w->data, 0, 4); /* the body's length */
	put(&w->data, 0, 4); /* the serial */
	fields = bus_write_array(w, '(');
	write_field(w, FIELD_PATH, head->path);
	write_field(w, FIELD_DESTINATION, head->destination);
	write_field(w, FIELD_INTERFACE, head->interface);
	write_field(w, FIELD_MEMBER, head->member);
	write_field(w, FIELD_ERROR, head->error);
	write_field(w, FIELD_SENDER, head->sender);
	if (head->reply_serial) {
		bus_write_struct(w);
		put(&w->data, FIELD_REPLY_SERIAL, 1);
		bus_write_signature(w, "u");
		bus_write_number(w, 'u', head->reply_serial);
	}
	write_field(w, FIELD_SIGNATURE, has_body ? head->signature : NULL);
	bus_write_array_end(w, '(', fields);
	pad(&w->data, 8);
}

/* Where the body begins: what is behind the fields, whose length the header has. */
static size_t body_at(const struct buf *b)
{
	size_t len = 0;

	for (size_t i = 0; i < sizeof(uint32_t); i++)
		len |= (size_t)(unsigned char)b->data[AT_FIELDS + i] << (8 * i);
	len += BUS_FIXED_HEADER;
	return len + bus_padding(len, 8);
}

int bus_write_end(struct bus_writer *w)
{
	if (w->data.failed)
		return -ENOMEM;
	if (w->invalid)
		return -EINVAL;
	if (w->data.len > BUS_MESSAGE_MAX)
		return -EMSGSIZE;
	patch(&w->data, AT_BODY_LENGTH, (uint32_t)(w->data.len - body_at(&w->data)));
	return 0;
}

void bus_write_serial(struct bus_writer *w, uint32_t serial)
{
	patch(&w->data, AT_SERIAL, serial);
}

void bus_write_done(struct bus_writer *w)
{
	buf_done(&w->data);
}
