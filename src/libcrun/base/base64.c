// SPDX-License-Identifier: Apache-2.0
// Base64 into bytes: see base64.h.
#include "base/base64.h"

#include <errno.h>
#include <stdint.h>
#include <string.h>

/* The six bits that C stands for, or -1. */
static int bits_of(char c)
{
	if (c >= 'A' && c <= 'Z')
		return c - 'A';
	if (c >= 'a' && c <= 'z')
		return c - 'a' + 26;
	if (c >= '0' && c <= '9')
		return c - '0' + 52;
	return c == '+' ? 62 : c == '/' ? 63 : -1;
}

ssize_t base64_decode(const char *text, void *out)
{
	size_t len = strlen(text), pad = 0, n = 0;
	uint8_t *to = out;

	if (len % 4)
		return -EINVAL;
	if (len && text[len - 1] == '=')
		pad = text[len - 2] == '=' ? 2 : 1;
	for (size_t i = 0; i < len; i += 4) {
		size_t given = i + 4 == len ? 4 - pad : 4;
		uint32_t group = 0;

		for (size_t k = 0; k < 4; k++) {
			int bits = k < given ? bits_of(text[i + k]) : 0;

			if (bits < 0)
				return -EINVAL;
			group = group << 6 | (uint32_t)bits;
		}
		for (size_t k = 0; k + 1 < given; k++)
			to[n++] = (uint8_t)(group >> (16 - 8 * k));
		/* RFC 4648, 3.5: bits that stand for nothing must be zero, or one content would have several texts. */
		if (given < 4 && group << (8 + 8 * (given - 1)))
			return -EINVAL;
	}
	return (ssize_t)n;
}
