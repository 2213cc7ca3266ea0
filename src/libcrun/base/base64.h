/* SPDX-License-Identifier: Apache-2.0 */
/* Base64 (RFC 4648) into bytes. */
#pragma once

#include <stddef.h>
#include <sys/types.h>

/* The most bytes that a text of LEN characters can stand for. */
#define BASE64_DECODED_MAX(len) ((len) / 4 * 3)

/*
 * Decodes all of TEXT, with padding and without blanks, into OUT, which has room for BASE64_DECODED_MAX(strlen(TEXT)) bytes. Returns the
 * number of bytes, or -EINVAL.
 */
ssize_t base64_decode(const char *text, void *out);
