// SPDX-License-Identifier: Apache-2.0
// What was in the files that an update has written to, and how it gets back there: see changes.h.
#include "cgroup/changes.h"

#include "base/cleanup.h"
#include "base/str.h"
#include "spawn/writer.h"
#include "sys/io.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

int cg_changes_note(struct cg_changes *c, const struct cg_dir *dir, const char *file,
		    const char *value)
{
	struct cg_undo *u;

	if (c->len == c->cap) {
		size_t cap = c->cap ? 2 * c->cap : 16;

		u = reallocarray(c->undo, cap, sizeof(*u));
		if (!u)
			return -ENOMEM;
		c->undo = u;
		c->cap = cap;
	}
	u = &c->undo[c->len];
	*u = (struct cg_undo){
		.dir_fd = dir->fd,
		.path = str_printf("%s/%s", dir->path, file),
		.value = value ? str_dup(value) : NULL,
	};
	if (!u->path || (value && !u->value)) {
		free(u->path);
		free(u->value);
		return -ENOMEM;
	}
	u->name = u->path + strlen(dir->path) + 1;
	c->len++;
	return 0;
}

int cg_changes_put_back(const struct cg_changes *c, int dir_fd, const char *file, const char *value)
{
	if (!value)
		return -ENODATA;
	if (!value[0])
		value = "\n"; /* a write of nothing is none */
	/* The former value may be the lower one. */
	return cg_write_is_slow(file) ? spawn_write_at(dir_fd, file, value, c->deadline)
				      : io_write_file_at(dir_fd, file, value);
}

void cg_changes_kept(const char *path, struct crun_error *err)
{
	err_and(err, "`%s` cannot be put back and keeps its new value", path);
}

void cg_changes_undo(struct cg_changes *c, struct crun_error *err)
{
	while (c->len > 0) {
		struct cg_undo *u = &c->undo[--c->len];

		if (cg_changes_put_back(c, u->dir_fd, u->name, u->value) < 0)
			cg_changes_kept(u->path, err);
		free(u->path);
		free(u->value);
	}
}

void cg_changes_done(struct cg_changes *c)
{
	for (size_t i = 0; i < c->len; i++) {
		free(c->undo[i].path);
		free(c->undo[i].value);
	}
	free(c->undo);
	c->undo = NULL;
	c->len = c->cap = 0;
}
