// SPDX-License-Identifier: Apache-2.0
// The two host files that init works with, opened once and verified.
#include "init/outside/phase.h"

#include "base/cleanup.h"
#include "base/str.h"
#include "fs/procfs.h"
#include "sys/file.h"

#include <errno.h>
#include <sys/sysmacros.h>

int outside_open_proc(struct crun_error *err)
{
	return procfs_open_host(err);
}

pid_t outside_own_pid(int proc_fd)
{
	char text[32];
	uint64_t pid;

	if (sys_readlinkat(proc_fd, "self", text, sizeof(text)) < 0 ||
	    str_to_u64(text, INT32_MAX, &pid) < 0)
		return 0;
	return (pid_t)pid;
}

int outside_open_null(struct crun_error *err)
{
	_cleanup_close_ int fd = sys_openat(FD_NONE, "/dev/null", O_PATH | O_NOFOLLOW, 0);
	struct stat st;
	int r;

	if (fd < 0)
		return err_sys(err, fd, "open the host's /dev/null");
	r = sys_fstatat(fd, "", &st);
	if (r < 0)
		return err_sys(err, r, "stat /dev/null");
	/* Both: a block device has numbers 1:3 too (CVE-2026-88265). */
	if (!S_ISCHR(st.st_mode) || st.st_rdev != makedev(1, 3))
		return err_set(err, KIND_UNSUPPORTED, EINVAL,
			       "the host's /dev/null is not character device 1:3");
	return take_fd(&fd);
}
