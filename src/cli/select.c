// SPDX-License-Identifier: Apache-2.0
// Which containers a command is about: see select.h.
#include "select.h"

#include <errno.h>
#include <regex.h>
#include <stdlib.h>
#include <string.h>

/* The matching ids, one NUL-terminated text after the other. They are collected first: FN may remove containers. */
struct matches {
	const regex_t *expression;
	char *ids;
	size_t len;
};

static int add_match(const char *id, void *data)
{
	struct matches *m = data;
	size_t len = strlen(id) + 1;
	char *grown;

	if (regexec(m->expression, id, 0, NULL, 0) != 0)
		return 0;
	grown = realloc(m->ids, m->len + len);
	if (!grown)
		return -ENOMEM;
	memcpy(grown + m->len, id, len);
	m->ids = grown;
	m->len += len;
	return 0;
}

static int call_each(struct invocation *inv, const struct matches *m, container_fn fn,
		     struct crun_error *err)
{
	struct crun_error later;
	int result = 0;

	for (size_t at = 0; at < m->len; at += strlen(m->ids + at) + 1) {
		int r = fn(inv, m->ids + at, result < 0 ? &later : err);

		if (r < 0 && result == 0)
			result = r;
	}
	return result;
}

static int each_match(struct invocation *inv, const char *pattern, bool none_is_fine,
		      container_fn fn, struct crun_error *err)
{
	regex_t expression;
	struct matches m = {.expression = &expression};
	char reason[128];
	int r = regcomp(&expression, pattern, REG_EXTENDED | REG_NOSUB);

	if (r != 0) {
		regerror(r, &expression, reason, sizeof(reason));
		return usage_error(inv, err, "bad regular expression `%s`: %s", pattern, reason);
	}
	err->errnum = 0;
	r = libcrun_each_id(&inv->ctx, add_match, &m, err);
	regfree(&expression);
	if (r < 0 && err->errnum == 0)
		err_sys(err, r, "match container ids");
	if (r >= 0 && m.len == 0 && !none_is_fine)
		r = err_set(err, CODE_CONTAINER_UNKNOWN, ENOENT, "no container matches `%s`",
			    pattern);
	if (r >= 0)
		r = call_each(inv, &m, fn, err);
	free(m.ids);
	return r;
}

int each_selected(struct invocation *inv, const char *name, bool regex, bool none_is_fine,
		  container_fn fn, struct crun_error *err)
{
	if (regex)
		return each_match(inv, name, none_is_fine, fn, err);
	return fn(inv, name, err);
}
