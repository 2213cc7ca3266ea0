// SPDX-License-Identifier: Apache-2.0
// crun doctor: where containers live: see places.h.
#include "host/doctor/places.h"

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/str.h"
#include "fs/mountinfo.h"
#include "fs/procfs.h"
#include "host/config_file.h"
#include "libcrun.h"
#include "sys/file.h"
#include "sys/statx.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void add(struct doctor_place *ret, size_t *n, const char *id, const char *idmap_id,
		const char *path, bool state)
{
	ret[(*n)++] = (struct doctor_place){id, idmap_id, path, state};
}

/* Faults of the configuration are another area's. */
static const char *bundle_root(struct doctor *d)
{
	const struct libcrun_create_options opts = {.size = sizeof(opts), .bundle = d->bundle};
	const struct oci_root *root = NULL;
	struct oci_arena arena = {0};
	const char *path = NULL;
	struct config_file f;

	if (config_file_read(&f, &opts, &arena, ERR_IGNORED) >= 0)
		root = f.config->root;
	if (root && root->path)
		path = root->path[0] == '/' ? doctor_text(d, "%s", root->path)
					    : doctor_text(d, "%s/%s", f.bundle, root->path);
	oci_arena_free(&arena);
	return path;
}

size_t doctor_places(struct doctor *d, struct doctor_place ret[DOCTOR_PLACES])
{
	const char *home = getenv("HOME"), *root = d->bundle ? bundle_root(d) : NULL;
	char state[PATH_MAX];
	struct crun_error err;
	size_t n = 0;

	if (libcrun_state_root(d->ctx, state, sizeof(state), &err) >= 0)
		add(ret, &n, "storage.state", "idmap.state", doctor_text(d, "%s", state), true);
	if (root)
		add(ret, &n, "storage.bundle", "idmap.bundle", root, false);
	if (!d->rootless)
		add(ret, &n, "storage.images", "idmap.images", "/var/lib/containers", false);
	if (d->rootless && home && home[0] == '/')
		add(ret, &n, "storage.images", "idmap.images",
		    doctor_text(d, "%s/.local/share/containers", home), false);
	if (home && home[0] == '/')
		add(ret, &n, "storage.home", "idmap.home", home, false);
	return n;
}

int doctor_open_nearest(const char *path, char *buf, size_t size)
{
	char *slash;
	int fd;

	snprintf(buf, size, "%s", path);
	fd = sys_openat(AT_FDCWD, buf, O_PATH, 0);
	while (fd == -ENOENT && (slash = strrchr(buf, '/'))) {
		slash[slash == buf] = '\0';
		fd = sys_openat(AT_FDCWD, buf, O_PATH, 0);
	}
	return fd;
}

int doctor_mount_of(int fd, struct buf *text, struct mountinfo *ret)
{
	_cleanup_close_ int proc = procfs_open_host(ERR_IGNORED);
	struct sys_mount_place place;
	char *cursor;
	int r = proc < 0 ? proc : sys_mount_place(fd, &place);

	if (r >= 0)
		r = mountinfo_read(proc, "self/mountinfo", text, ERR_IGNORED);
	if (r < 0)
		return r;
	cursor = text->data;
	while (mountinfo_next(&cursor, ret)) {
		if (ret->id == place.mount_id)
			return 0;
	}
	return -ENOENT;
}
