/* SPDX-License-Identifier: Apache-2.0 */
/* Lists of CPUs and memory nodes as the specification and the kernel write them: "0-3,7". */
#pragma once

#include <limits.h>
#include <stddef.h>

#define NUMBER_LIST_WORD_BITS (sizeof(unsigned long) * CHAR_BIT)
/* Words of a mask that has room for END numbers, from 0 on. */
#define NUMBER_LIST_WORDS(end) (((size_t)(end) + NUMBER_LIST_WORD_BITS - 1) / NUMBER_LIST_WORD_BITS)

/*
 * Parses TEXT: numbers and ranges below LIMIT with commas between them; blanks and empty elements count for nothing, as in the kernel's
 * own files. Sets *END to the highest number + 1, or 0 for an empty list, and the bits of MASK unless that is NULL: a mask of
 * NUMBER_LIST_WORDS(*END) words, all zero before; a first call without one tells its size. Returns 0, -EINVAL (no such list, or a
 * range that goes downwards) or -ERANGE.
 */
int number_list_parse(const char *text, unsigned limit, unsigned long *mask, unsigned *end);
