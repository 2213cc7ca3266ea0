/* SPDX-License-Identifier: Apache-2.0 */
/* Lists of texts that grow. */
#pragma once

#include <stddef.h>

/*
 * Appends a copy of S to the *LEN texts of *LIST, which grows by reallocarray(3). Returns 0 or -ENOMEM; the caller frees the texts
 * and the list, after a failure too.
 */
int str_list_push(char ***list, size_t *len, const char *s);
