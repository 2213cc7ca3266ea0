// SPDX-License-Identifier: Apache-2.0
// The parser of command lines: see options.h.
#include "options.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

const struct option_spec options_help[] = {
	{"help", "h", OPTION_HELP, 0, NULL, NULL, "show this help"},
	OPTIONS_END,
};

struct parse {
	const struct option_spec *const *parts;
	char *target;
	char *const *argv;
	int at; /* the word being parsed */
	bool help;
	struct crun_error *err;
};

/* The option as it was typed, for messages. */
struct typed {
	const char *dashes, *name;
	int len;
};

static int mistake(struct parse *p, const struct typed *typed, const char *what)
{
	return err_set(p->err, KIND_SPEC, EINVAL, "option `%s%.*s` %s", typed->dashes, typed->len,
		       typed->name, what);
}

static int unknown(struct parse *p, const struct typed *typed)
{
	return err_set(p->err, KIND_SPEC, EINVAL, "unknown option `%s%.*s`", typed->dashes,
		       typed->len, typed->name);
}

static const struct option_spec *find_letter(const struct parse *p, char letter)
{
	for (size_t i = 0; p->parts[i]; i++) {
		for (const struct option_spec *s = p->parts[i]; s->name; s++) {
			if (s->letters && strchr(s->letters, letter))
				return s;
		}
	}
	return NULL;
}

static const struct option_spec *find_exact(const struct parse *p, const struct typed *typed)
{
	size_t len = (size_t)typed->len;

	for (size_t i = 0; p->parts[i]; i++) {
		for (const struct option_spec *s = p->parts[i]; s->name; s++) {
			if (strlen(s->name) == len && memcmp(s->name, typed->name, len) == 0)
				return s;
		}
	}
	return NULL;
}

/* The only option that begins like that. Sets the error when there is none, or more than one. */
static const struct option_spec *find_beginning(struct parse *p, const struct typed *typed)
{
	const struct option_spec *found = NULL;

	for (size_t i = 0; p->parts[i]; i++) {
		for (const struct option_spec *s = p->parts[i]; s->name; s++) {
			if (strncmp(s->name, typed->name, (size_t)typed->len) != 0)
				continue;
			if (found) {
				err_set(p->err, KIND_SPEC, EINVAL,
					"option `%s%.*s` is ambiguous: `--%s` or `--%s`",
					typed->dashes, typed->len, typed->name, found->name,
					s->name);
				return NULL;
			}
			found = s;
		}
	}
	if (!found)
		unknown(p, typed);
	return found;
}

static bool is_one_of(const char *value, const char *words)
{
	size_t len = strlen(value);

	for (;;) {
		size_t word = strcspn(words, "|");

		if (word == len && memcmp(words, value, len) == 0)
			return true;
		if (words[word] == '\0')
			return false;
		words += word + 1;
	}
}

static int bad_value(struct parse *p, const struct typed *typed, const char *expected,
		     const char *value)
{
	return err_set(p->err, KIND_SPEC, EINVAL, "option `%s%.*s` takes %s, not `%s`",
		       typed->dashes, typed->len, typed->name, expected, value);
}

static int store_count(struct parse *p, const struct typed *typed, const char *value,
		       unsigned *where)
{
	char *end;
	unsigned long number;

	/* strtoul() itself takes a sign and blanks. */
	if (value[0] < '0' || value[0] > '9')
		return bad_value(p, typed, "a number", value);
	errno = 0;
	number = strtoul(value, &end, 10);
	if (*end)
		return bad_value(p, typed, "a number", value);
	if (errno || number > OPTION_COUNT_MAX)
		return bad_value(p, typed, "a smaller number", value);
	*where = (unsigned)number;
	return 0;
}

/* In milliseconds. At most a year: sums of it and the clock never overflow. */
#define DURATION_MAX (INT64_C(366) * 24 * 3600 * 1000)

static int store_duration(struct parse *p, const struct typed *typed, const char *value,
			  int64_t *where)
{
	static const struct {
		const char *name;
		int64_t ms;
	} units[] = {{"", 1000}, {"s", 1000}, {"ms", 1}, {"m", 60000}, {"h", 3600000}};
	int64_t whole = 0, part = 0, scale = 1;
	const char *c = value;

	for (; *c >= '0' && *c <= '9' && whole <= DURATION_MAX; c++)
		whole = whole * 10 + (*c - '0');
	if (c > value && *c == '.') {
		/* What is finer than a millionth is left out. */
		for (c++; *c >= '0' && *c <= '9'; c++) {
			part = scale < 1000000 ? part * 10 + (*c - '0') : part;
			scale = scale < 1000000 ? scale * 10 : scale;
		}
	}
	for (size_t i = 0; c > value && i < sizeof(units) / sizeof(units[0]); i++) {
		if (strcmp(c, units[i].name) != 0)
			continue;
		if (whole > DURATION_MAX / units[i].ms)
			return bad_value(p, typed, "less than a year", value);
		*where = whole * units[i].ms + part * units[i].ms / scale;
		/* Not nothing, which stands for no limit. */
		if (*where == 0 && part > 0)
			*where = 1;
		return 0;
	}
	return bad_value(p, typed, "a number of seconds, or one with ms, s, m or h behind it",
			 value);
}

static int append(struct parse *p, const char *value, const char ***list)
{
	size_t n = 0;
	const char **longer;

	while (*list && (*list)[n])
		n++;
	longer = reallocarray(*list, n + 2, sizeof(*longer));
	if (!longer)
		return err_sys(p->err, -ENOMEM, "read the options");
	longer[n] = value;
	longer[n + 1] = NULL;
	*list = longer;
	return 0;
}

static int store(struct parse *p, const struct option_spec *s, const struct typed *typed,
		 const char *value)
{
	void *where = p->target + s->offset;

	if (s->argument && value[0] == '\0')
		return mistake(p, typed, "requires an argument that is not empty");
	switch (s->type) {
	case OPTION_FLAG:
		*(bool *)where = true;
		break;
	case OPTION_CHOICE:
		if (!is_one_of(value, s->argument))
			return bad_value(p, typed, s->argument, value);
		*(const char **)where = value;
		break;
	case OPTION_TEXT:
		*(const char **)where = value;
		break;
	case OPTION_COUNT:
		return store_count(p, typed, value, where);
	case OPTION_LIST:
		return append(p, value, where);
	case OPTION_DURATION:
		return store_duration(p, typed, value, where);
	case OPTION_CONSTANT:
		*(const char **)where = s->constant;
		break;
	case OPTION_HELP:
		p->help = true;
		break;
	}
	return 0;
}

/* Stores an option whose argument, if any, is ATTACHED or the next word. */
static int use(struct parse *p, const struct option_spec *s, const struct typed *typed,
	       const char *attached)
{
	if (!s->argument) {
		if (attached)
			return mistake(p, typed, "takes no value");
		return store(p, s, typed, NULL);
	}
	if (!attached) {
		attached = p->argv[p->at + 1];
		if (!attached)
			return mistake(p, typed, "requires an argument");
		p->at++;
	}
	return store(p, s, typed, attached);
}

/* A word such as -b, -bVALUE, -db VALUE. */
static int parse_letters(struct parse *p, const char *word)
{
	for (const char *c = word + 1; *c; c++) {
		const struct typed typed = {"-", c, 1};
		const struct option_spec *s = find_letter(p, *c);
		int r;

		if (!s)
			return unknown(p, &typed);
		if (s->argument)
			return use(p, s, &typed, c[1] ? c + 1 : NULL);
		r = use(p, s, &typed, NULL);
		if (r < 0)
			return r;
	}
	return 0;
}

/* A word that begins with a dash and is longer than that. */
static int parse_word(struct parse *p)
{
	const char *word = p->argv[p->at];
	bool is_long = word[1] == '-';
	const char *name = word + (is_long ? 2 : 1);
	const char *equals = strchr(name, '=');
	const struct typed typed = {is_long ? "--" : "-", name,
				    (int)(equals ? (size_t)(equals - name) : strlen(name))};
	const struct option_spec *s = find_exact(p, &typed);

	if (!s && !is_long)
		return parse_letters(p, word);
	if (!s)
		s = find_beginning(p, &typed);
	if (!s)
		return -EINVAL;
	return use(p, s, &typed, equals ? equals + 1 : NULL);
}

void options_free(const struct option_spec *const *parts, void *target)
{
	for (size_t i = 0; parts[i]; i++) {
		for (const struct option_spec *s = parts[i]; s->name; s++) {
			if (s->type == OPTION_LIST)
				free(*(void **)((char *)target + s->offset));
		}
	}
}

int options_parse(const struct option_spec *const *parts, void *target, char *const *argv, int *at,
		  struct crun_error *err)
{
	struct crun_error later;
	struct parse p = {.parts = parts, .target = target, .argv = argv, .at = *at, .err = err};
	int result = 0;

	for (; argv[p.at]; p.at++) {
		const char *word = argv[p.at];
		int r;

		if (word[0] != '-' || word[1] == '\0')
			break;
		if (strcmp(word, "--") == 0) {
			p.at++;
			break;
		}
		r = parse_word(&p);
		if (r < 0 && result == 0) {
			result = r;
			p.err = &later;
		}
	}
	*at = p.at;
	if (result == 0 && p.help)
		return OPTIONS_HELP;
	return result;
}
