// SPDX-License-Identifier: Apache-2.0
// Taking faulty values out of a configuration's text: see config_text.h.
#include "host/config_text.h"

#include "base/cleanup.h"
#include "base/str.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

/* What a configuration cannot do without, and what satisfies a check that a value elsewhere is at fault for. */
static const struct {
	const char *at, *target, *value;
} defaults[] = {
	{"/ociVersion", "/ociVersion", "\"1.0.0\""},
	{"/root", "/root", "{\"path\":\"rootfs\"}"},
	{"/root/path", "/root/path", "\"rootfs\""},
	{"/process", "/process", "{\"cwd\":\"/\",\"args\":[\"sh\"]}"},
	{"/process/cwd", "/process/cwd", "\"/\""},
	{"/process/args", "/process/args", "[\"sh\"]"},
	{"/linux/uidMappings", "/linux/uidMappings",
	 "[{\"containerID\":0,\"hostID\":0,\"size\":4294967295}]"},
	{"/linux/gidMappings", "/linux/gidMappings",
	 "[{\"containerID\":0,\"hostID\":0,\"size\":4294967295}]"},
	{"/process/user/uid", "/linux/uidMappings",
	 "[{\"containerID\":0,\"hostID\":0,\"size\":4294967295}]"},
	{"/process/user/gid", "/linux/gidMappings",
	 "[{\"containerID\":0,\"hostID\":0,\"size\":4294967295}]"},
};

static const char *skip_space(const char *p)
{
	return p + strspn(p, " \t\r\n");
}

static const char *skip_string(const char *p)
{
	for (p++; *p && *p != '"'; p++) {
		if (*p == '\\' && p[1])
			p++;
	}
	return *p ? p + 1 : p;
}

static const char *skip_value(const char *p)
{
	size_t depth = 0;

	if (*p != '{' && *p != '[')
		return *p == '"' ? skip_string(p) : p + strcspn(p, ",]} \t\r\n");
	while (*p) {
		if (*p == '"') {
			p = skip_string(p);
			continue;
		}
		depth += *p == '{' || *p == '[';
		depth -= *p == '}' || *p == ']';
		p++;
		if (depth == 0)
			break;
	}
	return p;
}

struct span {
	const char *start; /* of the key in an object, else of the value */
	const char *value, *end;
	bool item; /* of an array */
};

/* Compares a part of a pointer (RFC 6901: ~0 is '~', ~1 is '/') with a key as it is written. */
static bool same_key(const char *part, size_t len, const char *key, const char *end)
{
	const char *stop = part + len;

	for (; part < stop && key < end; part++, key++) {
		char c = *part;

		if (c == '~' && part + 1 < stop)
			c = *++part == '0' ? '~' : '/';
		if (c != *key)
			return false;
	}
	return part == stop && key == end;
}

/* The member or item PART of the object or array at P. Of two members of one name the last. */
static bool enter(const char *p, const char *part, size_t len, struct span *ret)
{
	bool array = *p == '[', found = false;
	size_t index = 0, wanted = strtoul(part, NULL, 10);

	if (*p != '{' && !array)
		return false;
	for (p = skip_space(p + 1); *p && *p != '}' && *p != ']'; index++) {
		const char *key = p, *value = p, *key_end = p;

		if (!array) {
			key_end = skip_string(key);
			value = skip_space(key_end);
			if (*key != '"' || *value != ':')
				return found;
			value = skip_space(value + 1);
		}
		p = skip_value(value);
		if (array ? index == wanted : same_key(part, len, key + 1, key_end - 1)) {
			*ret = (struct span){key, value, p, array};
			found = true;
		}
		p = skip_space(p);
		if (*p == ',')
			p = skip_space(p + 1);
		else
			break;
	}
	return found;
}

static bool find(const char *text, const char *pointer, struct span *ret)
{
	*ret = (struct span){.value = skip_space(text)};
	ret->end = skip_value(ret->value);
	while (*pointer == '/') {
		size_t len = strcspn(++pointer, "/");

		if (!enter(ret->value, pointer, len, ret))
			return false;
		pointer += len;
	}
	return true;
}

bool config_text_is_whole(const struct config_text *t)
{
	const char *p = t->text.data ? t->text.data : "";
	size_t depth = 0;
	bool any = false;

	while (*p) {
		if (*p == '"') {
			p = skip_string(p);
			continue;
		}
		any = any || *p == '{';
		depth += *p == '{' || *p == '[';
		depth -= *p == '}' || *p == ']';
		p++;
	}
	return any && depth == 0;
}

int config_text_init(struct config_text *t, const char *data, size_t len)
{
	*t = (struct config_text){0};
	buf_append(&t->text, data, len);
	return t->text.failed ? -ENOMEM : 0;
}

void config_text_done(struct config_text *t)
{
	buf_done(&t->text);
	free(t->removed);
	t->removed = NULL;
}

/* Puts VALUE in the place of what lies between two places of the text. */
static bool splice(struct config_text *t, const char *from, const char *to, const char *value)
{
	struct buf next = {0};

	buf_append(&next, t->text.data, (size_t)(from - t->text.data));
	buf_puts(&next, value);
	buf_append(&next, to, t->text.len - (size_t)(to - t->text.data));
	if (next.failed) {
		buf_done(&next);
		return false;
	}
	buf_done(&t->text);
	t->text = next;
	return true;
}

/* POINTER without its last part, in PARENT; returns the last part. */
static const char *split(const char *pointer, char *parent)
{
	const char *last = strrchr(pointer, '/');
	size_t n = last ? (size_t)(last - pointer) : 0;

	memcpy(parent, pointer, n);
	parent[n] = '\0';
	return last ? last + 1 : "";
}

static bool set(struct config_text *t, const char *pointer, const char *value)
{
	_cleanup_free_ char *member = NULL;
	char parent[CONFIG_TEXT_POINTER];
	const char *name;
	struct span at;

	if (find(t->text.data, pointer, &at))
		return splice(t, at.value, at.end, value);
	name = split(pointer, parent);
	if (!find(t->text.data, parent, &at) || *at.value != '{')
		return false;
	member =
		str_printf("\"%s\":%s%s", name, value, *skip_space(at.value + 1) == '}' ? "" : ",");
	return member && splice(t, at.value + 1, at.value + 1, member);
}

static bool remember(struct config_text *t, const char *pointer)
{
	void *more = realloc(t->removed, (t->removed_len + 1) * sizeof(*t->removed));

	if (!more)
		return false;
	t->removed = more;
	config_text_original(t, pointer, t->removed[t->removed_len++]);
	return true;
}

static bool erase(struct config_text *t, const char *pointer)
{
	const char *from, *to, *begin = t->text.data;
	struct span at;

	if (!find(t->text.data, pointer, &at) || !at.start)
		return false;
	if (at.item && !remember(t, pointer))
		return false;
	from = at.start;
	to = skip_space(at.end);
	if (*to == ',') {
		to++;
	} else {
		to = at.end;
		while (from > begin && strchr(" \t\r\n", from[-1]))
			from--;
		from -= from > begin && from[-1] == ',';
	}
	return splice(t, from, to, "");
}

bool config_text_repair(struct config_text *t, const char *pointer)
{
	char at[CONFIG_TEXT_POINTER], parent[CONFIG_TEXT_POINTER];

	snprintf(at, sizeof(at), "%s", pointer);
	for (; at[0]; memcpy(at, parent, sizeof(at))) {
		memset(parent, 0, sizeof(parent));
		split(at, parent);
		for (size_t i = 0; i < ARRAY_LEN(defaults); i++) {
			if (!str_eq(at, defaults[i].at) || t->defaults_used & (1U << i))
				continue;
			t->defaults_used |= 1U << i;
			if (set(t, defaults[i].target, defaults[i].value))
				return true;
		}
		if (erase(t, at))
			return true;
	}
	return false;
}

/* How many removed items come before the item INDEX of the array PREFIX, as it is now. */
static size_t original_index(const struct config_text *t, const char *prefix, size_t index)
{
	bool again = true;
	size_t shift = 0;

	/* Each item before it that was removed moves it on, possibly behind others. */
	while (again) {
		size_t before = 0;

		for (size_t i = 0; i < t->removed_len; i++) {
			const char *rest = str_after(t->removed[i], prefix);

			if (rest && *rest == '/' && !strchr(rest + 1, '/') &&
			    strtoul(rest + 1, NULL, 10) <= index + shift)
				before++;
		}
		again = before != shift;
		shift = before;
	}
	return index + shift;
}

void config_text_original(const struct config_text *t, const char *pointer, char *original)
{
	const char *p = pointer;
	size_t n = 0;

	original[0] = '\0';
	while (*p == '/') {
		size_t len = strcspn(p + 1, "/");
		char number[24];
		const char *part = p + 1;

		if (len && strspn(part, "0123456789") >= len && len < 10) {
			snprintf(number, sizeof(number), "%zu",
				 original_index(t, original, strtoul(part, NULL, 10)));
			n += (size_t)snprintf(original + n, CONFIG_TEXT_POINTER - n, "/%s", number);
		} else {
			n += (size_t)snprintf(original + n, CONFIG_TEXT_POINTER - n, "/%.*s",
					      (int)len, part);
		}
		if (n >= CONFIG_TEXT_POINTER)
			return;
		p += len + 1;
	}
}
