// SPDX-License-Identifier: Apache-2.0
// The phase `devices`: device nodes of the plan, made or bound below directories that are reached in-root.
#include "init/outside/phase.h"

#include "base/cleanup.h"
#include "base/str.h"
#include "fs/inroot.h"
#include "fs/mount_source.h"
#include "init/outside/mount.h"
#include "sys/file.h"

#include <limits.h>
#include <sys/sysmacros.h>

static dev_t number_of(const struct plan_device *d)
{
	return makedev((unsigned)d->major, (unsigned)d->minor);
}

/* Type and number: a block device can have the number of a character device (CVE-2026-88265). */
static bool is_device(const struct plan_device *d, const struct stat *st)
{
	return (st->st_mode & S_IFMT) == d->type &&
	       (d->type == S_IFIFO || st->st_rdev == number_of(d));
}

/* O_PATH of NAME in DIR, which must be the device D and no link to one. */
static int open_node(const struct plan_device *d, int dir, const char *name, struct stat *st,
		     struct crun_error *err)
{
	_cleanup_close_ int fd = FD_NONE;
	int r;

	fd = sys_openat(dir, name, O_PATH | O_NOFOLLOW, 0);
	if (fd < 0)
		return err_sys(err, fd, "open the node");
	r = sys_fstatat(fd, "", st);
	if (r < 0)
		return err_sys(err, r, "stat the node");
	if (!is_device(d, st))
		return err_set(err, KIND_SPEC, EEXIST,
			       "the root filesystem has something else there: File exists");
	return take_fd(&fd);
}

/* The directory of the last device, and what is known of it. */
struct place {
	char path[PATH_MAX];
	int fd; /* O_PATH, or FD_NONE: there was none yet */
	/* Who becomes the owner of what we make there (a set-group-ID bit has a say in it), once `made`. */
	bool made;
	uid_t uid;
	gid_t gid;
};

static int make_node(const struct plan_device *d, struct place *place, const char *name,
		     struct crun_error *err)
{
	_cleanup_close_ int fd = FD_NONE;
	struct stat st;
	int r;

	r = sys_mknodat(place->fd, name, d->type | d->mode, d->type == S_IFIFO ? 0 : number_of(d));
	if (r < 0 && r != -EEXIST)
		return r;
	/* What mknod has made is what it was asked for; only the owner may be wrong. */
	if (r == 0 && place->made && place->uid == d->uid && place->gid == d->gid)
		return 0;
	fd = open_node(d, place->fd, name, &st, err);
	if (fd < 0)
		return fd;
	if (r == -EEXIST)
		return 0;
	place->made = true;
	place->uid = st.st_uid;
	place->gid = st.st_gid;
	if (st.st_uid == d->uid && st.st_gid == d->gid)
		return 0;
	r = sys_fchownat(fd, "", d->uid, d->gid, AT_EMPTY_PATH);
	return r < 0 ? err_sys(err, r, "chown to %u:%u", d->uid, d->gid) : 0;
}

/* The host's node D as a detached mount. */
static int open_host_node(struct outside *o, const struct plan_device *d, struct crun_error *err)
{
	_cleanup_close_ int fd = FD_NONE;
	struct stat st;
	int r;

	fd = mount_source_open(&o->stage, d->path, false, false, err);
	if (fd < 0)
		return fd;
	r = sys_fstatat(fd, "", &st);
	if (r < 0)
		return err_sys(err, r, "stat the host's `%s`", d->path);
	if (!is_device(d, &st))
		return err_set(err, KIND_UNSUPPORTED, ENODEV,
			       "the host's `%s` is not the device %llu:%llu that it should be",
			       d->path, (unsigned long long)d->major, (unsigned long long)d->minor);
	return take_fd(&fd);
}

static int bind_node(struct outside *o, const struct plan_device *d, int dir, const char *name,
		     struct crun_error *err)
{
	const struct mount_change slave = {.propagation = MS_SLAVE};
	_cleanup_close_ int source = FD_NONE;
	_cleanup_close_ int target = FD_NONE;
	struct stat st;
	int r;

	source = open_host_node(o, d, err);
	if (source < 0)
		return source;
	r = sys_mknodat(dir, name, S_IFREG | 0644, 0);
	if (r < 0 && r != -EEXIST)
		return err_sys(err, r, "create the mount point");
	target = sys_openat(dir, name, O_PATH | O_NOFOLLOW, 0);
	if (target < 0)
		return err_sys(err, target, "open the mount point");
	r = sys_fstatat(target, "", &st);
	if (r < 0)
		return err_sys(err, r, "stat the mount point");
	if (is_device(d, &st) && r == 0 && st.st_rdev != 0)
		return 0;
	if (S_ISDIR(st.st_mode) || S_ISLNK(st.st_mode))
		return err_set(err, KIND_SPEC, EEXIST,
			       "the root filesystem has something else there: File exists");
	r = mount_stage_attach(&o->stage, source, target);
	if (r < 0)
		return err_sys(err, r, "bind the host's node");
	r = mount_attr_apply(o->proc_fd, source, &slave);
	return r < 0 ? err_sys(err, r, "set the propagation of the host's node") : 0;
}

/* The directory that D goes to, which is not looked up again for each of its devices. */
static int enter(struct outside *o, const struct plan_device *d, struct place *place,
		 char name[NAME_MAX + 1], struct crun_error *err)
{
	const char *slash = strrchr(d->path, '/');
	size_t len = slash ? (size_t)(slash - d->path) : 0;

	if (place->fd >= 0 && len && strlen(place->path) == len &&
	    strncmp(place->path, d->path, len) == 0 && str_is_filename(slash + 1) &&
	    strlen(slash + 1) <= NAME_MAX) {
		memcpy(name, slash + 1, strlen(slash + 1) + 1);
		return 0;
	}
	close_fd(&place->fd);
	place->made = false;
	place->fd = inroot_make_parent(o->root_fd, d->path, name, NAME_MAX + 1, err);
	if (place->fd < 0)
		return place->fd;
	len = len < sizeof(place->path) ? len : 0;
	memcpy(place->path, d->path, len);
	place->path[len] = '\0';
	return 0;
}

static int make_device(struct outside *o, const struct plan_device *d, struct place *place,
		       struct crun_error *err)
{
	char name[NAME_MAX + 1];
	int r;

	r = enter(o, d, place, name, err);
	if (r < 0)
		return r;
	if (o->plan->bind_devices && d->type != S_IFIFO)
		return bind_node(o, d, place->fd, name, err);
	err->errnum = 0;
	r = make_node(d, place, name, err);
	/* Root without CAP_MKNOD: the host's node does as well. */
	if (r == -EPERM && err->errnum == 0 && o->plan->ns[NS_MNT].action == NS_NEW)
		return bind_node(o, d, place->fd, name, err);
	if (r < 0 && err->errnum == 0)
		return err_sys(err, r, "mknod");
	return r;
}

/* A /dev that was bound by the configuration is the host's or a volume's: nothing is made in it. */
static bool is_foreign(const struct outside *o, const struct plan_device *d)
{
	return mount_dev_is_bind(o) && str_after(d->path, "/dev/");
}

static int make_all(struct outside *o, struct place *place, struct crun_error *err)
{
	for (size_t i = 0; i < o->plan->devices_len; i++) {
		const struct plan_device *d = &o->plan->devices[i];

		if (is_foreign(o, d))
			continue;
		if (make_device(o, d, place, err) >= 0)
			continue;
		err_in(err, "device `%s`", d->path);
		return d->index < 0 ? -err->errnum : err_at(err, "/linux/devices/%d", d->index);
	}
	return 0;
}

int phase_devices(struct outside *o, struct crun_error *err)
{
	struct place place = {.fd = FD_NONE};
	int r = make_all(o, &place, err);

	close_fd(&place.fd);
	return r;
}
