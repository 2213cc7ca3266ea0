/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mount(2) on descriptors. It knows only paths, but the ones of /proc/self/fd lead to what a descriptor names and nowhere else:
 * nothing is looked up. PROC_FD is a procfs that shows us. Each returns >= 0 or a negative errno.
 */
#pragma once

#include "base/error.h"

#include <stdbool.h>
#include <stdint.h>

/* Changes the mount of FD: MS_REMOUNT | MS_BIND, MS_SLAVE | MS_REC ... */
int mount_old_change(int proc_fd, int fd, unsigned long flags) CRUN_NODISCARD;
/* Mounts a new instance of FSTYPE over FD, which goes on naming what was covered. FLAGS: MS_*. */
int mount_old_new(int proc_fd, int fd, const char *source, const char *fstype, unsigned long flags,
		  const char *data) CRUN_NODISCARD;
/* Binds what SOURCE names, with everything mounted below it when RECURSIVE, over FD. */
int mount_old_bind(int proc_fd, int source, int fd, bool recursive) CRUN_NODISCARD;
/* Moves the attached mount that SOURCE is the root of onto FD. SOURCE goes on naming it. */
int mount_old_move(int proc_fd, int source, int fd) CRUN_NODISCARD;
/* Detaches the mount that FD is the root of, with everything mounted below it. -EINVAL: it is locked, or no such mount. */
int mount_old_detach(int proc_fd, int fd) CRUN_NODISCARD;
