// SPDX-License-Identifier: Apache-2.0
// Properties of systemd units as values, and their text form in annotations.
#include "cgroup/systemd_value.h"

#include "base/cleanup.h"
#include "base/str.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void prop_clear(struct cg_prop *p)
{
	size_t strings = p->type == 's' ? 1 : p->type == 'P' ? 2 * p->len : p->len;

	for (size_t i = 0; p->strings && i < strings; i++)
		free(p->strings[i]);
	free(p->strings);
	free(p->numbers);
	p->strings = NULL;
	p->numbers = NULL;
	p->len = 0;
}

static size_t find(const struct cg_props *props, const char *name)
{
	size_t i = 0;

	while (i < props->len && !str_eq(props->items[i].name, name))
		i++;
	return i;
}

const struct cg_prop *cg_prop_find(const struct cg_props *props, const char *name)
{
	size_t i = find(props, name);

	return i < props->len ? &props->items[i] : NULL;
}

struct cg_prop *cg_prop_set(struct cg_props *props, const char *name, char type)
{
	size_t i = find(props, name);
	struct cg_prop *p;

	if (i == props->cap) {
		size_t cap = props->cap ? 2 * props->cap : 32;
		struct cg_prop *items = reallocarray(props->items, cap, sizeof(*items));

		if (!items)
			return NULL;
		props->items = items;
		props->cap = cap;
	}
	p = &props->items[i];
	if (i < props->len)
		prop_clear(p);
	else
		props->len++;
	*p = (struct cg_prop){.type = type};
	snprintf(p->name, sizeof(p->name), "%s", name);
	return p;
}

void cg_prop_remove(struct cg_props *props, size_t i)
{
	prop_clear(&props->items[i]);
	props->len--;
	memmove(&props->items[i], &props->items[i + 1], (props->len - i) * sizeof(*props->items));
}

void cg_props_done(struct cg_props *props)
{
	for (size_t i = 0; i < props->len; i++)
		prop_clear(&props->items[i]);
	free(props->items);
	*props = (struct cg_props){0};
}

static int set_number(struct cg_props *props, const char *name, char type, uint64_t value)
{
	struct cg_prop *p = cg_prop_set(props, name, type);

	if (!p)
		return -ENOMEM;
	p->number = value;
	return 0;
}

int cg_prop_bool(struct cg_props *props, const char *name, bool value)
{
	return set_number(props, name, 'b', value);
}

int cg_prop_u64(struct cg_props *props, const char *name, uint64_t value)
{
	return set_number(props, name, 't', value);
}

/* Takes TEXT over, also on failure. */
static int push_string(struct cg_prop *p, size_t n, char *text)
{
	char **strings = text ? reallocarray(p->strings, n + 1, sizeof(char *)) : NULL;

	if (!strings) {
		free(text);
		return -ENOMEM;
	}
	p->strings = strings;
	p->strings[n] = text;
	return 0;
}

int cg_prop_string(struct cg_props *props, const char *name, const char *value)
{
	struct cg_prop *p = cg_prop_set(props, name, 's');

	return p ? push_string(p, 0, strdup(value)) : -ENOMEM;
}

int cg_prop_entry(struct cg_props *props, const char *name, char type, const char *first,
		  const char *second, uint64_t number)
{
	size_t i = find(props, name);
	struct cg_prop *p = i < props->len ? &props->items[i] : cg_prop_set(props, name, type);
	uint64_t *numbers;
	int r;

	if (!p)
		return -ENOMEM;
	if (second) {
		char *copy = strdup(second);

		r = push_string(p, 2 * p->len, strdup(first));
		if (r >= 0 && (r = push_string(p, 2 * p->len + 1, copy)) < 0)
			free(p->strings[2 * p->len]);
		else if (r < 0)
			free(copy);
		if (r >= 0)
			p->len++;
		return r;
	}
	numbers = reallocarray(p->numbers, p->len + 1, sizeof(*numbers));
	if (!numbers)
		return -ENOMEM;
	p->numbers = numbers;
	p->numbers[p->len] = number;
	r = first ? push_string(p, p->len, strdup(first)) : 0;
	if (r >= 0)
		p->len++;
	return r;
}

/* ---- the text form ---- */

struct type_name {
	const char *word;
	char type;
	int64_t min;
	uint64_t max;
};

/* GVariant's words for its types; of the numbers, what fits. */
static const struct type_name types[] = {
	{"boolean", 'b', 0, 0},
	{"string", 's', 0, 0},
	{"double", 'd', 0, 0},
	{"byte", 'y', 0, UINT8_MAX},
	{"int16", 'n', INT16_MIN, INT16_MAX},
	{"uint16", 'q', 0, UINT16_MAX},
	{"int32", 'i', INT32_MIN, INT32_MAX},
	{"uint32", 'u', 0, UINT32_MAX},
	{"int64", 'x', INT64_MIN, INT64_MAX},
	{"uint64", 't', 0, UINT64_MAX},
};

static const char *skip(const char *s)
{
	return s + strspn(s, " \t");
}

static int wrong(const char **ret_reason, const char *reason)
{
	*ret_reason = reason;
	return -EINVAL;
}

/* "uint64 ", "@t ", "@as ": the type in front of a value, or 0. */
static char leading_type(const char **s)
{
	const char *rest;

	if (**s == '@') {
		rest = str_after(*s, "@as");
		if (rest && (*rest == ' ' || *rest == '[')) {
			*s = skip(rest);
			return 'S';
		}
	}
	for (size_t i = 0; i < ARRAY_LEN(types); i++) {
		rest = str_after(*s, types[i].word);
		if (!rest && (*s)[0] == '@' && (*s)[1] == types[i].type)
			rest = *s + 2;
		if (rest && (*rest == ' ' || *rest == '\t')) {
			*s = skip(rest);
			return types[i].type;
		}
	}
	return 0;
}

/* A quoted string at *S, which moves behind it. */
static int read_quoted(const char **s, char **ret)
{
	const char quote = **s, *p = *s + 1;
	char *out;

	if (quote != '\'' && quote != '"')
		return -EINVAL;
	*ret = out = malloc(strlen(p) + 1);
	if (!out)
		return -ENOMEM;
	for (; *p && *p != quote; p++) {
		if (*p == '\\' && p[1]) {
			p++;
			*out++ = (char)(*p == 'n' ? '\n' : *p == 't' ? '\t' : *p);
		} else {
			*out++ = *p;
		}
	}
	*out = '\0';
	if (*p != quote) {
		free(*ret);
		*ret = NULL;
		return -EINVAL;
	}
	*s = p + 1;
	return 0;
}

static int parse_string(struct cg_prop *p, const char *s, const char **ret_reason)
{
	char *text;
	int r = read_quoted(&s, &text);

	if (r == -ENOMEM)
		return r;
	if (r < 0)
		return wrong(ret_reason, "has no closing quote");
	p->type = 's';
	r = push_string(p, 0, text);
	if (r < 0)
		return r;
	return *skip(s) ? wrong(ret_reason, "has something after the closing quote") : 0;
}

static int parse_array(struct cg_prop *p, const char *s, const char **ret_reason)
{
	p->type = 'S';
	for (s = skip(s + 1); *s != ']';) {
		char *text;
		int r = read_quoted(&s, &text);

		if (r == -EINVAL)
			return wrong(ret_reason, "is not an array of quoted strings");
		if (r >= 0)
			r = push_string(p, p->len, text);
		if (r < 0)
			return r;
		p->len++;
		s = skip(s);
		if (*s == ',')
			s = skip(s + 1);
		else if (*s != ']')
			return wrong(ret_reason, "has no comma or closing bracket after a string");
	}
	return *skip(s + 1) ? wrong(ret_reason, "has something after the closing bracket") : 0;
}

/* Numbers are read to their end, blanks apart. */
static bool only_blanks(const char *s)
{
	return !*skip(s);
}

static int parse_double(struct cg_prop *p, const char *s, const char **ret_reason)
{
	char *end;

	p->type = 'd';
	p->real = strtod(s, &end);
	if (end == s || !only_blanks(end) || !isfinite(p->real))
		return wrong(ret_reason, "is not a number");
	return 0;
}

static int parse_integer(struct cg_prop *p, const char *s, const char **ret_reason)
{
	const struct type_name *t = types;
	bool negative = *s == '-';
	unsigned long long value;
	char *end;

	while (t->type != p->type)
		t++;
	s += negative || *s == '+';
	if (*s < '0' || *s > '9')
		return wrong(ret_reason, "is not a number");
	errno = 0;
	value = strtoull(s, &end, 0);
	if (!only_blanks(end))
		return wrong(ret_reason, "is not a number");
	if (errno || (negative ? value > -(uint64_t)t->min : value > t->max))
		return wrong(ret_reason, p->type == 'i'
						 ? "does not fit into 32 bits: say `int64` or "
						   "`uint64` in front of it"
						 : "is too large or too small for its type");
	p->number = negative ? -(uint64_t)value : value;
	return 0;
}

static int parse_boolean(struct cg_prop *p, const char *s, const char **ret_reason)
{
	const char *rest = str_after(s, "true");

	p->type = 'b';
	p->number = rest != NULL;
	if (!rest)
		rest = str_after(s, "false");
	return rest && only_blanks(rest) ? 0 : wrong(ret_reason, "is not a boolean");
}

/* What a value without a type in front of it is; 0: nothing. */
static char type_by_looks(const char *s)
{
	if (*s == '\'' || *s == '"')
		return 's';
	if (*s == '[')
		return 'S';
	if (*s == 't' || *s == 'f')
		return 'b';
	if (!*s || !strchr("+-0123456789", *s))
		return 0;
	return strpbrk(s, ".eE") && !strpbrk(s, "xX") ? 'd' : 'i';
}

static int parse_value(struct cg_prop *p, const char *text, const char **ret_reason)
{
	const char *s = skip(text);
	char type = leading_type(&s);

	if (!type)
		type = type_by_looks(s);
	switch (type) {
	case 0:
		return wrong(ret_reason, "is no value: it is a number, true or false, a text in "
					 "quotes, or an array of such texts");
	case 's':
		return parse_string(p, s, ret_reason);
	case 'S':
		return *s == '[' ? parse_array(p, s, ret_reason)
				 : wrong(ret_reason, "is not an array of quoted strings");
	case 'b':
		return parse_boolean(p, s, ret_reason);
	case 'd':
		return parse_double(p, s, ret_reason);
	default:
		p->type = type;
		return parse_integer(p, s, ret_reason);
	}
}

/* "TimeoutStopSec" is what unit files call what is TimeoutStopUSec on the bus. */
static bool is_seconds(const char *name)
{
	size_t n = strlen(name);

	return n > 3 && str_eq(name + n - 3, "Sec") && name[n - 4] >= 'a' && name[n - 4] <= 'z';
}

static int to_microseconds(struct cg_prop *p, const char **ret_reason)
{
	double seconds = p->type == 'd' ? p->real : (double)p->number;
	bool is_signed = strchr("inx", p->type);

	if (!strchr("dyqutinx", p->type))
		return wrong(ret_reason, "is not a number of seconds");
	if ((is_signed && (int64_t)p->number < 0) || seconds < 0 || seconds > 1e12)
		return wrong(ret_reason, "is no possible number of seconds");
	p->number = p->type == 'd' ? (uint64_t)(seconds * 1e6) : p->number * 1000000;
	p->type = 't';
	return 0;
}

static bool is_property_name(const char *name)
{
	size_t n = strspn(name, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789");

	return n > 0 && n < 60 && !name[n];
}

int cg_prop_parse(struct cg_props *props, const char *name, const char *text,
		  const char **ret_reason)
{
	char renamed[64];
	struct cg_prop *p;
	int r;

	if (!is_property_name(name))
		return wrong(ret_reason, "has no property name after the last dot");
	/* Which processes are in the scope is not for the configuration to say: it could name those of the host. */
	if (str_eq(name, "PIDs") || str_eq(name, "PIDFDs"))
		return wrong(ret_reason, "would choose the processes of the scope");
	snprintf(renamed, sizeof(renamed), "%s", name);
	if (is_seconds(name))
		snprintf(renamed + strlen(name) - 3, 8, "USec");
	p = cg_prop_set(props, renamed, 'i');
	if (!p)
		return -ENOMEM;
	p->configured = true;
	r = parse_value(p, text, ret_reason);
	if (r >= 0 && is_seconds(name))
		r = to_microseconds(p, ret_reason);
	return r;
}
