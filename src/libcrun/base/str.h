/* SPDX-License-Identifier: Apache-2.0 */
/* Small string helpers: comparisons, exact number parsing, names of things. */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <sys/types.h>

static inline bool str_eq(const char *a, const char *b)
{
	return strcmp(a, b) == 0;
}

/* Returns the rest of S after PREFIX, or NULL when S does not begin with it. */
static inline const char *str_after(const char *s, const char *prefix)
{
	size_t n = strlen(prefix);

	return strncmp(s, prefix, n) == 0 ? s + n : NULL;
}

/*
 * Parses all of S as an unsigned decimal number of at most MAX: no sign, no blanks, no trailing text.
 * Returns 0 and sets *ret, or -EINVAL (not a number) or -ERANGE; *ret is untouched on failure.
 */
int str_to_u64(const char *s, uint64_t max, uint64_t *ret);

/* The same with an optional leading '-'. */
int str_to_i64(const char *s, int64_t *ret);

/* True when NAME is a single path component that is safe to use as a file name: no '/', not ".", not "..", not empty. */
bool str_is_filename(const char *name);

/*
 * strdup(3) for what goes into an element of an array: gcc's analyzer loses sight of it there, and takes that for a leak when it knows
 * the function. NULL on ENOMEM. The caller frees it.
 */
char *str_dup(const char *s);

/* strdup(3) of a printf(3)-formatted text; NULL on ENOMEM. The caller frees it. */
char *str_printf(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
