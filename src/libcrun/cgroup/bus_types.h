/* SPDX-License-Identifier: Apache-2.0 */
/* D-Bus's types, as writing and reading share them: D-Bus Specification, "Summary of D-Bus marshalling", "Header Fields". */
#pragma once

#include <stddef.h>
#include <stdint.h>

#define BUS_VERSION 1

enum bus_field {
	FIELD_PATH = 1,
	FIELD_INTERFACE = 2,
	FIELD_MEMBER = 3,
	FIELD_ERROR = 4,
	FIELD_REPLY_SERIAL = 5,
	FIELD_DESTINATION = 6,
	FIELD_SENDER = 7,
	FIELD_SIGNATURE = 8,
	FIELD_FDS = 9,
};

/* The type of a header field's value, '\0' for one that this version of the protocol has not. */
static inline char bus_field_type(uint8_t code)
{
	static const char types[] = {'\0', 'o', 's', 's', 's', 'u', 's', 's', 'g', 'u'};

	return code < sizeof(types) ? types[code] : '\0';
}

/* Bytes of a value of a type that has always the same number of them, 0 for others. */
static inline size_t bus_fixed_size(char type)
{
	switch (type) {
	case 'y':
		return 1;
	case 'n':
	case 'q':
		return 2;
	case 'b':
	case 'i':
	case 'u':
	case 'h':
		return 4;
	case 'x':
	case 't':
	case 'd':
		return 8;
	default:
		return 0;
	}
}

static inline size_t bus_alignment(char type)
{
	switch (type) {
	case 's':
	case 'o':
	case 'a':
		return 4;
	case '(':
	case '{':
		return 8;
	case 'g':
	case 'v':
		return 1;
	default:
		return bus_fixed_size(type);
	}
}

/* How many bytes after AT up to the next multiple of ALIGNMENT, which is a power of two. */
static inline size_t bus_padding(size_t at, size_t alignment)
{
	return -at & (alignment - 1);
}
