// SPDX-License-Identifier: Apache-2.0
// crun doctor: the kernel, and each of its features in docs/kernel-features.md.
#include "host/doctor/doctor.h"

#include "base/cleanup.h"
#include "base/str.h"
#include "host/doctor/parse.h"
#include "spawn/probe.h"
#include "sys/exe_shield.h"
#include "sys/file.h"
#include "sys/io.h"
#include "sys/mount.h"
#include "sys/present.h"
#include "sys/process.h"

#include <errno.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/utsname.h>
#include <unistd.h>

#define UPDATE "Run a newer kernel"

static int present_mm_map(void)
{
	return exe_shield_is_supported() ? 0 : -ENOSYS;
}

/* The namespace's file is there if the kernel was built with it. */
static int present_time_namespace(void)
{
	return access("/proc/self/ns/time", F_OK) == 0 ? 0 : -ENOSYS;
}

static const struct feature {
	const char *id, *name;
	int (*present)(void);
	const char *since; /* the version of Linux */
	enum doctor_status missing;
	const char *consequence;
} features[] = {
	{"kernel.openat2", "openat2", sys_present_openat2, "5.6", DOCTOR_NOTE,
	 "Paths in the container's root are resolved one component after the other, which takes more "
	 "time."},
	{"kernel.mount-api", "fsopen, fsconfig, fsmount, open_tree, move_mount",
	 sys_present_mount_api, "5.2", DOCTOR_WARNING,
	 "Mounts are made on a stage instead; volumes that are shared with the host (`rshared`), and "
	 "sources that only root can reach with a user namespace, are refused."},
	{"kernel.mount_setattr", "mount_setattr", sys_present_mount_setattr, "5.12", DOCTOR_WARNING,
	 "Idmapped mounts are refused; recursive options are set mount by mount."},
	{"kernel.clone3", "clone3", sys_present_clone3, "5.3", DOCTOR_NOTE,
	 "clone is used instead; containers are moved into their cgroup after their birth."},
	{"kernel.pidfd_open", "pidfd_open", sys_present_pidfd_open, "5.3", DOCTOR_NOTE,
	 "/proc/PID stands in for handles of processes; waiting looks every 10 ms."},
	{"kernel.pidfd_send_signal", "pidfd_send_signal", sys_present_pidfd_send_signal, "5.1",
	 DOCTOR_NOTE, "Signals are sent with kill, right after a look at the process."},
	{"kernel.close_range", "close_range", sys_present_close_range, "5.9", DOCTOR_NOTE,
	 "Descriptors are closed one by one."},
	{"kernel.faccessat2", "faccessat2", sys_present_faccessat2, "5.8", DOCTOR_NOTE,
	 "faccessat is used instead."},
	{"kernel.statx-mount-id", "statx with mount ids", sys_present_statx_mount_id, "5.8",
	 DOCTOR_NOTE, "/proc/self/fdinfo is read instead."},
	{"kernel.memfd_create", "memfd_create", sys_present_memfd_create, "3.17", DOCTOR_PROBLEM,
	 "crun's own binary cannot be protected from containers, so none is started."},
	{"kernel.memfd-exec", "memfd_create with MFD_NOEXEC_SEAL", sys_present_memfd_exec, "6.3",
	 DOCTOR_NOTE, "The flag is left out."},
	{"kernel.mm-map", "PR_SET_MM_MAP (CONFIG_CHECKPOINT_RESTORE)", present_mm_map, "3.18",
	 DOCTOR_NOTE,
	 "crun executes itself once more from a sealed copy before each container: a few "
	 "milliseconds."},
	{"kernel.userfaultfd", "userfaultfd (CONFIG_USERFAULTFD)", sys_present_userfaultfd, "5.11",
	 DOCTOR_NOTE, "Seccomp profiles with a listener have to allow futex."},
	{"kernel.time-namespace", "time namespaces (CONFIG_TIME_NS)", present_time_namespace, "5.6",
	 DOCTOR_NOTE, "Configurations with a time namespace are refused."},
};

static void check_feature(struct doctor *d, const struct feature *f)
{
	int r = f->present();

	if (r >= 0) {
		doctor_ok(d, f->id, "%s: works", f->name);
		return;
	}
	doctor_add(d, f->missing, f->id, doctor_failure(d, f->name, r), f->consequence,
		   r == -EPERM
			   ? doctor_text(d,
					 "Something hides it, most likely the seccomp profile "
					 "of a container around crun: allow it there.\nLinux has "
					 "it since %s.",
					 f->since)
			   : doctor_text(d, UPDATE ": Linux has it since %s.", f->since));
}

static void check_version(struct doctor *d)
{
	unsigned major, minor;
	struct utsname u;

	if (uname(&u) < 0 || !doctor_parse_version(u.release, &major, &minor))
		return;
	if (major > 5 || (major == 5 && minor >= 10))
		doctor_ok(d, "kernel.version", "Linux %s on %s", u.release, u.machine);
	else if (major == 5 && minor >= 2)
		doctor_add(d, DOCTOR_WARNING, "kernel.version",
			   doctor_text(d, "uname: Linux %s on %s", u.release, u.machine),
			   "crun is not tested with kernels before 5.10.",
			   UPDATE ": 5.10 or later.");
	else
		doctor_add(d, DOCTOR_PROBLEM, "kernel.version",
			   doctor_text(d, "uname: Linux %s on %s", u.release, u.machine),
			   "crun needs Linux 5.2, and is tested with 5.10 and later.",
			   UPDATE ": 5.10 or later.");
}

/* Our own cgroup in the hierarchy of version 2. */
static int open_own_cgroup(const struct doctor *d)
{
	char text[8192], own[4096];

	if (d->facts.cgroup_layout != CGROUP_V2 && d->facts.cgroup_layout != CGROUP_HYBRID)
		return FD_NONE;
	if (io_read_file_at(AT_FDCWD, "/proc/self/cgroup", text, sizeof(text)) < 0 ||
	    !doctor_parse_own_cgroup(text, own, sizeof(own)) || strstr(own, ".."))
		return FD_NONE;
	snprintf(text, sizeof(text), "/sys/fs/cgroup%s%s",
		 d->facts.cgroup_layout == CGROUP_HYBRID ? "/unified" : "", own);
	return sys_openat(AT_FDCWD, text, O_RDONLY | O_DIRECTORY, 0);
}

static int do_nothing(const void *arg, char text[PROBE_TEXT])
{
	(void)arg;
	(void)text;
	return 0;
}

/* A child is born in the cgroup that it would have been born in anyway. */
static void check_clone_into_cgroup(struct doctor *d, int own)
{
	const struct probe p = {.cgroup_fd = own, .run = do_nothing};
	char text[PROBE_TEXT];
	int r = probe_run(&p, text);

	/* An ordinary user may be refused: then the kernel knows what is asked of it. */
	if (r >= 0 || r == -EACCES)
		doctor_ok(d, "kernel.clone-into-cgroup", "clone3 with CLONE_INTO_CGROUP: works");
	else
		doctor_add(d, DOCTOR_NOTE, "kernel.clone-into-cgroup",
			   doctor_failure(d, "clone3 with CLONE_INTO_CGROUP", r),
			   "Containers are moved into their cgroup after their birth.",
			   UPDATE ": Linux has it since 5.7.");
}

static void check_cgroup_kill(struct doctor *d, int own)
{
	struct stat st;

	/* The root of a hierarchy does not have it. */
	if (sys_fstatat(own, "cgroup.type", &st) < 0)
		return;
	if (sys_fstatat(own, "cgroup.kill", &st) == 0)
		doctor_ok(d, "kernel.cgroup-kill", "cgroup.kill: exists in our own cgroup");
	else
		doctor_add(d, DOCTOR_NOTE, "kernel.cgroup-kill",
			   "cgroup.kill: no such file in our own cgroup",
			   "The processes of a container are killed one after the other.",
			   UPDATE ": Linux has it since 5.14.");
}

/* A profile that hides only some of the calls is refused by the call that fails: docs/kernel-features.md. */
static int use_mount_api(const void *arg, char text[PROBE_TEXT])
{
	_cleanup_close_ int fs = sys_fsopen("tmpfs");
	_cleanup_close_ int mount = FD_NONE;
	_cleanup_close_ int target = FD_NONE;
	int r = fs;

	(void)arg;
	snprintf(text, PROBE_TEXT, "fsopen");
	if (r >= 0) {
		snprintf(text, PROBE_TEXT, "fsconfig");
		r = sys_fsconfig_create(fs);
	}
	if (r >= 0) {
		snprintf(text, PROBE_TEXT, "fsmount");
		mount = sys_fsmount(fs, MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV);
		r = mount;
	}
	if (r >= 0) {
		snprintf(text, PROBE_TEXT, "move_mount");
		target = sys_openat(AT_FDCWD, "/tmp", O_PATH, 0);
		r = target < 0 ? target : sys_move_mount(mount, target);
	}
	return r;
}

static void check_mount_api(struct doctor *d)
{
	const struct probe p = {
		.flags = CLONE_NEWNS | (d->facts.privileged ? 0 : CLONE_NEWUSER),
		.cgroup_fd = FD_NONE,
		.run = use_mount_api,
	};
	char text[PROBE_TEXT];
	int r = probe_run(&p, text);

	if (r >= 0)
		doctor_ok(d, "kernel.mount", "fsopen to move_mount: a tmpfs was mounted");
	else if (sys_present_mount_api() >= 0 && (str_after(text, "fs") || str_after(text, "move")))
		doctor_add(
			d, DOCTOR_PROBLEM, "kernel.mount", doctor_failure(d, text, r),
			"No container starts: the kernel has this interface, but a part of it is "
			"refused.",
			"Allow fsopen, fsconfig, fsmount and move_mount in the seccomp profile or "
			"security module of whatever is around crun, or refuse open_tree as well: "
			"then crun mounts with mount.");
	/* Else it is the finding about mount and user namespaces, or about the lack of all of it. */
}

static void check_filter(struct doctor *d)
{
	if (sys_prctl(PR_GET_SECCOMP, 0, 0) == 2)
		doctor_add(d, DOCTOR_NOTE, "kernel.filtered",
			   "prctl(PR_GET_SECCOMP): crun itself runs under a seccomp filter",
			   "What the filter refuses is refused to crun and to all its containers.",
			   "Start crun outside of it, or allow in that profile what the findings "
			   "about single calls name.");
}

void doctor_kernel(struct doctor *d)
{
	_cleanup_close_ int own = open_own_cgroup(d);

	check_version(d);
	check_filter(d);
	for (size_t i = 0; i < ARRAY_LEN(features); i++)
		check_feature(d, &features[i]);
	check_mount_api(d);
	if (own >= 0) {
		check_clone_into_cgroup(d, own);
		check_cgroup_kill(d, own);
	}
}
