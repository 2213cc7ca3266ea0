// SPDX-License-Identifier: Apache-2.0
// The cgroups that a payload made below its own: found whatever their names are, and however deep they are nested.
#include "cgroup/internal.h"

#include "base/str.h"
#include "base/str_list.h"
#include "sys/file.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static DIR *open_dir(int fd)
{
	int own = sys_openat(fd, ".", O_RDONLY | O_DIRECTORY, 0);
	DIR *dir;

	if (own < 0) {
		errno = -own;
		return NULL;
	}
	dir = fdopendir(own);
	if (!dir)
		close(own);
	return dir;
}

/* The next cgroup's name, or NULL. The kernel lets a name begin with a dot: only two such names are not cgroups. */
static const char *next_child(DIR *dir)
{
	struct dirent *e;

	while ((e = readdir(dir))) {
		if (e->d_type == DT_DIR && !str_eq(e->d_name, ".") && !str_eq(e->d_name, ".."))
			return e->d_name;
	}
	return NULL;
}

int cg_first_child(int fd, char name[256])
{
	_cleanup_closedir_ DIR *dir = open_dir(fd);
	const char *child;

	if (!dir)
		return -errno;
	child = next_child(dir);
	if (!child)
		return 0;
	snprintf(name, 256, "%s", child);
	return 1;
}

int cg_step(int *cur, const char *name)
{
	int fd = sys_openat(*cur, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW, 0);

	if (fd < 0)
		return fd;
	close(*cur);
	*cur = fd;
	return 0;
}

/* A cgroup between the top of the walk and where it is: those below it that are still to be visited. */
struct level {
	char **names;
	size_t len;
};

struct walk {
	struct level *levels;
	size_t len, cap;
};

/* One level more: the cgroups below CUR. */
static int push_level(struct walk *w, int cur)
{
	_cleanup_closedir_ DIR *dir = open_dir(cur);
	const char *name;
	int r = dir || cg_is_gone(-errno) ? 0 : -errno;

	if (w->len == w->cap) {
		size_t cap = w->cap ? 2 * w->cap : 16;
		struct level *levels = reallocarray(w->levels, cap, sizeof(*levels));

		if (!levels)
			return -ENOMEM;
		w->levels = levels;
		w->cap = cap;
	}
	w->levels[w->len++] = (struct level){.names = NULL};
	while (dir && r >= 0 && (name = next_child(dir)))
		r = str_list_push(&w->levels[w->len - 1].names, &w->levels[w->len - 1].len, name);
	return r;
}

static void pop_level(struct walk *w)
{
	struct level *l = &w->levels[--w->len];

	while (l->len > 0)
		free(l->names[--l->len]);
	free(l->names);
}

/* Goes to the next cgroup: 1, or 0 when there is no more. One that was removed meanwhile still has its "..". */
static int advance(struct walk *w, int *cur)
{
	while (w->len > 0) {
		struct level *l = &w->levels[w->len - 1];
		int r;

		if (l->len == 0) {
			pop_level(w);
			r = w->len > 0 ? cg_step(cur, "..") : 0;
			if (r < 0)
				return r;
			continue;
		}
		r = cg_step(cur, l->names[--l->len]);
		free(l->names[l->len]);
		if (!cg_is_gone(r))
			return r < 0 ? r : 1;
	}
	return 0;
}

int cg_walk(int fd, int (*visit)(int fd, void *data), void *data)
{
	_cleanup_close_ int cur = sys_openat(fd, ".", O_RDONLY | O_DIRECTORY, 0);
	struct walk w = {.len = 0};
	int r = cur;

	while (r >= 0) {
		r = visit(cur, data);
		if (cg_is_gone(r))
			r = 0;
		if (r >= 0)
			r = push_level(&w, cur);
		if (r >= 0)
			r = advance(&w, &cur);
		if (r == 0)
			break;
	}
	while (w.len > 0)
		pop_level(&w);
	free(w.levels);
	return cg_is_gone(r) ? 0 : r;
}
