// SPDX-License-Identifier: Apache-2.0
// Small string helpers: see str.h.
#include "base/str.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

int str_to_u64(const char *s, uint64_t max, uint64_t *ret)
{
	uint64_t v = 0;

	if (*s == '\0')
		return -EINVAL;
	for (; *s; s++) {
		unsigned digit = (unsigned char)*s - (unsigned)'0';

		if (digit > 9)
			return -EINVAL;
		if (v > (UINT64_MAX - digit) / 10)
			return -ERANGE;
		v = v * 10 + digit;
	}
	if (v > max)
		return -ERANGE;
	*ret = v;
	return 0;
}

int str_to_i64(const char *s, int64_t *ret)
{
	bool negative = *s == '-';
	uint64_t v;
	int r;

	r = str_to_u64(s + negative, (uint64_t)INT64_MAX + negative, &v);
	if (r < 0)
		return r;
	*ret = negative ? (int64_t)(0 - v) : (int64_t)v;
	return 0;
}

bool str_is_filename(const char *name)
{
	return *name && !str_eq(name, ".") && !str_eq(name, "..") && !strchr(name, '/');
}

char *str_dup(const char *s)
{
	return strdup(s);
}

char *str_printf(const char *fmt, ...)
{
	char *text = NULL;
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vasprintf(&text, fmt, ap);
	va_end(ap);
	return n < 0 ? NULL : text;
}
