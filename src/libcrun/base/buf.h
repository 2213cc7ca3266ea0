/* SPDX-License-Identifier: Apache-2.0 */
/* A growable byte buffer that is always NUL-terminated and remembers a failed allocation. */
#pragma once

#include "base/cleanup.h"

#include <stdbool.h>
#include <stddef.h>

/* All-zero is an empty buffer. Once `failed` is set every append is a no-op: check it once, at the end. */
struct buf {
	char *data;
	size_t len, cap;
	bool failed;
};

void buf_append(struct buf *b, const void *data, size_t len);
void buf_puts(struct buf *b, const char *s);
void buf_printf(struct buf *b, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* Releases the memory; accepts an empty buffer. */
void buf_done(struct buf *b);

#define _cleanup_buf_ _cleanup_(buf_done)
