/* SPDX-License-Identifier: Apache-2.0 */
/* statx(2) of a descriptor: the only call that tells on which mount a file is. No policy. */
#pragma once

#include <stdint.h>

#define SYS_STATX_MNT_ID	  0x1000U /* 5.8 */
#define SYS_STATX_ATTR_MOUNT_ROOT 0x2000U /* 5.8 */

/* What statx(2) says beyond stat(2). */
struct sys_mount_place {
	uint64_t mount_id;
	int is_mount_root; /* the file is where its mount begins */
};

/* Fills *ret for the file FD (any kind of fd). Returns 0, -EOPNOTSUPP before 5.8 or without the call, or another -errno. */
int sys_mount_place(int fd, struct sys_mount_place *ret);
