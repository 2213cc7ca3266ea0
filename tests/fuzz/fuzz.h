/* SPDX-License-Identifier: Apache-2.0 */
/* What the fuzz targets share: the entry point, claims that abort, and small readers of the input. */
#pragma once

#include "base/error.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define REQUIRE(condition)                \
	do {                              \
		if (!(condition))         \
			__builtin_trap(); \
	} while (0)

/* A NUL-terminated copy in an allocation of its own, so that the sanitizer sees a read behind the end. The caller frees it. */
static inline char *fuzz_text(const uint8_t *data, size_t size)
{
	char *text = malloc(size + 1);

	REQUIRE(text);
	if (size)
		memcpy(text, data, size);
	text[size] = '\0';
	return text;
}

/* The next line of *TEXT, cut off; "" at the end. */
static inline char *fuzz_line(char **text)
{
	char *line = strsep(text, "\n");

	return line ? line : "";
}

/* A function of ours returned R < 0: *ERR says why, in one printable line. */
static inline void fuzz_check_error(int r, const struct crun_error *err)
{
	char line[sizeof(err->at) + sizeof(err->text) + 4];

	REQUIRE(r < 0 && err->errnum == -r);
	REQUIRE(memchr(err->text, '\0', sizeof(err->text)) && err->text[0]);
	REQUIRE(memchr(err->at, '\0', sizeof(err->at)));
	REQUIRE(err->at[0] == '\0' || err->at[0] == '/');
	for (const char *p = err->text; *p; p++)
		REQUIRE((unsigned char)*p >= 0x20 && *p != 0x7f);
	REQUIRE(err->kind > KIND_NONE && err->kind < KIND_MAX);
	REQUIRE(err_code_name(err)[0] && err_kind_name(err->kind)[0]);
	REQUIRE(err_format(err, line, sizeof(line)) > 0);
}
