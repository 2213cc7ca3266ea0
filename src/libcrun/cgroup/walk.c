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

int cg_take_back(int fd)
{
	static const struct {
		const char *name;
		mode_t mode;
	} files[] = {
		{"cgroup.procs", 0644},	 {"cgroup.events", 0444}, {"cgroup.kill", 0200},
		{"cgroup.freeze", 0644}, {"freezer.state", 0644}, {"freezer.self_freezing", 0444},
	};
	int r = sys_fchmod(fd, 0755);

	for (size_t i = 0; r >= 0 && i < ARRAY_LEN(files); i++) {
		int one = sys_fchmodat(fd, files[i].name, files[i].mode);

		r = one == -ENOENT ? 0 : one;
	}
	return r;
}

/* What is in the directory FD, whose payload may have closed it. */
static int open_again(int fd, const char *name)
{
	int own = sys_openat(fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW, 0);

	if (own != -EACCES)
		return own;
	if (sys_fchmod(fd, 0755) < 0 || (!str_eq(name, "..") && sys_fchmodat(fd, name, 0755) < 0))
		return own;
	return sys_openat(fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW, 0);
}

static DIR *open_dir(int fd)
{
	int own = open_again(fd, ".");
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
	int fd = open_again(*cur, name);

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
	_cleanup_close_ int cur = open_again(fd, ".");
	struct walk w = {.len = 0};
	int r = cur;

	while (r >= 0) {
		r = visit(cur, data);
		if (r == -EACCES && cg_take_back(cur) >= 0)
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
