// SPDX-License-Identifier: Apache-2.0
// Lists of texts that grow: see str_list.h.
#include "base/str_list.h"

#include "base/str.h"

#include <errno.h>
#include <stdlib.h>

int str_list_push(char ***list, size_t *len, const char *s)
{
	char *copy;

	/* Grows at the powers of two. */
	if (!(*len & (*len - 1))) {
		char **grown = reallocarray(*list, *len ? 2 * *len : 1, sizeof(char *));

		if (!grown)
			return -ENOMEM;
		*list = grown;
	}
	copy = str_dup(s);
	if (!copy)
		return -ENOMEM;
	(*list)[(*len)++] = copy;
	return 0;
}
