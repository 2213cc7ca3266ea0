// SPDX-License-Identifier: Apache-2.0
// Statistics of controllers that count by device or resource, the same on v1 and v2: rdma and misc.
#include "cgroup/stats_read.h"

#include "base/str.h"

#include <errno.h>
#include <string.h>

static struct stat_named *find_or_add(struct oci_arena *arena, struct stat_named_list *list,
				      const char *name)
{
	struct stat_named *n;

	for (size_t i = 0; i < list->len; i++) {
		if (str_eq(list->items[i].name, name))
			return &list->items[i];
	}
	list->items = stat_grow(arena, list->items, list->len, sizeof(*list->items));
	if (!list->items)
		return NULL;
	n = &list->items[list->len];
	*n = (struct stat_named){.name = oci_arena_strndup(arena, name, strlen(name))};
	if (!n->name)
		return NULL;
	list->len++;
	return n;
}

static void set(struct stat_entry *entry, size_t offset, const char *text)
{
	struct stat_value *v = (struct stat_value *)((char *)entry + offset);

	v->known = stat_number(text, strlen(text), &v->value);
}

/* What is read into, and the offset of the value in the entries. */
struct into {
	struct cgroup_stats *stats;
	size_t offset;
};

/* "mlx5_0 hca_handle=2 hca_object=max" */
static int rdma_line(char *line, void *data)
{
	const struct into *into = data;
	const char *name = strsep(&line, " "), *word;
	struct stat_named *n;

	if (!line)
		return 0;
	n = find_or_add(&into->stats->arena, &into->stats->rdma, name);
	if (!n)
		return -ENOMEM;
	while ((word = strsep(&line, " "))) {
		const char *handles = str_after(word, "hca_handle=");
		const char *objects = str_after(word, "hca_object=");

		if (handles)
			set(&n->usage, into->offset, handles);
		else if (objects)
			set(&n->objects, into->offset, objects);
	}
	return 0;
}

/* "sev 3" */
static int misc_line(char *line, void *data)
{
	const struct into *into = data;
	const char *name = strsep(&line, " ");
	struct stat_named *n;

	if (!line)
		return 0;
	n = find_or_add(&into->stats->arena, &into->stats->misc, name);
	if (!n)
		return -ENOMEM;
	set(&n->usage, into->offset, line);
	return 0;
}

/* "sev.max 3" */
static int misc_event(char *line, void *data)
{
	char *end = strstr(line, ".max ");

	if (!end)
		return 0;
	memmove(end, end + strlen(".max"), strlen(end + strlen(".max")) + 1);
	return misc_line(line, data);
}

int stat_named_read(int dir, struct cgroup_stats *ret)
{
	static const struct {
		const char *file;
		stat_part_fn line;
		size_t offset;
	} files[] = {
		{"rdma.current", rdma_line, offsetof(struct stat_entry, usage)},
		{"rdma.max", rdma_line, offsetof(struct stat_entry, limit)},
		{"misc.current", misc_line, offsetof(struct stat_entry, usage)},
		{"misc.max", misc_line, offsetof(struct stat_entry, limit)},
		{"misc.peak", misc_line, offsetof(struct stat_entry, max)},
		{"misc.events", misc_event, offsetof(struct stat_entry, failcnt)},
	};
	int r = 0;

	for (size_t i = 0; r >= 0 && i < ARRAY_LEN(files); i++)
		r = stat_each(dir, files[i].file, "\n", files[i].line,
			      &(struct into){ret, files[i].offset});
	return r;
}
