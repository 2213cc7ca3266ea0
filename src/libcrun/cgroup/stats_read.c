// SPDX-License-Identifier: Apache-2.0
// Readers for the forms that the kernel's cgroup files have: see stats_read.h.
#include "cgroup/stats_read.h"

#include "base/str.h"
#include "sys/file.h"
#include "sys/io.h"

#include <dirent.h>
#include <errno.h>
#include <string.h>

#define TEXT_MAX (1024 * 1024)

int stat_text(int dir, const char *file, struct buf *ret)
{
	_cleanup_close_ int fd = sys_openat(dir, file, O_RDONLY, 0);
	char part[4096];

	if (fd < 0)
		return fd;
	while (ret->len < TEXT_MAX) {
		ssize_t n = io_read_full(fd, part, sizeof(part));

		if (n < 0)
			return (int)n;
		buf_append(ret, part, (size_t)n);
		if ((size_t)n < sizeof(part))
			break;
	}
	if (ret->failed)
		return -ENOMEM;
	return ret->len ? 0 : -ENODATA;
}

bool stat_number(const char *text, size_t len, uint64_t *ret)
{
	char word[24];

	if (len == 0 || len >= sizeof(word))
		return false;
	memcpy(word, text, len);
	word[len] = '\0';
	if (str_eq(word, "max")) {
		*ret = STAT_MAX;
		return true;
	}
	return str_to_u64(word, UINT64_MAX, ret) == 0;
}

static void set(void *base, const struct stat_field *field, uint64_t value)
{
	struct stat_value *v = (struct stat_value *)((char *)base + field->offset);
	uint64_t factor = field->factor ? field->factor : 1;

	v->known = true;
	v->value = value > UINT64_MAX / factor ? UINT64_MAX : value * factor;
}

bool stat_file(int dir, const char *file, struct stat_value *ret)
{
	char text[64];
	int r = io_read_file_at(dir, file, text, sizeof(text));
	uint64_t value;

	if (r < 0 || !stat_number(text, (size_t)r, &value))
		return false;
	*ret = (struct stat_value){.known = true, .value = value};
	return true;
}

void stat_files(int dir, const struct stat_field *fields, size_t len, void *base)
{
	struct stat_value v;

	for (size_t i = 0; i < len; i++) {
		if (stat_file(dir, fields[i].name, &v))
			set(base, &fields[i], v.value);
	}
}

/* The next line of *TEXT, NUL-terminated; NULL at the end. */
static char *next_line(char **text)
{
	char *line;

	do
		line = strsep(text, "\n");
	while (line && !*line);
	return line;
}

/* Cuts "key value" in two; false when there is no number. */
static bool split(char *line, uint64_t *ret)
{
	char *blank = strchr(line, ' ');

	if (!blank || !stat_number(blank + 1, strlen(blank + 1), ret))
		return false;
	*blank = '\0';
	return true;
}

void stat_keys(int dir, const char *file, const struct stat_field *fields, size_t len, void *base)
{
	_cleanup_buf_ struct buf text = {0};
	char *rest, *line;
	uint64_t value;

	if (stat_text(dir, file, &text) < 0)
		return;
	rest = text.data;
	while ((line = next_line(&rest))) {
		if (!split(line, &value))
			continue;
		for (size_t i = 0; i < len; i++) {
			if (str_eq(fields[i].name, line))
				set(base, &fields[i], value);
		}
	}
}

void *stat_grow(struct oci_arena *arena, void *items, size_t len, size_t size)
{
	void *grown;

	/* Full are 0, 8, 16, 32 ... */
	if (len != 0 && (len < 8 || (len & (len - 1))))
		return items;
	grown = oci_arena_alloc(arena, (len ? 2 * len : 8) * size);
	if (grown && len)
		memcpy(grown, items, len * size);
	return grown;
}

int stat_each(int dir, const char *file, const char *ends, stat_part_fn fn, void *data)
{
	_cleanup_buf_ struct buf text = {0};
	int r = stat_text(dir, file, &text);
	char *rest = text.data, *part;

	if (r < 0)
		return r == -ENOMEM ? r : 0;
	while (r >= 0 && (part = strsep(&rest, ends)))
		r = *part ? fn(part, data) : 0;
	return r;
}

/* What is read into. */
struct into {
	struct oci_arena *arena;
	void *list;
};

static int add_pair(char *line, void *data)
{
	const struct into *into = data;
	struct stat_pairs *list = into->list;
	struct stat_pair *pair;
	uint64_t value;

	if (!split(line, &value))
		return 0;
	list->items = stat_grow(into->arena, list->items, list->len, sizeof(*list->items));
	if (!list->items)
		return -ENOMEM;
	pair = &list->items[list->len++];
	*pair = (struct stat_pair){oci_arena_strndup(into->arena, line, strlen(line)), value};
	return pair->key ? 0 : -ENOMEM;
}

int stat_pairs(struct oci_arena *arena, int dir, const char *file, struct stat_pairs *ret)
{
	return stat_each(dir, file, "\n", add_pair, &(struct into){arena, ret});
}

static int add_number(char *word, void *data)
{
	const struct into *into = data;
	struct stat_list *list = into->list;
	uint64_t value;

	if (!stat_number(word, strlen(word), &value))
		return 0;
	list->items = stat_grow(into->arena, list->items, list->len, sizeof(*list->items));
	if (!list->items)
		return -ENOMEM;
	list->items[list->len++] = value;
	return 0;
}

int stat_list(struct oci_arena *arena, int dir, const char *file, struct stat_list *ret)
{
	return stat_each(dir, file, " \n", add_number, &(struct into){arena, ret});
}

const char *stat_string(struct oci_arena *arena, int dir, const char *file)
{
	_cleanup_buf_ struct buf text = {0};

	if (stat_text(dir, file, &text) < 0)
		return NULL;
	return oci_arena_strndup(arena, text.data, strcspn(text.data, "\n"));
}

/* "12.34" as 1234; the kernel writes two decimals. */
static bool hundredths(const char *text, uint64_t *ret)
{
	const char *dot = strchr(text, '.');
	uint64_t whole, part;

	if (!dot || strlen(dot) != 3 || !stat_number(text, (size_t)(dot - text), &whole) ||
	    !stat_number(dot + 1, 2, &part) || whole > 1000000)
		return false;
	*ret = whole * 100 + part;
	return true;
}

static bool psi_line(char *line, struct stat_psi_line *ret)
{
	unsigned seen = 0;
	char *word;

	while ((word = strsep(&line, " "))) {
		char *equals = strchr(word, '=');

		if (!equals)
			continue;
		*equals++ = '\0';
		if (str_eq(word, "avg10"))
			seen += hundredths(equals, &ret->avg10);
		else if (str_eq(word, "avg60"))
			seen += hundredths(equals, &ret->avg60);
		else if (str_eq(word, "avg300"))
			seen += hundredths(equals, &ret->avg300);
		else if (str_eq(word, "total"))
			seen += stat_number(equals, strlen(equals), &ret->total);
	}
	return seen == 4;
}

void stat_pressure(int dir, const char *file, struct stat_psi *ret)
{
	_cleanup_buf_ struct buf text = {0};
	char *rest, *line;

	/* EOPNOTSUPP: the kernel was booted with psi=0. */
	if (stat_text(dir, file, &text) < 0)
		return;
	rest = text.data;
	while ((line = next_line(&rest))) {
		if (str_after(line, "some "))
			ret->some.known = psi_line(line, &ret->some);
		else if (str_after(line, "full "))
			ret->full.known = psi_line(line, &ret->full);
	}
}

bool stat_device(const char *line, struct stat_io *ret, const char **ret_rest)
{
	size_t n = strcspn(line, ":"), m;
	uint64_t major, minor;

	if (line[n] != ':')
		return false;
	m = strcspn(line + n + 1, " ");
	if (!stat_number(line, n, &major) || !stat_number(line + n + 1, m, &minor) ||
	    major > UINT32_MAX || minor > UINT32_MAX)
		return false;
	ret->major = (uint32_t)major;
	ret->minor = (uint32_t)minor;
	line += n + 1 + m;
	*ret_rest = line + (*line == ' ');
	return true;
}

int stat_io_add(struct oci_arena *arena, struct stat_io_list *list, const struct stat_io *io)
{
	list->items = stat_grow(arena, list->items, list->len, sizeof(*list->items));
	if (!list->items)
		return -ENOMEM;
	list->items[list->len++] = *io;
	return 0;
}

int stat_hugetlb_sizes(struct cgroup_stats *ret, int dir, const char *suffix)
{
	_cleanup_closedir_ DIR *d = NULL;
	int fd = sys_openat(dir, ".", O_RDONLY | O_DIRECTORY, 0);
	struct dirent *e;

	if (fd >= 0)
		d = fdopendir(fd);
	if (fd >= 0 && !d)
		close(fd);
	while (d && (e = readdir(d))) {
		const char *size = str_after(e->d_name, "hugetlb.");
		size_t n = size ? strcspn(size, ".") : 0;

		if (n == 0 || !str_eq(size + n, suffix))
			continue;
		ret->hugetlb = stat_grow(&ret->arena, ret->hugetlb, ret->hugetlb_len,
					 sizeof(*ret->hugetlb));
		if (!ret->hugetlb)
			return -ENOMEM;
		ret->hugetlb[ret->hugetlb_len] = (struct stat_hugetlb){
			.size = oci_arena_strndup(&ret->arena, size, n),
		};
		if (!ret->hugetlb[ret->hugetlb_len++].size)
			return -ENOMEM;
	}
	return 0;
}
