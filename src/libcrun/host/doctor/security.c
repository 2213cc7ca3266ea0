// SPDX-License-Identifier: Apache-2.0
// crun doctor: security modules, our own privileges, device filters.
#include "host/doctor/doctor.h"

#include "base/cleanup.h"
#include "base/str.h"
#include "host/doctor/parse.h"
#include "spawn/probe.h"
#include "sys/bpf.h"
#include "sys/cred.h"
#include "sys/file.h"
#include "sys/io.h"

#include <errno.h>
#include <linux/capability.h>
#include <stdio.h>
#include <unistd.h>

static void check_list(struct doctor *d)
{
	char text[512];
	int r = io_read_file_at(AT_FDCWD, "/sys/kernel/security/lsm", text, sizeof(text));

	if (r >= 0)
		doctor_ok(d, "security.modules", "/sys/kernel/security/lsm: %s", text);
}

static void check_apparmor(struct doctor *d)
{
	char text[512] = "";
	int r;

	if (io_read_file_at(AT_FDCWD, "/sys/module/apparmor/parameters/enabled", text,
			    sizeof(text)) <= 0 ||
	    text[0] != 'Y') {
		doctor_ok(d, "security.apparmor", "AppArmor is not enabled");
		return;
	}
	r = io_read_file_at(AT_FDCWD, "/proc/self/attr/apparmor/current", text, sizeof(text));
	if (r < 0)
		r = io_read_file_at(AT_FDCWD, "/proc/self/attr/current", text, sizeof(text));
	if (r > 0 && !str_after(text, "unconfined") && !strstr(text, "(unconfined)"))
		doctor_add(
			d, DOCTOR_WARNING, "security.apparmor",
			doctor_text(d, "AppArmor confines crun itself: profile `%s`", text),
			"What the profile refuses to crun fails with \"Permission denied\": mounts, "
			"signals to containers, other profiles. `kill` may be refused because the "
			"container's profile does not name crun's as a peer.",
			"As root, put the profile of crun's own into complain mode or take it out, "
			"and look at what was refused:\n"
			"    aa-complain crun\n"
			"    journalctl -k -g apparmor=.DENIED");
	else
		doctor_ok(d, "security.apparmor", "AppArmor is enabled, and does not confine crun");
	if (!d->rootless && access("/sbin/apparmor_parser", X_OK) < 0 &&
	    access("/usr/sbin/apparmor_parser", X_OK) < 0)
		doctor_add(
			d, DOCTOR_WARNING, "security.apparmor-parser",
			"apparmor_parser: neither in /sbin nor in /usr/sbin",
			"Engines cannot load a profile for containers, which then do not start, or "
			"run without one.",
			"As root:\n    apt-get install apparmor");
}

/* Asks the policy whether a label means anything; nothing is changed by that (security_check_context of libselinux does the same). */
static int check_context(const char *label)
{
	return io_write_file_at(AT_FDCWD, "/sys/fs/selinux/context", label);
}

static void check_selinux(struct doctor *d)
{
	static const char label[] = "system_u:system_r:container_t:s0";
	uint64_t enforcing;
	int r;

	if (!doctor_read_number("/sys/fs/selinux/enforce", &enforcing)) {
		doctor_ok(d, "security.selinux", "SELinux is not enabled");
		return;
	}
	r = check_context(label);
	if (r == -EINVAL)
		doctor_add(d, enforcing ? DOCTOR_PROBLEM : DOCTOR_WARNING, "security.selinux",
			   doctor_text(d, "SELinux is %s, and its policy does not know `%s`",
				       enforcing ? "enforcing" : "permissive", label),
			   "Engines that label containers cannot start them.",
			   "As root:\n    dnf install container-selinux");
	else
		doctor_ok(d, "security.selinux", "SELinux is %s%s",
			  enforcing ? "enforcing" : "permissive",
			  r >= 0 ? ", and its policy has container_t" : "");
}

/* What a container may be given, or crun needs for it, and what fails without. */
static const struct capability {
	unsigned cap;
	const char *name;
	enum doctor_status missing;
	const char *consequence;
} capabilities[] = {
	{CAP_SYS_ADMIN, "CAP_SYS_ADMIN", DOCTOR_PROBLEM,
	 "crun cannot mount or make namespaces: only containers with a user namespace start."},
	{CAP_CHOWN, "CAP_CHOWN", DOCTOR_WARNING, "Terminals and devices keep the wrong owner."},
	{CAP_DAC_OVERRIDE, "CAP_DAC_OVERRIDE", DOCTOR_WARNING,
	 "Root file systems and volumes of other users cannot be prepared."},
	{CAP_FOWNER, "CAP_FOWNER", DOCTOR_NOTE, "Modes of other users' files cannot be set."},
	{CAP_SETUID, "CAP_SETUID", DOCTOR_PROBLEM,
	 "Containers whose program is not to run as root do not start."},
	{CAP_SETGID, "CAP_SETGID", DOCTOR_PROBLEM,
	 "Containers whose program is to have other groups do not start."},
	{CAP_SETPCAP, "CAP_SETPCAP", DOCTOR_PROBLEM,
	 "Capabilities cannot be taken away from containers: they do not start."},
	{CAP_KILL, "CAP_KILL", DOCTOR_WARNING, "Containers of other users cannot be ended."},
	{CAP_NET_ADMIN, "CAP_NET_ADMIN", DOCTOR_WARNING,
	 "Containers with a network of their own get no interfaces."},
	{CAP_MKNOD, "CAP_MKNOD", DOCTOR_NOTE, "Devices are bound from the host instead of made."},
	{CAP_SYS_RESOURCE, "CAP_SYS_RESOURCE", DOCTOR_NOTE,
	 "Containers cannot be given rlimits above crun's own, or an oomScoreAdj below it."},
	{CAP_SYS_PTRACE, "CAP_SYS_PTRACE", DOCTOR_NOTE,
	 "Containers of other users cannot be looked into."},
};

static void check_capabilities(struct doctor *d)
{
	struct sys_caps caps;
	size_t missing = 0;

	if (d->rootless || sys_capget(&caps) < 0)
		return;
	for (size_t i = 0; i < ARRAY_LEN(capabilities); i++) {
		const struct capability *c = &capabilities[i];

		if (caps.effective & (UINT64_C(1) << c->cap))
			continue;
		missing++;
		doctor_add(
			d, c->missing, "security.capabilities",
			doctor_text(d, "/proc/self/status: root without %s", c->name),
			c->consequence,
			doctor_text(d,
				    "Give it to whatever starts crun: `--cap-add %s` of an outer "
				    "container, CapabilityBoundingSet= of a systemd unit.",
				    c->name));
	}
	if (missing == 0)
		doctor_ok(d, "security.capabilities", "root has all that crun needs");
}

/* "return 1": all devices are allowed. Loaded, and forgotten with the child: it is attached to nothing. */
static int load_filter(const void *arg, char text[PROBE_TEXT])
{
	static const struct bpf_insn insns[] = {
		{.code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_0, .imm = 1},
		{.code = BPF_JMP | BPF_EXIT},
	};

	(void)arg;
	snprintf(text, PROBE_TEXT, "bpf(BPF_PROG_LOAD)");
	return sys_bpf_prog_load(BPF_PROG_TYPE_CGROUP_DEVICE, "crun_doctor", insns,
				 ARRAY_LEN(insns), "GPL", NULL, 0);
}

static void check_device_filter(struct doctor *d)
{
	const struct probe p = {.cgroup_fd = FD_NONE, .run = load_filter};
	char text[PROBE_TEXT];
	int r;

	/* Version 1 has a controller for it; without CAP_SYS_ADMIN of the host nobody expects a filter. */
	if (d->facts.cgroup_layout != CGROUP_V2 || !d->facts.privileged)
		return;
	r = probe_run(&p, text);
	if (r >= 0)
		doctor_ok(d, "security.device-filter", "bpf: a device filter can be loaded");
	else if (d->facts.in_userns)
		doctor_add(
			d, DOCTOR_NOTE, "security.device-filter", doctor_failure(d, text, r),
			"Containers get no device filter; the host's devices are out of reach in a "
			"user namespace anyway.",
			"None is needed.");
	else
		doctor_add(
			d, DOCTOR_PROBLEM, "security.device-filter", doctor_failure(d, text, r),
			"Containers with device rules, which engines always send, do not start.",
			r == -ENOSYS || r == -EINVAL
				? "Run a kernel that was built with CONFIG_CGROUP_BPF."
				: "Allow bpf in the seccomp profile of the container around crun, and "
				  "give it CAP_BPF or CAP_SYS_ADMIN. Before Linux 5.11, a low "
				  "RLIMIT_MEMLOCK is a reason, too:\n    ulimit -l unlimited");
}

void doctor_security(struct doctor *d)
{
	check_list(d);
	check_apparmor(d);
	check_selinux(d);
	check_capabilities(d);
	check_device_filter(d);
}
