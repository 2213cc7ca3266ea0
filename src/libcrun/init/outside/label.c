// SPDX-License-Identifier: Apache-2.0
// Opens files of our own process, the LSM attribute and the status, through the host's procfs and before anything of the image can lie over it.
#include "init/outside/phase.h"

#include "fs/procfs.h"

#include <errno.h>
#include <fcntl.h>

int phase_label(struct outside *o, struct crun_error *err)
{
	const char *path = "self/attr/exec";
	int fd;

	if (plan_label_is_apparmor(o->plan)) {
		/* attr/apparmor since 5.1: with several LSMs the plain file belongs to the first one. */
		fd = procfs_open(o->proc_fd, "self/attr/apparmor/exec", O_RDWR);
		if (fd >= 0) {
			o->label_fd = fd;
			return 0;
		}
	}
	fd = procfs_open(o->proc_fd, path, O_RDWR);
	if (fd < 0)
		return err_sys(err, fd, "open `/proc/self/attr/exec`");
	o->label_fd = fd;
	return 0;
}

int phase_status(struct outside *o, struct crun_error *err)
{
	int fd = procfs_open(o->proc_fd, "self/status", O_RDONLY);

	if (fd < 0)
		return err_sys(err, fd, "open `/proc/self/status`");
	o->status_fd = fd;
	return 0;
}
