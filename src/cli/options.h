/* SPDX-License-Identifier: Apache-2.0 */
/* The one parser of command lines: option tables feed parsing, --help and the check of the man page. */
#pragma once

#include "libcrun.h"

#include <stdbool.h>
#include <stddef.h>

enum option_type {
	OPTION_FLAG,  /* bool = true */
	OPTION_TEXT,  /* const char * = the argument, which may not be empty */
	OPTION_COUNT, /* unsigned = the argument, a decimal number */
	OPTION_CHOICE, /* const char * = the argument, one of the words of `argument`, which are parted by '|' */
	OPTION_DURATION, /* int64_t = milliseconds; the argument is a decimal number, with or without one of ms, s, m, h */
	OPTION_CONSTANT, /* const char * = `constant` */
	OPTION_LIST, /* const char *const * = all arguments of the option in their order, NULL at the end; malloc'd, see options_free() */
	OPTION_HELP, /* parsing ends with OPTIONS_HELP */
};

/* One option. Tables end with OPTIONS_END. */
struct option_spec {
	const char *name;    /* long form, without the dashes */
	const char *letters; /* one-letter forms ("vV"), or NULL */
	enum option_type type;
	size_t offset;	      /* in the struct that options_parse() fills */
	const char *argument; /* what help calls the argument; NULL when none is taken */
	const char *constant;
	const char *help; /* one line, in the imperative where it does something */
};

#define OPTIONS_END          \
	{                    \
		.name = NULL \
	}

/* The largest number that OPTION_COUNT takes: two of them never overflow an int. */
#define OPTION_COUNT_MAX 0x3fffffff

/* --help, a part of every command's options. */
extern const struct option_spec options_help[];

#define OPTIONS_HELP 1

/*
 * Parses options from argv[*at] (NULL at the end of argv) until the first word that is none, and stores them in the
 * struct at TARGET; PARTS are the tables, NULL at the end. Sets *at to the first word that was not used. The forms:
 * --name VALUE, --name=VALUE, unambiguous beginnings of long names, -name for a whole long name (the Go flag style of
 * some engines), -x VALUE, -xVALUE, -xyz for flags, and -- as the end of the options. The last of repeated options wins, but
 * OPTION_LIST collects them.
 *
 * Returns 0, OPTIONS_HELP when help was asked for, or a negative errno for the first mistake. After a mistake the rest
 * is parsed all the same: where to log may be told behind it. Texts stored point into argv or the tables.
 */
int options_parse(const struct option_spec *const *parts, void *target, char *const *argv, int *at,
		  struct crun_error *err) CRUN_NODISCARD;

/* Frees the lists that options_parse() has stored in the struct at TARGET. */
void options_free(const struct option_spec *const *parts, void *target);
