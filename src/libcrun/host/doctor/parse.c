// SPDX-License-Identifier: Apache-2.0
// Reads the texts that crun doctor looks at: see parse.h.
#include "host/doctor/parse.h"

#include "base/cleanup.h"
#include "base/str.h"

#include <errno.h>
#include <linux/capability.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FIRST_SUBID 100000 /* SUB_UID_MIN of login.defs(5) */

/* Cuts the text at SEPARATOR off *CURSOR: the length, and the text behind it, "" at the end. */
static size_t cut(const char **cursor, const char **ret, char separator)
{
	const char *start = *cursor, *end = strchr(start, separator);
	size_t len = end ? (size_t)(end - start) : strlen(start);

	*ret = start;
	*cursor = end ? end + 1 : start + len;
	return len;
}

/* A number at *CURSOR, behind blanks; what follows is the next. */
static bool take_number(const char **cursor, uint64_t *ret)
{
	const char *p = *cursor + strspn(*cursor, " \t");
	char *end;

	if (*p < '0' || *p > '9')
		return false;
	errno = 0;
	*ret = strtoull(p, &end, 10);
	*cursor = end;
	return errno == 0;
}

bool doctor_parse_version(const char *text, unsigned *ret_major, unsigned *ret_minor)
{
	uint64_t major, minor;

	if (!take_number(&text, &major) || *text++ != '.' || !take_number(&text, &minor) ||
	    major > 1000 || minor > 1000)
		return false;
	*ret_major = (unsigned)major;
	*ret_minor = (unsigned)minor;
	return true;
}

/* "root:x:0:0:...": the name ends at the first colon, the uid is the third field. */
bool doctor_parse_user(const char *text, uid_t uid, char *buf, size_t size)
{
	const char *line, *name, *rest;
	uint64_t number;
	size_t n;

	while (*text) {
		(void)cut(&text, &line, '\n');
		rest = line;
		n = cut(&rest, &name, ':');
		rest = strchr(rest, ':');
		if (!rest || rest > text)
			continue;
		rest++;
		if (!take_number(&rest, &number) || *rest != ':' || number != uid || n == 0 ||
		    n >= size)
			continue;
		memcpy(buf, name, n);
		buf[n] = '\0';
		return true;
	}
	return false;
}

void doctor_find_user(uid_t uid, char *buf, size_t size)
{
	_cleanup_free_ char *line = NULL;
	FILE *f = fopen("/etc/passwd", "re");
	bool found = false;
	size_t room = 0;

	buf[0] = '\0';
	while (f && !found && getline(&line, &room, f) > 0)
		found = doctor_parse_user(line, uid, buf, size);
	if (f)
		fclose(f);
	if (!found)
		buf[0] = '\0';
}

struct subid_line {
	const char *owner;
	size_t owner_len;
	uint64_t first, count;
};

static bool parse_subid_line(const char *line, const char *end, struct subid_line *ret)
{
	const char *rest = line;

	ret->owner_len = cut(&rest, &ret->owner, ':');
	return ret->owner_len > 0 && rest <= end && take_number(&rest, &ret->first) &&
	       *rest++ == ':' && take_number(&rest, &ret->count) && rest == end &&
	       ret->first <= UINT32_MAX && ret->count <= UINT32_MAX;
}

static bool is_owner(const struct subid_line *l, const char *name, uid_t uid)
{
	char number[16];

	snprintf(number, sizeof(number), "%u", uid);
	return (strlen(name) == l->owner_len && memcmp(name, l->owner, l->owner_len) == 0) ||
	       (strlen(number) == l->owner_len && memcmp(number, l->owner, l->owner_len) == 0);
}

/* The next line that is a range; others but empty ones and comments are counted as bad. False at the end. */
static bool next_subids(const char **text, unsigned *line_number, unsigned *bad,
			struct subid_line *ret)
{
	const char *line;
	size_t n;

	while (**text) {
		n = cut(text, &line, '\n');
		++*line_number;
		if (n == 0 || line[0] == '#')
			continue;
		if (parse_subid_line(line, line + n, ret))
			return true;
		if (*bad == 0)
			*bad = *line_number;
	}
	return false;
}

static bool overlap(const struct subid_line *a, const struct subid_line *b)
{
	return a->count && b->count && a->first < b->first + b->count &&
	       b->first < a->first + a->count;
}

void doctor_parse_subids(const char *text, const char *name, uid_t uid, struct doctor_subids *ret)
{
	const char *outer = text, *inner;
	unsigned line = 0, inner_line, ignored = 0;
	struct subid_line mine, other;

	*ret = (struct doctor_subids){.free = FIRST_SUBID};
	while (next_subids(&outer, &line, &ret->bad_line, &mine)) {
		if (mine.first + mine.count > ret->free)
			ret->free = mine.first + mine.count;
		if (!is_owner(&mine, name, uid))
			continue;
		if (!ret->any) {
			ret->first = mine.first;
			ret->count = mine.count;
		}
		ret->any = true;
		ret->total += mine.count;
		inner = text;
		inner_line = 0;
		while (!ret->other[0] && next_subids(&inner, &inner_line, &ignored, &other)) {
			if (!is_owner(&other, name, uid) && overlap(&mine, &other))
				snprintf(ret->other, sizeof(ret->other), "%.*s",
					 (int)other.owner_len, other.owner);
		}
	}
}

/* "1000:     5 5/5 2/200 28/20000": usage, keys of which instantiated, keys of how many, bytes of how many. */
static bool parse_key_line(const char *line, struct doctor_keys *ret)
{
	uint64_t skip;

	return take_number(&line, &skip) && take_number(&line, &skip) && *line++ == '/' &&
	       take_number(&line, &skip) && take_number(&line, &ret->keys) && *line++ == '/' &&
	       take_number(&line, &ret->max_keys) && take_number(&line, &ret->bytes) &&
	       *line++ == '/' && take_number(&line, &ret->max_bytes);
}

bool doctor_parse_key_users(const char *text, uid_t uid, struct doctor_keys *ret)
{
	const char *line;
	uint64_t number;

	while (*text) {
		(void)cut(&text, &line, '\n');
		if (take_number(&line, &number) && *line == ':' && number == uid)
			return parse_key_line(line + 1, ret);
	}
	return false;
}

bool doctor_has_word(const char *list, const char *word)
{
	size_t len = strlen(word);

	while (*list) {
		size_t n = strcspn(list, " ,\n");

		if (n == len && memcmp(list, word, n) == 0)
			return true;
		list += n;
		list += strspn(list, " ,\n");
	}
	return false;
}

bool doctor_parse_own_cgroup(const char *text, char *buf, size_t size)
{
	const char *line, *path;
	size_t n;

	while (*text) {
		n = cut(&text, &line, '\n');
		path = str_after(line, "0::");
		if (!path || n - 3 >= size)
			continue;
		memcpy(buf, path, n - 3);
		buf[n - 3] = '\0';
		return true;
	}
	return false;
}

uint64_t doctor_parse_map_size(const char *text)
{
	uint64_t inside, outside, count, total = 0;
	const char *line;

	while (*text) {
		(void)cut(&text, &line, '\n');
		if (take_number(&line, &inside) && take_number(&line, &outside) &&
		    take_number(&line, &count))
			total += count;
	}
	return total;
}

/* Little-endian on every machine. */
static uint32_t word_at(const unsigned char *p)
{
	return p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

bool doctor_parse_file_cap(const void *value, size_t size, unsigned cap)
{
	const unsigned char *p = value;
	uint32_t magic;

	/* The permitted set's lower half is the second word; the capabilities that matter here are below 32. */
	if (size < 8 || cap > 31)
		return false;
	magic = word_at(p);
	return (magic & VFS_CAP_FLAGS_EFFECTIVE) && (word_at(p + 4) & (UINT32_C(1) << cap));
}
