// SPDX-License-Identifier: Apache-2.0
// Descriptors that tell of events: see notify.h.
#include "sys/notify.h"

#include "base/cleanup.h"
#include "sys/ret.h"

#include <limits.h>
#include <stdio.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <unistd.h>

int sys_inotify_modify(int dirfd, const char *file)
{
	_cleanup_close_ int fd = SYS_RET(inotify_init1(IN_CLOEXEC | IN_NONBLOCK));
	char path[64 + NAME_MAX];
	int r;

	if (fd < 0)
		return fd;
	/* inotify knows no directory fds. */
	snprintf(path, sizeof(path), "/proc/self/fd/%d/%s", dirfd, file);
	r = SYS_RET(inotify_add_watch(fd, path, IN_MODIFY));
	return r < 0 ? r : take_fd(&fd);
}

int sys_eventfd(void)
{
	return SYS_RET(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
}
