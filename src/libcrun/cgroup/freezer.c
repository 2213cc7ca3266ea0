// SPDX-License-Identifier: Apache-2.0
// Whether the container is frozen, and letting it go on.
#include "cgroup/internal.h"

#include "base/str.h"
#include "sys/io.h"

#include <errno.h>
#include <string.h>

static bool is_v1_freezer(const struct cg_hier *h)
{
	return !h->v2 && (h->controllers & CG_BIT(CG_FREEZER));
}

/* 1, 0, or -errno; a directory that is gone, or a kernel without freezer, has nothing frozen. */
static int frozen_in(const struct cg_hier *h)
{
	char text[512];
	int r;

	if (h->dir_fd < 0 || (!h->v2 && !is_v1_freezer(h)))
		return 0;
	r = io_read_file_at(h->dir_fd, h->v2 ? "cgroup.freeze" : "freezer.state", text,
			    sizeof(text));
	if (r == -ENOENT || r == -ENODEV)
		return 0;
	if (r < 0)
		return r;
	return h->v2 ? str_eq(text, "1") : !str_eq(text, "THAWED");
}

int cgroup_is_frozen(struct cgroup *cg, bool *ret, struct crun_error *err)
{
	*ret = false;
	for (size_t i = 0; i < cg->hier_len; i++) {
		int r = frozen_in(&cg->hier[i]);

		if (r < 0)
			return err_sys(err, r, "read the freezer state of cgroup `%s%s`",
				       cg->hier[i].root, cg->path);
		*ret |= r > 0;
	}
	return 0;
}

int cgroup_thaw(struct cgroup *cg, struct crun_error *err)
{
	for (size_t i = 0; i < cg->hier_len; i++) {
		const struct cg_hier *h = &cg->hier[i];
		int r = frozen_in(h);

		if (r > 0 && h->leaf_made)
			r = io_write_file_at(h->dir_fd, h->v2 ? "cgroup.freeze" : "freezer.state",
					     h->v2 ? "0" : "THAWED");
		if (r < 0 && r != -ENOENT && r != -ENODEV)
			return err_sys(err, r, "thaw cgroup `%s%s`", h->root, cg->path);
	}
	return 0;
}
