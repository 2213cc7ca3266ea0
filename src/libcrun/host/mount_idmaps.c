// SPDX-License-Identifier: Apache-2.0
// User namespaces that exist only for the id mappings of mounts: see launch.h.
#include "host/idmaps.h"

#include "spawn/userns_holder.h"
#include "sys/file.h"

#include <stdio.h>

static int write_maps(pid_t pid, const struct mount_idmap *map, struct crun_error *err)
{
	int r = idmaps_write_one(pid, "gid_map", map->gids, map->gids_len, err);

	return r < 0 ? r : idmaps_write_one(pid, "uid_map", map->uids, map->uids_len, err);
}

static int open_namespace(pid_t pid, struct crun_error *err)
{
	char path[64];
	int fd;

	/* Our own child, not reaped yet: the number is still its own. */
	snprintf(path, sizeof(path), "/proc/%d/ns/user", pid);
	fd = sys_openat(AT_FDCWD, path, O_RDONLY, 0);
	return fd < 0 ? err_sys_code(err, CODE_NAMESPACE_JOIN, fd, "open `%s`", path) : fd;
}

int mount_idmap_namespace(const struct mount_idmap *map, struct crun_error *err)
{
	struct userns_holder holder;
	int r = userns_holder_begin(&holder, err);

	if (r < 0)
		return r;
	r = write_maps(holder.pid, map, err);
	if (r >= 0)
		r = open_namespace(holder.pid, err);
	userns_holder_end(&holder);
	return r;
}
