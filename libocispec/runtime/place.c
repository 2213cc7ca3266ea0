// SPDX-License-Identifier: Apache-2.0
// Places in a text: UTF-8 validity, the start of a token, line and column of an offset.

#include <libocispec/runtime/model.h>

#include <string.h>

static bool is_tail(unsigned char byte)
{
	return (byte & 0xc0) == 0x80;
}

/* Unicode 15, table 3-7: no overlong forms, no surrogates, nothing above U+10FFFF. */
size_t oci_utf8_char(const char *data, size_t len)
{
	const unsigned char *p = (const unsigned char *)data;
	unsigned char low = 0x80, high = 0xbf;
	size_t need, i;

	if (len == 0)
		return 0;
	if (p[0] < 0x80)
		return 1;
	if (p[0] >= 0xc2 && p[0] <= 0xdf)
		need = 2;
	else if (p[0] >= 0xe0 && p[0] <= 0xef)
		need = 3;
	else if (p[0] >= 0xf0 && p[0] <= 0xf4)
		need = 4;
	else
		return 0;
	if (p[0] == 0xe0)
		low = 0xa0;
	else if (p[0] == 0xed)
		high = 0x9f;
	else if (p[0] == 0xf0)
		low = 0x90;
	else if (p[0] == 0xf4)
		high = 0x8f;
	if (len < need || p[1] < low || p[1] > high)
		return 0;
	for (i = 2; i < need; i++)
		if (!is_tail(p[i]))
			return 0;
	return need;
}

size_t oci_utf8_check(const char *data, size_t len)
{
	size_t at = 0, n;
	uint64_t word;

	while (at < len) {
		/* Documents are nearly all ASCII: eight bytes at a time. */
		while (len - at >= sizeof(word)) {
			memcpy(&word, data + at, sizeof(word));
			if (word & UINT64_C(0x8080808080808080))
				break;
			at += sizeof(word);
		}
		if (at == len)
			break;
		n = oci_utf8_char(data + at, len - at);
		if (n == 0)
			return at;
		at += n;
	}
	return len;
}

static bool is_word(char c)
{
	return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
	       c == '+' || c == '-' || c == '.';
}

/* Inside a string every quote has an odd number of backslashes before it, so the first one with an
 * even number is the opening one. */
static size_t string_start(const char *data, size_t quote)
{
	size_t at = quote, slashes;

	while (at > 0) {
		at--;
		if (data[at] != '"')
			continue;
		slashes = 0;
		while (slashes < at && data[at - 1 - slashes] == '\\')
			slashes++;
		if (slashes % 2 == 0)
			return at;
	}
	return quote;
}

size_t oci_token_start(const char *data, size_t end)
{
	if (end == 0)
		return 0;
	if (data[end - 1] == '"')
		return string_start(data, end - 1);
	if (!is_word(data[end - 1]))
		return end - 1;
	while (end > 0 && is_word(data[end - 1]))
		end--;
	return end;
}

void oci_line_column(const char *data, size_t offset, unsigned *ret_line, unsigned *ret_column)
{
	unsigned line = 1, column = 1;
	size_t i;

	for (i = 0; i < offset; i++) {
		if (data[i] == '\n') {
			line++;
			column = 1;
		} else if (!is_tail((unsigned char)data[i])) {
			column++;
		}
	}
	*ret_line = line;
	*ret_column = column;
}
