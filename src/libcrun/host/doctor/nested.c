// SPDX-License-Identifier: Apache-2.0
// crun doctor: being in a container ourselves, and what that takes away.
#include "host/doctor/doctor.h"

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/str.h"
#include "fs/mountinfo.h"
#include "fs/procfs.h"
#include "host/doctor/parse.h"
#include "spawn/probe.h"
#include "sys/io.h"
#include "sys/kernel.h"
#include "sys/mount.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

/* include/linux/proc_ns.h: PROC_PID_INIT_INO, part of the kernel's ABI. */
#define INITIAL_PID_NS_INODE 0xEFFFFFFCU
#define ENOUGH_IDS	     65536

static void check_user_namespace(struct doctor *d)
{
	char text[4096];
	uint64_t ids;

	if (!d->facts.in_userns ||
	    io_read_file_at(AT_FDCWD, "/proc/self/uid_map", text, sizeof(text)) < 0)
		return;
	ids = doctor_parse_map_size(text);
	if (ids >= ENOUGH_IDS)
		doctor_ok(d, "nested.user-namespace", "/proc/self/uid_map: %llu ids",
			  (unsigned long long)ids);
	else
		doctor_add(
			d, DOCTOR_WARNING, "nested.user-namespace",
			doctor_text(d, "/proc/self/uid_map: %llu ids", (unsigned long long)ids),
			"Containers can have no other ids than these: images with files of other "
			"users cannot be unpacked.",
			"Give the user namespace around crun more ids (Podman: --uidmap, "
			"--userns=auto:size=131072; `unshare --map-auto`).");
}

static const char *signs_of_container(void)
{
	struct stat st;

	if (access("/run/.containerenv", F_OK) == 0)
		return "/run/.containerenv: exists";
	if (access("/.dockerenv", F_OK) == 0)
		return "/.dockerenv: exists";
	if (access("/run/systemd/container", F_OK) == 0)
		return "/run/systemd/container: exists";
	if (stat("/proc/self/ns/pid", &st) == 0 && st.st_ino != INITIAL_PID_NS_INODE)
		return "/proc/self/ns/pid: not the initial pid namespace";
	return NULL;
}

static void check_container(struct doctor *d)
{
	const char *sign = signs_of_container();

	if (!sign)
		doctor_ok(d, "nested.container", "no sign of a container around crun");
	else
		doctor_add(
			d, DOCTOR_NOTE, "nested.container", sign,
			"crun runs inside a container: its containers have at most what that one "
			"has.",
			"None is needed; findings below say what the outer container lacks.");
}

static const struct new_fs {
	const char *fstype, *point, *id;
	unsigned flags;
	const char *consequence, *fix;
} file_systems[] = {
	{"proc", "/proc", "nested.proc", CLONE_NEWPID,
	 "A container with pid namespace and user namespace cannot have a /proc of its own: the "
	 "kernel (mount_too_revealing) wants one around it that is wholly visible.",
	 "Start the outer container without masks of /proc: Podman `--security-opt unmask=ALL`, "
	 "Docker `--security-opt systempaths=unconfined`, Kubernetes `procMount: Unmasked`. Or mount "
	 "a whole procfs for crun anywhere in the outer container:\n"
	 "    mount -t proc proc /mnt\n"
	 "Else let inner containers share the pid namespace and bind /proc."},
	{"sysfs", "/sys", "nested.sysfs", CLONE_NEWNET,
	 "A container with network namespace and user namespace cannot have a /sys of its own: the "
	 "kernel wants one around it that is wholly visible.",
	 "Start the outer container without masks of /sys (Podman `--security-opt unmask=ALL`), or "
	 "have inner containers bind /sys (`rbind`, read-only)."},
};

static int mount_new(const void *arg, char text[PROBE_TEXT])
{
	const struct new_fs *fs = arg;

	snprintf(text, PROBE_TEXT, "mount %s in new namespaces", fs->fstype);
	return sys_mount(fs->fstype, fs->point, fs->fstype, MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL);
}

/* Directories that the kernel keeps empty for others to be mounted on: these hide nothing (fs/proc, fs/sysfs: mount points). */
static bool is_mount_point(const char *path)
{
	static const char *const points[] = {"/proc/sys/fs/binfmt_misc", "/sys/fs/",
					     "/sys/kernel/debug",	 "/sys/kernel/tracing",
					     "/sys/kernel/security",	 "/sys/kernel/config",
					     "/sys/firmware/efi/efivars"};

	for (size_t i = 0; i < ARRAY_LEN(points); i++) {
		if (str_after(path, points[i]))
			return true;
	}
	return false;
}

/* What lies over a part of POINT: the evidence, in words. */
static const char *covers(struct doctor *d, const char *point)
{
	_cleanup_close_ int proc = procfs_open_host(ERR_IGNORED);
	_cleanup_buf_ struct buf table = {0};
	_cleanup_buf_ struct buf list = {0};
	struct mountinfo m;
	size_t n = 0;
	char *cursor;

	if (proc < 0 || mountinfo_read(proc, "self/mountinfo", &table, ERR_IGNORED) < 0)
		return "";
	cursor = table.data;
	while (mountinfo_next(&cursor, &m)) {
		const char *below = str_after(m.mount_point, point);

		if (below && *below == '/' && !is_mount_point(m.mount_point) && n++ < 4)
			buf_printf(&list, "%s `%s`", list.len ? "," : "", m.mount_point);
	}
	if (!list.data || list.failed)
		return "";
	return doctor_text(d, "; mounted over it:%s%s", list.data, n > 4 ? " and more" : "");
}

static void check_new(struct doctor *d, const struct new_fs *fs)
{
	const struct probe p = {
		.flags = CLONE_NEWUSER | CLONE_NEWNS | fs->flags,
		.cgroup_fd = FD_NONE,
		.run = mount_new,
		.arg = fs,
	};
	char text[PROBE_TEXT];
	int r = probe_run(&p, text);

	if (r >= 0)
		doctor_ok(d, fs->id, "%s: works", text);
	else if (str_after(text, "mount "))
		doctor_add(d, doctor_if_rootless(d, DOCTOR_PROBLEM, DOCTOR_WARNING), fs->id,
			   doctor_text(d, "%s: %s%s", text, err_describe(-r), covers(d, fs->point)),
			   fs->consequence, fs->fix);
	/* Without a user namespace it did not come to that: another finding. */
}

void doctor_nested(struct doctor *d)
{
	check_container(d);
	check_user_namespace(d);
	for (size_t i = 0; i < ARRAY_LEN(file_systems); i++)
		check_new(d, &file_systems[i]);
}
