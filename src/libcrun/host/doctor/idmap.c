// SPDX-License-Identifier: Apache-2.0
// crun doctor: which of the file systems that containers live on can be idmapped, tried with a detached clone.
#include "host/doctor/doctor.h"

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/str.h"
#include "fs/mountinfo.h"
#include "host/doctor/places.h"
#include "host/idmaps.h"
#include "sys/file.h"
#include "sys/mount.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>

struct trial {
	const char *path; /* NULL: a new tmpfs */
	int userns_fd;
};

static int new_tmpfs(void)
{
	_cleanup_close_ int fs = sys_fsopen("tmpfs");
	int r = fs < 0 ? fs : sys_fsconfig_create(fs);

	return r < 0 ? r : sys_fsmount(fs, 0);
}

static int try(const void *arg, char text[PROBE_TEXT])
{
	const struct trial *t = arg;
	_cleanup_buf_ struct buf table = {0};
	_cleanup_close_ int fd = FD_NONE;
	_cleanup_close_ int clone = FD_NONE;
	struct mountinfo m = {.fstype = "?", .mount_point = "?"};
	char path[PATH_MAX] = "a new mount";

	if (t->path) {
		fd = doctor_open_nearest(t->path, path, sizeof(path));
		if (fd >= 0 && doctor_mount_of(fd, &table, &m) >= 0)
			clone = sys_open_tree(fd, "", OPEN_TREE_CLONE | AT_EMPTY_PATH);
	} else {
		m.fstype = "tmpfs";
		clone = new_tmpfs();
	}
	snprintf(text, PROBE_TEXT, "%.300s (%.32s)", path, m.fstype);
	return clone < 0 ? clone : sys_mount_setattr_idmap(clone, 0, 0, 0, t->userns_fd);
}

static const char *why(struct doctor *d, const char *where, int r)
{
	if (r == -EINVAL)
		return doctor_text(d,
				   "mount_setattr(MOUNT_ATTR_IDMAP) of %s: this kernel cannot do "
				   "it for this file system",
				   where);
	if (r == -EPERM)
		return doctor_text(d,
				   "mount_setattr(MOUNT_ATTR_IDMAP) of %s: it was mounted in "
				   "another user namespace, or is idmapped already",
				   where);
	return doctor_text(d, "mount_setattr(MOUNT_ATTR_IDMAP) of %s: %s", where, err_describe(-r));
}

static void try_path(struct doctor *d, const char *id, const struct trial *t)
{
	const struct probe p = {.cgroup_fd = FD_NONE, .run = try, .arg = t};
	char text[PROBE_TEXT];
	int r = probe_run(&p, text);

	if (r >= 0)
		doctor_ok(d, id, "%s: can be idmapped", text);
	else
		doctor_add(
			d, DOCTOR_NOTE, id, why(d, text, r),
			"Volumes and root file systems there cannot be shared with containers of "
			"other ids without a change of owner: mounts with `idmap` are refused.",
			r == -ENOSYS ? "Run a newer kernel: Linux has idmapped mounts since 5.12."
				     : "Use a file system that can: ext4, xfs, btrfs (Linux 5.15), "
				       "tmpfs (6.3), overlay (5.19). Or let the engine change the "
				       "owners (Podman: the option `U`).");
}

void doctor_idmap(struct doctor *d)
{
	static const struct oci_id_mapping root = {.container_id = 0, .host_id = 0, .size = 1};
	const struct mount_idmap map = {.uids = &root, .gids = &root, .uids_len = 1, .gids_len = 1};
	struct doctor_place places[DOCTOR_PLACES];
	_cleanup_close_ int userns = FD_NONE;
	struct crun_error err;
	size_t n;

	if (!d->facts.privileged) {
		doctor_ok(d, "idmap.unprivileged",
			  "not for an ordinary user: only who mounted a file system may idmap it");
		return;
	}
	userns = mount_idmap_namespace(&map, &err);
	if (userns < 0) {
		doctor_add(d, DOCTOR_NOTE, "idmap.namespace", doctor_text(d, "%s", err.text),
			   "Idmapped mounts need a user namespace.", "Mend that first.");
		return;
	}
	n = doctor_places(d, places);
	for (size_t i = 0; i < n; i++) {
		const struct trial t = {places[i].path, userns};

		if (!places[i].state)
			try_path(d, places[i].idmap_id, &t);
	}
	try_path(d, "idmap.tmpfs", &(const struct trial){NULL, userns});
}
