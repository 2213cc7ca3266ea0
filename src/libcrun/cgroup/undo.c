// SPDX-License-Identifier: Apache-2.0
// What was in the files that an update has written to, and how it gets back there: see changes.h.
#include "cgroup/changes.h"

#include "base/cleanup.h"
#include "base/str.h"
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
	*u = (struct cg_undo){.dir_fd = dir->fd, .path = str_printf("%s/%s", dir->path, file)};
	if (!u->path)
		return -ENOMEM;
	c->len++;
	u->name = u->path + strlen(dir->path) + 1;
	if (value)
		u->value = str_dup(value);
	return value && !u->value ? -ENOMEM : 0;
}

void cg_changes_undo(struct cg_changes *c, struct crun_error *err)
{
	while (c->len > 0) {
		struct cg_undo *u = &c->undo[--c->len];
		int r = -ENODATA;

		if (u->value)
			r = io_write_file_at(u->dir_fd, u->name, u->value[0] ? u->value : "\n");
		if (r < 0)
			err_and(err, "`%s` cannot be put back and keeps its new value", u->path);
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
