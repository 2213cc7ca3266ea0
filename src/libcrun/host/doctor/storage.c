// SPDX-License-Identifier: Apache-2.0
// crun doctor: the file systems of the state directory and of images, and overlay.
#include "host/doctor/doctor.h"

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/str.h"
#include "fs/mountinfo.h"
#include "host/doctor/places.h"
#include "sys/file.h"
#include "sys/mount.h"
#include "sys/process.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/statvfs.h>
#include <unistd.h>

/* What may be wrong with a place: bits of what the child returns. */
#define DENIED	  0x01
#define READ_ONLY 0x02
#define NOEXEC	  0x04
#define NOSUID	  0x08
#define FULL	  0x10
#define NO_INODES 0x20
#define NETWORK	  0x40
#define FOREIGN	  0x80

/* Percent that are left. */
#define LITTLE 5

static bool is_network(const char *fstype)
{
	static const char *const types[] = {"nfs", "nfs4", "cifs",	 "smb3",
					    "9p",  "ceph", "fuse.sshfs", "afs"};

	for (size_t i = 0; i < ARRAY_LEN(types); i++) {
		if (str_eq(fstype, types[i]))
			return true;
	}
	return false;
}

static bool is_little(uint64_t left, uint64_t all)
{
	return all && left * 100 < all * LITTLE;
}

static int examine(const void *arg, char text[PROBE_TEXT])
{
	const struct doctor_place *p = arg;
	_cleanup_buf_ struct buf table = {0};
	_cleanup_close_ int fd = FD_NONE;
	struct mountinfo m = {.fstype = "?", .mount_point = "?"};
	struct statvfs fs;
	struct stat st;
	char path[PATH_MAX];
	int bad = 0;

	fd = doctor_open_nearest(p->path, path, sizeof(path));
	if (fd < 0 || fstatvfs(fd, &fs) < 0 || sys_fstatat(fd, "", &st) < 0) {
		snprintf(text, PROBE_TEXT, "%.300s", path);
		return fd < 0 ? fd : -errno;
	}
	(void)doctor_mount_of(fd, &table, &m);
	if (sys_access(fd, ".", W_OK) < 0)
		bad |= fs.f_flag & ST_RDONLY ? READ_ONLY : DENIED;
	if (str_eq(path, p->path) && (st.st_uid != geteuid() || (st.st_mode & 022)))
		bad |= FOREIGN;
	bad |= fs.f_flag & ST_NOEXEC ? NOEXEC : 0;
	bad |= fs.f_flag & ST_NOSUID ? NOSUID : 0;
	bad |= is_little(fs.f_bavail, fs.f_blocks) ? FULL : 0;
	bad |= is_little(fs.f_favail, fs.f_files) ? NO_INODES : 0;
	bad |= is_network(m.fstype) ? NETWORK : 0;
	snprintf(
		text, PROBE_TEXT, "%.300s: %.32s at `%.100s`%s%s%s%s; %llu MiB, %llu inodes free",
		path, m.fstype, m.mount_point, bad & DENIED ? ", not for our user to write to" : "",
		fs.f_flag & ST_RDONLY ? ", read-only" : "", bad & NOEXEC ? ", noexec" : "",
		bad & NOSUID ? ", nosuid" : "", (unsigned long long)fs.f_bavail * fs.f_frsize >> 20,
		(unsigned long long)fs.f_favail);
	return bad;
}

static const struct fault {
	int bit;
	enum doctor_status state, images; /* of the state root, of other places */
	const char *consequence, *fix;
} faults[] = {
	{DENIED, DOCTOR_PROBLEM, DOCTOR_NOTE,
	 "Our user may not write there: no container is made (state), no image is stored.",
	 "Name another place with `crun --root DIR`, or in the engine's configuration; or have the "
	 "directory's owner changed."},
	{READ_ONLY, DOCTOR_PROBLEM, DOCTOR_NOTE,
	 "Nothing can be written there: no container is made (state), no image is stored.",
	 "Name another place with `crun --root DIR`, or in the engine's configuration; or as root "
	 "mount it for writing."},
	{FULL, DOCTOR_WARNING, DOCTOR_WARNING,
	 "Soon files cannot be written any more: \"No space left on device\".",
	 "Make room: `podman system prune`, `docker system prune`, or a larger file system."},
	{NO_INODES, DOCTOR_WARNING, DOCTOR_WARNING,
	 "Soon files cannot be made any more: \"No space left on device\", although df shows space.",
	 "Remove files (`df -i` tells where), or mount a tmpfs with a larger nr_inodes."},
	{NOEXEC, DOCTOR_OK, DOCTOR_WARNING,
	 "Programs of root file systems that are used without overlay cannot be executed.",
	 "As root, mount it without the option noexec."},
	{NETWORK, DOCTOR_WARNING, DOCTOR_WARNING,
	 "Files of other ids cannot be made by an ordinary user's containers there, and overlay does "
	 "not work on it.",
	 "Keep images on a local disk (Podman: `graphroot` in storage.conf)."},
};

static void check_place(struct doctor *d, const struct doctor_place *place)
{
	const struct probe p = {.cgroup_fd = FD_NONE, .run = examine, .arg = place};
	char text[PROBE_TEXT];
	int bad = probe_run(&p, text);
	const char *found;
	bool any = false;

	if (bad < 0) {
		doctor_add(d, place->state ? DOCTOR_PROBLEM : DOCTOR_NOTE, place->id,
			   bad == -ETIMEDOUT ? doctor_text(d, "%s: %s", place->path, text)
					     : doctor_failure(d, text, bad),
			   "It cannot be used: whoever looks there waits or fails.",
			   bad == -ETIMEDOUT
				   ? "See whether the server of its file system answers."
				   : "Name another place with `crun --root DIR`, or in the "
				     "engine's configuration.");
		return;
	}
	found = str_after(text, place->path) && text[strlen(place->path)] == ':'
			? doctor_text(d, "%s", text)
			: doctor_text(d, "%s does not exist; %s", place->path, text);
	for (size_t i = 0; i < ARRAY_LEN(faults); i++) {
		enum doctor_status s = place->state ? faults[i].state : faults[i].images;

		if (!(bad & faults[i].bit) || s == DOCTOR_OK)
			continue;
		any = true;
		doctor_add(d, s, place->id, found, faults[i].consequence, faults[i].fix);
	}
	if (place->state && (bad & FOREIGN) && !(bad & DENIED)) {
		any = true;
		doctor_add(d, DOCTOR_WARNING, place->id,
			   doctor_text(d, "%s: not ours alone; %s", place->path, text),
			   "Who can write there can make crun act on what is no container of ours.",
			   doctor_text(d, "    chown %u %s && chmod 700 %s", d->facts.euid,
				       place->path, place->path));
	}
	if (!any)
		doctor_ok(d, place->id, "%s", found);
}

static int make_directories(const char *const *names)
{
	int r = 0;

	for (; r >= 0 && *names; names++)
		r = sys_mkdirat(AT_FDCWD, *names, 0755);
	return r;
}

/* On a tmpfs of the child's own, over /tmp of its own mount namespace. */
static int mount_overlay(const void *arg, char text[PROBE_TEXT])
{
	static const char *const names[] = {"/tmp/lower", "/tmp/upper", "/tmp/work", "/tmp/merged",
					    NULL};
	int r = sys_mount("tmpfs", "/tmp", "tmpfs", 0, "size=1m");

	(void)arg;
	snprintf(text, PROBE_TEXT, "mount a tmpfs");
	if (r >= 0)
		r = make_directories(names);
	if (r < 0)
		return r;
	snprintf(text, PROBE_TEXT, "mount overlay");
	return sys_mount("overlay", "/tmp/merged", "overlay", 0,
			 "lowerdir=/tmp/lower,upperdir=/tmp/upper,workdir=/tmp/work");
}

static bool has_fuse_overlayfs(void)
{
	return access("/usr/bin/fuse-overlayfs", X_OK) == 0 ||
	       access("/usr/local/bin/fuse-overlayfs", X_OK) == 0;
}

static void check_overlay(struct doctor *d)
{
	bool user = !d->facts.privileged;
	const struct probe p = {
		.flags = CLONE_NEWNS | (user ? CLONE_NEWUSER : 0),
		.cgroup_fd = FD_NONE,
		.run = mount_overlay,
	};
	const char *where = user ? " in a user namespace" : "";
	char text[PROBE_TEXT];
	int r = probe_run(&p, text);

	if (r >= 0) {
		doctor_ok(d, "storage.overlay", "mount overlay%s: works", where);
		return;
	}
	doctor_add(
		d, user && has_fuse_overlayfs() ? DOCTOR_NOTE : DOCTOR_WARNING, "storage.overlay",
		doctor_text(d, "%s%s: %s", text, where, err_describe(-r)),
		user && has_fuse_overlayfs()
			? "Engines use fuse-overlayfs, which is slower."
			: "Engines copy each image for each container: slow, and much space.",
		r == -ENODEV ? "As root, load the module now and at every boot:\n"
			       "    modprobe overlay\n"
			       "    echo overlay >/etc/modules-load.d/overlay.conf"
		: user	     ? "Linux has it for ordinary users since 5.11. Until then install "
			       "fuse-overlayfs, which needs /dev/fuse. An error about user namespaces is "
			       "to be mended first."
			     : "See the kernel's log (dmesg).");
}

void doctor_storage(struct doctor *d)
{
	struct doctor_place places[DOCTOR_PLACES];
	size_t n = doctor_places(d, places);

	for (size_t i = 0; i < n; i++)
		check_place(d, &places[i]);
	check_overlay(d);
}
