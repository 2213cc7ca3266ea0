// SPDX-License-Identifier: Apache-2.0
// Lists of numbers and ranges, turned into bit masks: see number_list.h.
#include "base/number_list.h"

#include <errno.h>
#include <stdint.h>
#include <string.h>

static const char *skip_blanks(const char *s)
{
	return s + strspn(s, " ");
}

static int parse_number(const char **s, unsigned limit, unsigned *ret)
{
	uint64_t value = 0;

	*s = skip_blanks(*s);
	if (**s < '0' || **s > '9')
		return -EINVAL;
	for (; **s >= '0' && **s <= '9'; (*s)++) {
		value = value * 10 + (uint64_t)(**s - '0');
		if (value >= limit)
			return -ERANGE;
	}
	*s = skip_blanks(*s);
	*ret = (unsigned)value;
	return 0;
}

int number_list_parse(const char *text, unsigned limit, unsigned long *mask, unsigned *end)
{
	*end = 0;
	while (*(text = skip_blanks(text))) {
		unsigned first, last;
		int r;

		if (*text == ',') {
			text++;
			continue;
		}
		r = parse_number(&text, limit, &first);
		if (r < 0)
			return r;
		last = first;
		if (*text == '-') {
			text++;
			r = parse_number(&text, limit, &last);
			if (r < 0)
				return r;
		}
		if (last < first || (*text && *text != ','))
			return -EINVAL;
		if (last >= *end)
			*end = last + 1;
		for (unsigned i = first; mask && i <= last; i++)
			mask[i / NUMBER_LIST_WORD_BITS] |= 1UL << i % NUMBER_LIST_WORD_BITS;
	}
	return 0;
}
