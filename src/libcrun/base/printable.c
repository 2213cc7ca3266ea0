// SPDX-License-Identifier: Apache-2.0
// Control characters, and texts without them: see printable.h.
#include "base/printable.h"

#include <string.h>

size_t control_length(const char *text)
{
	const unsigned char *c = (const unsigned char *)text;

	if (c[0] == 0xc2 && c[1] >= 0x80 && c[1] < 0xa0)
		return 2;
	return c[0] && (c[0] < 0x20 || c[0] == 0x7f) ? 1 : 0;
}

void make_printable(char *text)
{
	while (*text) {
		size_t n = control_length(text);

		memset(text, '?', n);
		text += n ? n : 1;
	}
}
