// SPDX-License-Identifier: Apache-2.0
// crun doctor: namespaces, made for real in a child, and the sysctls that forbid them.
#include "host/doctor/doctor.h"

#include "base/cleanup.h"
#include "base/str.h"
#include "spawn/probe.h"
#include "sys/kernel.h"
#include "sys/mount.h"
#include "sys/process.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define NO_USERNS                                                                       \
	"An ordinary user cannot run containers at all, and root none that has a user " \
	"namespace."
#define FEW 16

static const struct kind {
	const char *id, *name, *file, *limit; /* file of /proc/self/ns, of /proc/sys/user */
	unsigned flag;
	enum doctor_status missing;
} kinds[] = {
	{"namespaces.mount", "mount", "mnt", "max_mnt_namespaces", CLONE_NEWNS, DOCTOR_PROBLEM},
	{"namespaces.pid", "pid", "pid", "max_pid_namespaces", CLONE_NEWPID, DOCTOR_PROBLEM},
	{"namespaces.network", "network", "net", "max_net_namespaces", CLONE_NEWNET,
	 DOCTOR_PROBLEM},
	{"namespaces.ipc", "ipc", "ipc", "max_ipc_namespaces", CLONE_NEWIPC, DOCTOR_PROBLEM},
	{"namespaces.uts", "uts", "uts", "max_uts_namespaces", CLONE_NEWUTS, DOCTOR_PROBLEM},
	{"namespaces.cgroup", "cgroup", "cgroup", "max_cgroup_namespaces", CLONE_NEWCGROUP,
	 DOCTOR_WARNING},
	{"namespaces.time", "time", "time", "max_time_namespaces", CLONE_NEWTIME, DOCTOR_NOTE},
};

static bool limit_of(const char *name, char *path, size_t size, uint64_t *ret)
{
	snprintf(path, size, "/proc/sys/user/%s", name);
	return doctor_read_number(path, ret);
}

static const char *raise_limit(struct doctor *d, const char *name, unsigned value)
{
	return doctor_text(d,
			   "As root, now and for every boot:\n"
			   "    sysctl -w user.%s=%u\n"
			   "    echo user.%s=%u >/etc/sysctl.d/90-containers.conf\n"
			   "Inside a container it has to be raised on the host, or in the "
			   "container's own user namespace by its root.",
			   name, value, name, value);
}

/* unshare(2) in the child knows all kinds, clone3 not that of time. */
static int make(const void *arg, char text[PROBE_TEXT])
{
	const struct kind *k = arg;
	int r = sys_unshare((int)k->flag);

	if (r < 0)
		snprintf(text, PROBE_TEXT, "unshare");
	return r;
}

static void check_kind(struct doctor *d, const struct kind *k, unsigned userns)
{
	const struct probe p = {.flags = userns, .cgroup_fd = FD_NONE, .run = make, .arg = k};
	char path[64], text[PROBE_TEXT];
	uint64_t limit;
	int r;

	snprintf(path, sizeof(path), "/proc/self/ns/%s", k->file);
	if (access(path, F_OK) < 0) {
		/* That of time is a feature of the kernel's own list. */
		if (k->flag != CLONE_NEWTIME)
			doctor_add(d, k->missing, k->id, doctor_failure(d, path, -errno),
				   doctor_text(d, "Containers with a %s namespace are refused.",
					       k->name),
				   "Run a kernel that was built with it.");
		return;
	}
	r = probe_run(&p, text);
	if (r >= 0) {
		doctor_ok(d, k->id, "unshare: made a namespace, %s", k->name);
		return;
	}
	limit_of(k->limit, path, sizeof(path), &limit);
	doctor_add(d, k->missing, k->id,
		   r == -ENOSPC ? doctor_text(d, "%s, and %s is %llu", doctor_failure(d, text, r),
					      path, (unsigned long long)limit)
				: doctor_failure(d, text, r),
		   doctor_text(d, "Containers with a %s namespace do not start.", k->name),
		   r == -ENOSPC
			   ? raise_limit(d, k->limit, 15000)
			   : "Give crun CAP_SYS_ADMIN, or run it as an ordinary user, who makes "
			     "a user namespace first. In a container, its seccomp profile has "
			     "to allow unshare and clone.");
}

/* With its capabilities, which AppArmor can take away from a namespace that it lets one make. */
static int use_user_namespace(const void *arg, char text[PROBE_TEXT])
{
	int r;

	(void)arg;
	r = sys_unshare(CLONE_NEWNS);
	if (r < 0) {
		snprintf(text, PROBE_TEXT, "unshare(CLONE_NEWNS) in a new user namespace");
		return r;
	}
	r = sys_mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL);
	if (r < 0)
		snprintf(text, PROBE_TEXT, "mount in a new user namespace");
	return r;
}

static bool is_sysctl(const char *path, uint64_t value)
{
	uint64_t now;

	return doctor_read_number(path, &now) && now == value;
}

#define CLONE_SYSCTL	"/proc/sys/kernel/unprivileged_userns_clone"
#define APPARMOR_SYSCTL "/proc/sys/kernel/apparmor_restrict_unprivileged_userns"

/* The reason, as far as the sysctls tell, with what mends it. */
static const char *explain(struct doctor *d, int r, const char **ret_fix)
{
	uint64_t limit = 0;
	char path[64];

	if (limit_of("max_user_namespaces", path, sizeof(path), &limit) &&
	    (limit == 0 || r == -ENOSPC || r == -EUSERS)) {
		*ret_fix = raise_limit(d, "max_user_namespaces", 15000);
		return doctor_text(d, ", and %s is %llu", path, (unsigned long long)limit);
	}
	if (is_sysctl(CLONE_SYSCTL, 0)) {
		*ret_fix = "As root, now and for every boot:\n"
			   "    sysctl -w kernel.unprivileged_userns_clone=1\n"
			   "    echo kernel.unprivileged_userns_clone=1 "
			   ">/etc/sysctl.d/91-userns.conf";
		return ", and " CLONE_SYSCTL " is 0";
	}
	if (is_sysctl(APPARMOR_SYSCTL, 1)) {
		*ret_fix =
			"Give crun (and the engine) an AppArmor profile that allows it. As root, "
			"write /etc/apparmor.d/crun:\n"
			"    abi <abi/4.0>,\n"
			"    include <tunables/global>\n"
			"    profile crun /usr{,/local}/bin/crun flags=(unconfined) {\n"
			"      userns,\n"
			"    }\n"
			"and load it:\n"
			"    apparmor_parser -r /etc/apparmor.d/crun\n"
			"Or lift the restriction for all programs:\n"
			"    sysctl -w kernel.apparmor_restrict_unprivileged_userns=0";
		return ", and " APPARMOR_SYSCTL " is 1";
	}
	*ret_fix =
		r == -EINVAL || r == -ENOSYS
			? "Run a kernel that was built with CONFIG_USER_NS."
			: "Inside a container, its seccomp profile has to allow clone and unshare "
			  "with CLONE_NEWUSER; in a chroot the kernel makes none; SELinux and "
			  "other security modules say in the audit log what they refuse.";
	return "";
}

static int check_user(struct doctor *d)
{
	const struct probe p = {
		.flags = CLONE_NEWUSER, .cgroup_fd = FD_NONE, .run = use_user_namespace};
	char text[PROBE_TEXT];
	const char *why, *fix;
	int r = probe_run(&p, text);

	if (r >= 0) {
		doctor_ok(d, "namespaces.user",
			  "clone3(CLONE_NEWUSER): made, and our user is root in it");
		return 0;
	}
	why = explain(d, r, &fix);
	doctor_add(d, doctor_if_rootless(d, DOCTOR_PROBLEM, DOCTOR_WARNING), "namespaces.user",
		   doctor_text(d, "%s: %s%s",
			       str_eq(text, "clone3") ? "clone3(CLONE_NEWUSER)" : text,
			       err_describe(-r), why),
		   NO_USERNS, fix);
	return r;
}

static void check_limits(struct doctor *d)
{
	char path[64];
	uint64_t limit;

	if (limit_of("max_user_namespaces", path, sizeof(path), &limit)) {
		if (limit >= FEW)
			doctor_ok(d, "namespaces.max-user", "%s: %llu", path,
				  (unsigned long long)limit);
		else if (limit > 0)
			doctor_add(d, DOCTOR_WARNING, "namespaces.max-user",
				   doctor_text(d, "%s: %llu", path, (unsigned long long)limit),
				   "Each container of an ordinary user takes one or two of them; "
				   "then the next one fails with \"No space left on device\".",
				   raise_limit(d, "max_user_namespaces", 15000));
	}
	for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
		if (limit_of(kinds[i].limit, path, sizeof(path), &limit) && limit > 0 &&
		    limit < FEW)
			doctor_add(d, DOCTOR_WARNING, "namespaces.max-others",
				   doctor_text(d, "%s: %llu", path, (unsigned long long)limit),
				   doctor_text(d,
					       "Each container takes one %s namespace; then the "
					       "next one fails with \"No space left on device\".",
					       kinds[i].name),
				   raise_limit(d, kinds[i].limit, 15000));
	}
}

/* What binds other users binds the engines that run as them, too: root is told. */
static void check_sysctls(struct doctor *d)
{
	if (d->rootless)
		return;
	if (is_sysctl(CLONE_SYSCTL, 0))
		doctor_add(d, DOCTOR_NOTE, "namespaces.unprivileged", CLONE_SYSCTL ": 0",
			   "Ordinary users cannot run containers.",
			   "    sysctl -w kernel.unprivileged_userns_clone=1");
	if (is_sysctl(APPARMOR_SYSCTL, 1))
		doctor_add(
			d, DOCTOR_NOTE, "namespaces.apparmor", APPARMOR_SYSCTL ": 1",
			"Ordinary users can run containers only through programs whose AppArmor "
			"profile has the rule `userns`.",
			"Run `crun doctor` as the user: it tries, and tells the profile to write.");
}

void doctor_namespaces(struct doctor *d)
{
	int r = check_user(d);

	check_limits(d);
	check_sysctls(d);
	if (!d->facts.privileged && r < 0)
		return;
	for (size_t i = 0; i < ARRAY_LEN(kinds); i++)
		check_kind(d, &kinds[i], d->facts.privileged ? 0 : CLONE_NEWUSER);
}
