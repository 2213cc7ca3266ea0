// SPDX-License-Identifier: Apache-2.0
// Looks for the container that made a cgroup: see cgroup_owner.h.
#include "host/cgroup_owner.h"

#include "base/str.h"
#include "host/verbs.h"

#include <errno.h>

struct search {
	const struct libcrun_context *ctx;
	const struct cgroup *cg;
	struct crun_error *err;
};

static bool made(const struct oci_record *record, const char *dir)
{
	for (size_t i = 0; i < record->cgroup_created_len; i++) {
		if (str_eq(record->cgroup_created[i], dir))
			return true;
	}
	return false;
}

static int look_at(const char *id, void *data)
{
	_cleanup_container_ struct container c = CONTAINER_EMPTY;
	const struct search *s = data;

	/* One that cannot be read has no claim that it could make good. */
	if (container_open(s->ctx, id, &c, ERR_IGNORED) < 0 || !c.record->cgroup_path ||
	    !str_eq(c.record->cgroup_path, cgroup_path(s->cg)))
		return 0;
	for (const char *const *dir = cgroup_used(s->cg); *dir; dir++) {
		if (!made(c.record, *dir))
			continue;
		err_set(s->err, CODE_CGROUP_IN_USE, EEXIST,
			"cgroup `%s` exists already and goes with container `%s`, which is %s: "
			"delete that, or choose another linux.cgroupsPath",
			*dir, id, libcrun_status_name(c.status));
		return err_at(s->err, "/linux/cgroupsPath");
	}
	return 0;
}

int cgroup_owner_check(const struct libcrun_context *ctx, const struct cgroup *cg,
		       struct crun_error *err)
{
	struct search search = {.ctx = ctx, .cg = cg, .err = err};

	return *cgroup_used(cg) ? libcrun_each_id(ctx, look_at, &search, err) : 0;
}
