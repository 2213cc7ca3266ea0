// SPDX-License-Identifier: Apache-2.0
// Reading D-Bus messages, of which nothing is believed: see bus_wire.h.
#include "cgroup/bus_wire.h"

#include "cgroup/bus_types.h"

#include <errno.h>
#include <string.h>

/* "Valid Signatures": each of arrays and structs; "Message Format": all of them together with variants. */
#define DEPTH_MAX	64
#define DEPTH_KIND_MAX	32
#define SIGNATURE_MAX	255
#define BASIC		"ybnqiuxtdsogh"
#define IS_SIGNED(type) ((type) == 'n' || (type) == 'i')

/* ---- signatures ---- */

static size_t type_length(const char *sig, size_t len, unsigned arrays, unsigned structs);

/* A dict entry: a basic key, one value, and only as an array's element. */
static size_t dict_length(const char *sig, size_t len, unsigned arrays, unsigned structs)
{
	size_t value;

	if (len < 4 || !sig[1] || !strchr(BASIC, sig[1]))
		return 0;
	value = type_length(sig + 2, len - 2, arrays, structs + 1);
	return value && value + 2 < len && sig[value + 2] == '}' ? value + 3 : 0;
}

static size_t struct_length(const char *sig, size_t len, unsigned arrays, unsigned structs)
{
	size_t n = 1;

	while (n < len && sig[n] != ')') {
		size_t member = type_length(sig + n, len - n, arrays, structs + 1);

		if (!member)
			return 0;
		n += member;
	}
	return n > 1 && n < len ? n + 1 : 0;
}

/* The length of the complete type that the LEN characters at SIG begin with, 0 when they begin with none. */
static size_t type_length(const char *sig, size_t len, unsigned arrays, unsigned structs)
{
	size_t element;

	if (!len || !sig[0] || arrays > DEPTH_KIND_MAX || structs > DEPTH_KIND_MAX)
		return 0;
	if (strchr(BASIC "v", sig[0]))
		return 1;
	if (sig[0] == '(')
		return struct_length(sig, len, arrays, structs);
	if (sig[0] != 'a')
		return 0;
	if (len > 1 && sig[1] == '{')
		element = dict_length(sig + 1, len - 1, arrays + 1, structs);
	else
		element = type_length(sig + 1, len - 1, arrays + 1, structs);
	return element ? element + 1 : 0;
}

static size_t next_length(const struct bus_reader *r)
{
	if (r->sig[r->sig_at] == '{') {
		size_t n = r->sig_at;

		for (unsigned depth = 0; n < r->sig_len; n++) {
			depth += r->sig[n] == '{';
			depth -= r->sig[n] == '}';
			if (!depth)
				return n + 1 - r->sig_at;
		}
		return 0;
	}
	return type_length(r->sig + r->sig_at, r->sig_len - r->sig_at, 0, 0);
}

static bool is_signature(const char *sig, size_t len)
{
	while (len) {
		size_t n = type_length(sig, len, 0, 0);

		if (!n)
			return false;
		sig += n;
		len -= n;
	}
	return true;
}

/* "Valid Object Paths" */
static bool is_path(const char *path)
{
	const char *p = path;

	if (*p != '/')
		return false;
	for (; *p; p++) {
		if (*p == '/' ? p[1] == '/' || (!p[1] && p != path)
			      : !strchr("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
					"0123456789_",
					*p))
			return false;
	}
	return true;
}

/* ---- bytes ---- */

/* To the next value: padding is zero. */
static int align(struct bus_reader *r, size_t alignment)
{
	size_t n = bus_padding(r->at, alignment);

	if (n > r->end - r->at)
		return -EBADMSG;
	for (; n; n--) {
		if (r->data[r->at++])
			return -EBADMSG;
	}
	return 0;
}

static int take_number(struct bus_reader *r, char type, uint64_t *ret)
{
	size_t size = bus_fixed_size(type);
	uint64_t value = 0;

	if (align(r, size) < 0 || size > r->end - r->at)
		return -EBADMSG;
	for (size_t i = 0; i < size; i++)
		value |= (uint64_t)r->data[r->at + i] << (8 * (r->big ? size - 1 - i : i));
	r->at += size;
	if (type == 'b' && value > 1)
		return -EBADMSG;
	/* Two's complement: what is above the sign bit becomes like it. */
	if (IS_SIGNED(type) && value >> (8 * size - 1))
		value |= UINT64_MAX << (8 * size);
	*ret = value;
	return 1;
}

static int take_text(struct bus_reader *r, char type, const char **ret)
{
	const char *text;
	uint64_t len;

	if (take_number(r, type == 'g' ? 'y' : 'u', &len) < 0 || len >= r->end - r->at)
		return -EBADMSG;
	text = (const char *)r->data + r->at;
	if (memchr(text, '\0', len + 1) != text + len)
		return -EBADMSG;
	if (type == 'o' ? !is_path(text) : type == 'g' && !is_signature(text, len))
		return -EBADMSG;
	r->at += len + 1;
	*ret = text;
	return 1;
}

/* ---- values ---- */

/* At the type that comes next, or at the end: an array begins anew with each element. */
static void settle(struct bus_reader *r)
{
	if (r->array && r->sig_at == r->sig_len && r->at < r->end)
		r->sig_at = 0;
}

char bus_next_type(const struct bus_reader *r)
{
	if (r->array && (r->sig_at == 0 || r->sig_at == r->sig_len))
		return r->at < r->end ? r->sig[0] : '\0';
	return r->sig_at < r->sig_len ? r->sig[r->sig_at] : '\0';
}

/* 1 with R at a value of TYPE, 0 or -ENXIO. */
static int expect(struct bus_reader *r, char type)
{
	char next = bus_next_type(r);

	if (!next)
		return 0;
	if (next != type)
		return -ENXIO;
	settle(r);
	return 1;
}

int bus_read_number(struct bus_reader *r, char type, uint64_t *ret)
{
	int n = expect(r, type);

	if (n <= 0)
		return n;
	r->sig_at++;
	return take_number(r, type, ret);
}

int bus_read_text(struct bus_reader *r, char type, const char **ret)
{
	int n = expect(r, type);

	if (n <= 0)
		return n;
	r->sig_at++;
	return take_text(r, type, ret);
}

static int enter_array(struct bus_reader *r, size_t type_len, struct bus_reader *ret)
{
	uint64_t len;

	if (take_number(r, 'u', &len) < 0 || align(r, bus_alignment(r->sig[r->sig_at + 1])) < 0 ||
	    len > r->end - r->at)
		return -EBADMSG;
	*ret = *r;
	ret->end = r->at + len;
	ret->sig = r->sig + r->sig_at + 1;
	ret->sig_len = type_len - 1;
	ret->sig_at = 0;
	ret->array = true;
	return 1;
}

/* Into what R is at, whose signature is TYPE_LEN long; R stays there. */
static int enter(struct bus_reader *r, size_t type_len, struct bus_reader *ret)
{
	const char *sig;

	if (r->sig[r->sig_at] == 'a')
		return enter_array(r, type_len, ret);
	if (r->sig[r->sig_at] == 'v') {
		if (take_text(r, 'g', &sig) < 0)
			return -EBADMSG;
		*ret = *r;
		ret->sig = sig;
		ret->sig_len = strlen(sig);
		/* Exactly one type. */
		if (!ret->sig_len || type_length(sig, ret->sig_len, 0, 0) != ret->sig_len)
			return -EBADMSG;
	} else {
		if (align(r, 8) < 0)
			return -EBADMSG;
		*ret = *r;
		ret->sig = r->sig + r->sig_at + 1;
		ret->sig_len = type_len - 2;
	}
	ret->sig_at = 0;
	ret->array = false;
	return 1;
}

static int skip(struct bus_reader *r, unsigned depth)
{
	struct bus_reader inner;
	const char *text;
	uint64_t number;
	char type = bus_next_type(r);
	size_t len;
	int n;

	if (!type)
		return 0;
	settle(r);
	if (bus_fixed_size(type)) {
		r->sig_at++;
		return take_number(r, type, &number);
	}
	if (strchr("sog", type)) {
		r->sig_at++;
		return take_text(r, type, &text);
	}
	len = next_length(r);
	if (!len || depth >= DEPTH_MAX || enter(r, len, &inner) < 0)
		return -EBADMSG;
	do
		n = skip(&inner, depth + 1);
	while (n > 0);
	if (n < 0)
		return n;
	r->at = inner.at;
	r->sig_at += len;
	return 1;
}

int bus_read_skip(struct bus_reader *r)
{
	return skip(r, 0);
}

int bus_read_enter(struct bus_reader *r, const char *type, struct bus_reader *ret)
{
	struct bus_reader here;
	size_t len;
	int n = expect(r, type[0]);

	if (n <= 0)
		return n;
	len = next_length(r);
	if (!len)
		return -EBADMSG;
	if (type[1] && (strlen(type) != len || memcmp(type, r->sig + r->sig_at, len) != 0))
		return -ENXIO;
	here = *r;
	n = skip(r, 0);
	if (n < 0 || enter(&here, len, ret) < 0)
		return -EBADMSG;
	ret->end = r->at;
	return 1;
}

/* ---- messages ---- */

size_t bus_length(const uint8_t *data, size_t len, const char **ret_reason)
{
	struct bus_reader r = {.data = data, .at = 4, .end = len, .big = data[0] == 'B'};
	uint64_t body = 0, fields = 0, serial;

	*ret_reason = "it is no D-Bus message";
	if ((data[0] != 'l' && data[0] != 'B') || data[3] != BUS_VERSION || !data[1])
		return 0;
	if (take_number(&r, 'u', &body) < 0 || take_number(&r, 'u', &serial) < 0 ||
	    take_number(&r, 'u', &fields) < 0)
		return 0;
	*ret_reason = "it is longer than 1 MiB";
	fields += BUS_FIXED_HEADER;
	fields += bus_padding(fields, 8);
	if (body + fields > BUS_MESSAGE_MAX)
		return 0;
	*ret_reason = NULL;
	return (size_t)(body + fields);
}

static int read_field(struct bus_reader *field, struct bus_message *m, uint32_t *fds)
{
	const char **const texts[] = {NULL, &m->path,	     &m->interface, &m->member,	  &m->error,
				      NULL, &m->destination, &m->sender,    &m->signature};
	struct bus_reader value;
	uint64_t code, number;
	char type;
	int r;

	if (bus_read_number(field, 'y', &code) <= 0 || bus_read_enter(field, "v", &value) <= 0)
		return -EBADMSG;
	type = bus_field_type((uint8_t)code);
	/* "Implementations must ignore fields they do not understand." */
	if (!type)
		return code ? 0 : -EBADMSG;
	if (type != 'u')
		return *texts[code] || bus_read_text(&value, type, texts[code]) <= 0 ? -EBADMSG : 0;
	r = bus_read_number(&value, 'u', &number);
	if (r <= 0)
		return -EBADMSG;
	*(code == FIELD_FDS ? fds : &m->reply_serial) = (uint32_t)number;
	return 0;
}

/* What each kind must have: "Header Fields". Unknown kinds are to be ignored: they are the reader's to pass over. */
static bool has_what_it_must(const struct bus_message *m)
{
	switch (m->kind) {
	case BUS_CALL:
		return m->path && m->member;
	case BUS_RETURN:
		return m->reply_serial;
	case BUS_ERROR:
		return m->reply_serial && m->error;
	case BUS_SIGNAL:
		return m->path && m->interface && m->member;
	default:
		return true;
	}
}

struct bus_reader bus_body(const struct bus_message *m)
{
	return (struct bus_reader){.data = m->body,
				   .end = m->len,
				   .sig = m->signature ? m->signature : "",
				   .sig_len = m->signature ? strlen(m->signature) : 0,
				   .big = m->big};
}

static int parse_fields(struct bus_reader *r, struct bus_message *m, uint32_t *fds)
{
	struct bus_reader fields, field;
	int n = bus_read_enter(r, "a(yv)", &fields);

	while (n > 0 && (n = bus_read_enter(&fields, "(yv)", &field)) > 0) {
		if (read_field(&field, m, fds) < 0)
			return -EBADMSG;
	}
	return n < 0 ? n : align(r, 8);
}

int bus_parse(const uint8_t *data, size_t len, struct bus_message *ret, const char **ret_reason)
{
	struct bus_message m = {0};
	struct bus_reader r = {.data = data, .at = 4, .end = len, .sig = "a(yv)", .sig_len = 5};
	uint64_t body, serial;
	uint32_t fds = 0;

	*ret_reason = "it is no D-Bus message";
	if (len < BUS_FIXED_HEADER)
		return -EBADMSG;
	body = bus_length(data, len, ret_reason);
	if (body && body != len)
		*ret_reason = "its length is not what its header says";
	if (body != len)
		return -EBADMSG;
	*ret_reason = "its header is not as the D-Bus specification says";
	m.kind = data[1];
	m.flags = data[2];
	m.big = r.big = data[0] == 'B';
	if (take_number(&r, 'u', &body) < 0 || take_number(&r, 'u', &serial) < 0 || !serial ||
	    parse_fields(&r, &m, &fds) < 0 || r.at != len - body || !has_what_it_must(&m))
		return -EBADMSG;
	*ret_reason = "it comes with file descriptors";
	if (fds)
		return -EBADMSG;
	m.serial = (uint32_t)serial;
	m.signature = m.signature ? m.signature : "";
	m.body = data + r.at;
	m.len = (size_t)body;
	*ret_reason = "its body is not what its signature says";
	r = bus_body(&m);
	while (bus_next_type(&r)) {
		if (bus_read_skip(&r) < 0)
			return -EBADMSG;
	}
	if (r.at != r.end)
		return -EBADMSG;
	*ret_reason = NULL;
	*ret = m;
	return 0;
}
