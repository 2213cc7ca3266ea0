// SPDX-License-Identifier: Apache-2.0
// crun doctor: systemd as the maker of cgroups, and the user's own manager.
#include "host/doctor/doctor.h"

#include "base/cleanup.h"
#include "base/str.h"
#include "cgroup/bus.h"
#include "libcrun.h"
#include "sys/deadline.h"

#include <errno.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#define BUS_MS 5000

bool doctor_wants_systemd(const struct doctor *d)
{
	return d->ctx->cgroup_manager && str_eq(d->ctx->cgroup_manager, "systemd");
}

static const char *user_of(struct doctor *d)
{
	return d->user[0] ? d->user : doctor_text(d, "%u", d->facts.euid);
}

static const char *how_to_linger(struct doctor *d)
{
	return doctor_text(d, "As root:\n    loginctl enable-linger %s", user_of(d));
}

static bool check_booted(struct doctor *d)
{
	/* sd_booted(3) */
	if (access("/run/systemd/system", F_OK) == 0) {
		doctor_ok(d, "systemd.booted", "/run/systemd/system: exists");
		return true;
	}
	doctor_add(
		d, doctor_wants_systemd(d) ? DOCTOR_PROBLEM : DOCTOR_NOTE, "systemd.booted",
		doctor_failure(d, "/run/systemd/system", -errno),
		doctor_wants_systemd(d)
			? "With --cgroup-manager=systemd no container starts."
			: "Containers with --cgroup-manager=systemd do not start; others are not "
			  "affected.",
		"Use --cgroup-manager=cgroupfs. (Podman: `cgroup_manager = \"cgroupfs\"` below "
		"`[engine]` in containers.conf; Docker: \"native.cgroupdriver=cgroupfs\" in "
		"\"exec-opts\" of daemon.json.)");
	return false;
}

/* systemd's own rule for it (pam_systemd): 0700, of the user. */
static void check_runtime_dir(struct doctor *d)
{
	const char *dir = getenv("XDG_RUNTIME_DIR");
	const char *consequence =
		"The user's systemd manager and bus are not found, and crun keeps the "
		"state of containers in /run/crun, where only root may write.";
	const char *fix =
		doctor_text(d,
			    "Log in through a session (`machinectl shell %s@`, ssh; not `su` "
			    "or `sudo -u`), or set it for a user who lingers:\n"
			    "    export XDG_RUNTIME_DIR=/run/user/%u",
			    user_of(d), d->facts.euid);
	enum doctor_status status = DOCTOR_WARNING;
	struct stat st;

	if (!dir || !dir[0])
		doctor_add(d, status, "systemd.runtime-dir", "XDG_RUNTIME_DIR: not set",
			   consequence, fix);
	else if (dir[0] != '/')
		doctor_add(d, status, "systemd.runtime-dir",
			   doctor_text(d, "XDG_RUNTIME_DIR: `%s` is not absolute", dir),
			   consequence, fix);
	else if (stat(dir, &st) < 0)
		doctor_add(d, status, "systemd.runtime-dir",
			   doctor_text(d, "XDG_RUNTIME_DIR: `%s`: %s", dir, err_describe(errno)),
			   consequence, fix);
	else if (st.st_uid != d->facts.euid || (st.st_mode & 022))
		doctor_add(d, status, "systemd.runtime-dir",
			   doctor_text(d, "XDG_RUNTIME_DIR: `%s` is of uid %u, mode %04o", dir,
				       st.st_uid, st.st_mode & 07777),
			   "Other users can replace what crun keeps there.", fix);
	else
		doctor_ok(d, "systemd.runtime-dir", "XDG_RUNTIME_DIR: %s", dir);
}

static void check_linger(struct doctor *d)
{
	char path[256];

	if (!d->user[0])
		return;
	snprintf(path, sizeof(path), "/var/lib/systemd/linger/%s", d->user);
	if (access(path, F_OK) == 0)
		doctor_ok(d, "systemd.linger", "%s: the user's manager does not depend on logins",
			  path);
	else
		doctor_add(
			d, DOCTOR_NOTE, "systemd.linger", doctor_failure(d, path, -errno),
			"When the user's last session ends, systemd stops the user's manager and the "
			"containers in it; at boot none is started.",
			how_to_linger(d));
}

static void check_bus(struct doctor *d)
{
	const struct deadline limit = deadline_in(BUS_MS);
	_cleanup_bus_ struct cg_bus *bus = NULL;
	_cleanup_free_ char *root = NULL;
	struct crun_error err;
	int r = cg_bus_open(&limit, &bus, &err);

	if (r >= 0)
		r = cg_bus_root(bus, &root, &err);
	if (r >= 0) {
		doctor_ok(d, "systemd.bus", "the %s manager answers; its units are below `%s/`",
			  cg_bus_is_user(bus) ? "user's" : "system's", root);
		if (cg_bus_is_user(bus) && d->facts.cgroup_layout == CGROUP_V2)
			doctor_delegation(d, "systemd.delegation",
					  doctor_text(d, "/sys/fs/cgroup%s", root));
		return;
	}
	doctor_add(
		d, doctor_wants_systemd(d) ? DOCTOR_PROBLEM : DOCTOR_WARNING, "systemd.bus",
		doctor_text(d, "%s", err.text),
		"With --cgroup-manager=systemd no container starts.",
		d->rootless
			? doctor_text(
				  d,
				  "Install dbus-user-session (Debian, Ubuntu) or dbus-broker, and "
				  "have the user's manager run without a login:\n"
				  "    loginctl enable-linger %s\n"
				  "    export XDG_RUNTIME_DIR=/run/user/%u\n"
				  "or use --cgroup-manager=cgroupfs.",
				  user_of(d), d->facts.euid)
			: "See `systemctl is-system-running` and `journalctl -b _PID=1`; a manager "
			  "that hangs can be asked to start anew:\n"
			  "    systemctl daemon-reexec\n"
			  "or use --cgroup-manager=cgroupfs.");
}

/*
 * systemd.resource-control(5), DeviceAllow=: systemd looks devices up in /dev/char when it applies rules anew, as daemon-reload makes it do. NVIDIA's nodes
 * have no links there unless somebody makes them, and containers lose them then.
 */
static void check_device_links(struct doctor *d)
{
	if (access("/dev/char", F_OK) < 0) {
		doctor_add(
			d, DOCTOR_WARNING, "systemd.device-links",
			doctor_failure(d, "/dev/char", -errno),
			"After `systemctl daemon-reload`, containers of the systemd driver lose their "
			"devices.",
			"Start systemd-udevd.");
		return;
	}
	if (access("/dev/nvidiactl", F_OK) < 0 || access("/dev/char/195:255", F_OK) == 0)
		return;
	doctor_add(
		d, DOCTOR_WARNING, "systemd.device-links",
		"/dev/nvidiactl: exists, and its link /dev/char/195:255 does not",
		"After `systemctl daemon-reload`, containers of the systemd driver lose their GPUs.",
		"As root, at each boot:\n"
		"    nvidia-ctk system create-dev-char-symlinks --create-all");
}

void doctor_systemd(struct doctor *d)
{
	bool booted = check_booted(d);

	if (d->rootless)
		check_runtime_dir(d);
	if (booted && d->rootless)
		check_linger(d);
	if (booted || doctor_wants_systemd(d))
		check_bus(d);
	if (booted)
		check_device_links(d);
}
