/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One D-Bus message as bytes, written and read: D-Bus Specification, "Type System" and "Message Protocol". Pure. Written is
 * little-endian; read is either, for a manager on a big-endian machine writes big-endian. No descriptors are passed.
 */
#pragma once

#include "base/buf.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The part of the header that says how long the message is. */
#define BUS_FIXED_HEADER 16
/* The longest message that we write or read. The specification allows 128 MiB; systemd's longest answer to us is a list of devices. */
#define BUS_MESSAGE_MAX (1U << 20)

enum bus_kind {
	BUS_CALL = 1,
	BUS_RETURN = 2,
	BUS_ERROR = 3,
	BUS_SIGNAL = 4,
};

#define BUS_NO_REPLY 1 /* a flag: the caller expects none */

/* A message's header, and where its body is. Strings are NULL where there is none, but for `signature`, which is "" then. */
struct bus_message {
	uint8_t kind, flags;
	bool big;
	uint32_t serial, reply_serial;
	const char *path, *interface, *member, *error, *destination, *sender;
	const char *signature;
	const uint8_t *body;
	size_t len; /* of the body */
};

/* ---- writing ---- */

/* All-zero is not valid: bus_write_begin. What fails is remembered until bus_write_end. */
struct bus_writer {
	struct buf data;
	bool invalid; /* a string that D-Bus does not allow */
};

/*
 * Begins a message with the header HEAD, in which kind, flags, the strings and reply_serial count. The values of the body follow,
 * as HEAD->signature says: that they do is the caller's promise, which bus_parse() of the result checks in the tests.
 */
void bus_write_begin(struct bus_writer *w, const struct bus_message *head);

/* A value of the type TYPE, one of y b n q i u x t d; an integer is cut to its width, a double given as its bits. */
void bus_write_number(struct bus_writer *w, char type, uint64_t value);

/* A string or object path. One that is no UTF-8 makes the message invalid: a broker ends the connection for it. */
void bus_write_string(struct bus_writer *w, const char *text);

/* Before the value of a variant: its type. */
void bus_write_signature(struct bus_writer *w, const char *signature);

/* Before the members of a struct or dict entry. */
void bus_write_struct(struct bus_writer *w);

/* Before and after the elements of an array whose elements' type begins with TYPE; the end takes what the beginning gave. */
size_t bus_write_array(struct bus_writer *w, char type);
void bus_write_array_end(struct bus_writer *w, char type, size_t array);

/* Ends the message. 0, -ENOMEM, -EINVAL: a string is no UTF-8, -EMSGSIZE. */
int bus_write_end(struct bus_writer *w);

/* The serial of an ended message, by which its answer is known; not 0. */
void bus_write_serial(struct bus_writer *w, uint32_t serial);

void bus_write_done(struct bus_writer *w);
#define _cleanup_bus_writer_ _cleanup_(bus_write_done)

/* ---- reading ---- */

/*
 * How long the message is that begins with the LEN >= BUS_FIXED_HEADER bytes at DATA, or 0 with *ret_reason: it is no D-Bus message, or
 * too long.
 */
size_t bus_length(const uint8_t *data, size_t len, const char **ret_reason);

/*
 * Reads the LEN bytes at DATA, which are one message, and checks all of them: header fields, and the body against its signature. 0, or
 * -EBADMSG with *ret_reason, a constant. *ret points into DATA.
 */
int bus_parse(const uint8_t *data, size_t len, struct bus_message *ret, const char **ret_reason);

/* A place in a message: the values of the body, of an array, of a struct, or a variant's one. */
struct bus_reader {
	const uint8_t *data; /* alignment counts from here */
	size_t at, end;
	const char *sig; /* of what is read here */
	size_t sig_len, sig_at;
	bool array; /* the signature repeats until the end */
	bool big;
};

/* At the beginning of the body of M, which bus_parse has checked. */
struct bus_reader bus_body(const struct bus_message *m);

/* The type that comes next, as its first character; '\0' at the end. */
char bus_next_type(const struct bus_reader *r);

/*
 * The next value: 1, 0 at the end, -ENXIO when it is of another type (nothing is read then), -EBADMSG. A number is sign-extended, a
 * double given as its bits; a text points into the message, and TYPE is one of s o g.
 */
int bus_read_number(struct bus_reader *r, char type, uint64_t *ret);
int bus_read_text(struct bus_reader *r, char type, const char **ret);

/*
 * Steps into the array, struct, dict entry or variant that comes next, if its signature is TYPE ("a(ss)", "v"), or begins with it where TYPE
 * is one character. R is behind it afterwards. Returns as above.
 */
int bus_read_enter(struct bus_reader *r, const char *type, struct bus_reader *ret);

/* Passes over the next value, whatever it is: 1, 0 at the end, -EBADMSG. */
int bus_read_skip(struct bus_reader *r);
