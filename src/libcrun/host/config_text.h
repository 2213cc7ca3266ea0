/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A configuration as text from which faulty values are taken out one by one, so that the checks, which stop at the first fault,
 * find the next. Remembers what was removed from arrays: pointers into the present text lead back to the text as it was read.
 */
#pragma once

#include "base/buf.h"

#include <stdbool.h>
#include <stddef.h>

#define CONFIG_TEXT_POINTER 256

struct config_text {
	struct buf
		text; /* the present text; may be read, is changed by config_text_repair() only */
	char (*removed)[CONFIG_TEXT_POINTER]; /* array items, as the original numbers them */
	size_t removed_len;
	unsigned defaults_used; /* bit per default value */
};

/* Returns 0 or -ENOMEM; config_text_done() in any case. */
int config_text_init(struct config_text *t, const char *data, size_t len);
void config_text_done(struct config_text *t);

/* What POINTER (into the present text) was in the original, in ORIGINAL of CONFIG_TEXT_POINTER bytes. */
void config_text_original(const struct config_text *t, const char *pointer, char *original);

/* Whether every bracket that is opened is closed: a document that breaks off cannot be repaired. */
bool config_text_is_whole(const struct config_text *t);

/*
 * Replaces the value at POINTER by one that is in order, or removes it, or what is around it. Returns false when nothing could be
 * changed any more.
 */
bool config_text_repair(struct config_text *t, const char *pointer);
