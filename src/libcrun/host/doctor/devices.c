// SPDX-License-Identifier: Apache-2.0
// crun doctor: the devices that engines need beside their containers.
#include "host/doctor/doctor.h"

#include "base/cleanup.h"
#include "spawn/probe.h"
#include "sys/file.h"

#include <errno.h>
#include <stdio.h>
#include <sys/sysmacros.h>

static const struct device {
	const char *path, *id;
	unsigned major, minor;
	const char *module, *consequence;
} devices[] = {
	{"/dev/fuse", "devices.fuse", 10, 229, "fuse",
	 "fuse-overlayfs and other FUSE file systems (sshfs, rclone) do not work for containers."},
	{"/dev/net/tun", "devices.tun", 10, 200, "tun",
	 "slirp4netns, pasta and VPNs make no interface: an ordinary user's containers have no "
	 "network of their own."},
};

/* Opening either changes nothing: both wait for what is done with the descriptor. */
static int open_device(const void *arg, char text[PROBE_TEXT])
{
	const struct device *dev = arg;
	_cleanup_close_ int fd = FD_NONE;
	struct stat st;
	int r = sys_fstatat(AT_FDCWD, dev->path, &st);

	snprintf(text, PROBE_TEXT, "%s", dev->path);
	if (r < 0)
		return r;
	if (!S_ISCHR(st.st_mode) || st.st_rdev != makedev(dev->major, dev->minor)) {
		snprintf(text, PROBE_TEXT, "%s: not the character device %u:%u", dev->path,
			 dev->major, dev->minor);
		return -ENODEV;
	}
	fd = sys_openat(AT_FDCWD, dev->path, O_RDWR | O_NONBLOCK, 0);
	return fd < 0 ? fd : 0;
}

static void check_device(struct doctor *d, const struct device *dev)
{
	const struct probe p = {.cgroup_fd = FD_NONE, .run = open_device, .arg = dev};
	char text[PROBE_TEXT];
	int r = probe_run(&p, text);

	if (r >= 0) {
		doctor_ok(d, dev->id, "%s: opened", dev->path);
		return;
	}
	doctor_add(d, doctor_if_rootless(d, DOCTOR_WARNING, DOCTOR_NOTE), dev->id,
		   doctor_failure(d, text, r), dev->consequence,
		   r == -EACCES ? doctor_text(d, "As root:\n    chmod 666 %s", dev->path)
		   : r == -EPERM
			   ? doctor_text(d, "Allow it to the container around crun: `--device %s`.",
					 dev->path)
			   : doctor_text(d,
					 "As root, load the module now and at every boot:\n"
					 "    modprobe %s\n"
					 "    echo %s >/etc/modules-load.d/%s.conf\n"
					 "In a container: `--device %s`.",
					 dev->module, dev->module, dev->module, dev->path));
}

void doctor_devices(struct doctor *d)
{
	for (size_t i = 0; i < ARRAY_LEN(devices); i++)
		check_device(d, &devices[i]);
}
