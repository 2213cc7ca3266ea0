// SPDX-License-Identifier: Apache-2.0
// crun doctor: system call filters, loaded for real in a child.
#include "host/doctor/doctor.h"

#include "base/cleanup.h"
#include "host/doctor/parse.h"
#include "spawn/probe.h"
#include "sys/cred.h"
#include "sys/io.h"
#include "sys/present.h"
#include "sys/seccomp.h"
#ifdef HAVE_SECCOMP
#include "host/seccomp_dl.h"
#endif

#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <stdio.h>

#define ACTIONS "/proc/sys/kernel/seccomp/actions_avail"

static void check_library(struct doctor *d)
{
#ifdef HAVE_SECCOMP
	struct seccomp_library lib;
	struct crun_error err = {0};

	if (seccomp_library_load(&lib, &err) >= 0)
		doctor_ok(d, "seccomp.library", "libseccomp: loaded");
	else
		doctor_add(
			d, DOCTOR_PROBLEM, "seccomp.library", doctor_text(d, "%s", err.text),
			"Containers with a seccomp profile, which engines send by default, do not "
			"start.",
			"As root, install the library:\n"
			"    apt-get install libseccomp2      # Debian, Ubuntu\n"
			"    dnf install libseccomp           # Fedora, RHEL");
#else
	doctor_add(
		d, DOCTOR_WARNING, "seccomp.library", "this crun was built without seccomp",
		"Containers with a seccomp profile, which engines send by default, do not start.",
		"Build crun with libseccomp.");
#endif
}

static void check_actions(struct doctor *d)
{
	static const struct {
		const char *name;
		enum doctor_status missing;
		const char *consequence;
	} actions[] = {
		{"errno", DOCTOR_PROBLEM, "No seccomp profile can be loaded."},
		{"kill_process", DOCTOR_NOTE,
		 "Profiles with SCMP_ACT_KILL_PROCESS are refused (Linux 4.14)."},
		{"log", DOCTOR_NOTE, "Profiles with SCMP_ACT_LOG are refused (Linux 4.14)."},
		{"user_notif", DOCTOR_NOTE,
		 "Profiles with SCMP_ACT_NOTIFY are refused (Linux 5.0)."},
	};
	char text[512];
	size_t missing = 0;
	int r = io_read_file_at(AT_FDCWD, ACTIONS, text, sizeof(text));

	if (r < 0) {
		doctor_add(
			d, DOCTOR_WARNING, "seccomp.actions", doctor_failure(d, ACTIONS, r),
			"The kernel has no system call filters, or hides what it has: containers "
			"with a profile may not start.",
			"Run a kernel that was built with CONFIG_SECCOMP_FILTER.");
		return;
	}
	for (size_t i = 0; i < ARRAY_LEN(actions); i++) {
		if (doctor_has_word(text, actions[i].name))
			continue;
		missing++;
		doctor_add(d, actions[i].missing, "seccomp.actions",
			   doctor_text(d, ACTIONS ": no `%s` in \"%s\"", actions[i].name, text),
			   actions[i].consequence, "Run a newer kernel.");
	}
	if (missing == 0)
		doctor_ok(d, "seccomp.actions", ACTIONS ": %s", text);
}

/* FLAGS of seccomp(2) in *ARG; the filter, which allows everything, ends with the child. */
static int load(const void *arg, char text[PROBE_TEXT])
{
	static const struct sock_filter allow[] = {
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	const unsigned *flags = arg;
	int r = sys_set_no_new_privs();

	if (r < 0) {
		snprintf(text, PROBE_TEXT, "prctl(PR_SET_NO_NEW_PRIVS)");
		return r;
	}
	snprintf(text, PROBE_TEXT, "seccomp(SECCOMP_SET_MODE_FILTER%s)",
		 *flags ? ", SECCOMP_FILTER_FLAG_NEW_LISTENER" : "");
	return sys_seccomp_load(allow, ARRAY_LEN(allow), *flags);
}

static void try_filter(struct doctor *d, unsigned flags, const char *id, enum doctor_status status,
		       const char *fine, const char *consequence)
{
	const struct probe p = {.cgroup_fd = FD_NONE, .run = load, .arg = &flags};
	char text[PROBE_TEXT];
	int r = probe_run(&p, text);

	if (r >= 0)
		doctor_ok(d, id, "%s", fine);
	else
		doctor_add(d, status, id, doctor_failure(d, text, r), consequence,
			   r == -EBUSY
				   ? "crun itself runs under a filter with a listener, and there "
				     "can be one only: start crun outside of it."
				   : "Run a kernel that was built with CONFIG_SECCOMP_FILTER, or "
				     "allow seccomp in the profile of the container around crun.");
}

void doctor_seccomp(struct doctor *d)
{
	check_library(d);
	check_actions(d);
	try_filter(d, 0, "seccomp.filter", DOCTOR_PROBLEM, "seccomp: a filter was loaded",
		   "Containers with a seccomp profile do not start.");
	try_filter(d, SECCOMP_FILTER_FLAG_NEW_LISTENER, "seccomp.listener", DOCTOR_NOTE,
		   "seccomp: a filter with a listener was loaded",
		   "Profiles with SCMP_ACT_NOTIFY are refused.");
	if (sys_present_seccomp_wait_killable() >= 0)
		doctor_ok(d, "seccomp.wait-killable",
			  "SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV: the kernel knows it");
	else
		doctor_add(d, DOCTOR_NOTE, "seccomp.wait-killable",
			   "SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV: the kernel does not know it",
			   "Profiles with that flag are refused.",
			   "Run a newer kernel: Linux has it since 5.19.");
}
