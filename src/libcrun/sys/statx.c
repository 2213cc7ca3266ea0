// SPDX-License-Identifier: Apache-2.0
// statx(2) of a descriptor: see statx.h.
#include "sys/statx.h"

#include "sys/ret.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

int sys_mount_place(int fd, struct sys_mount_place *ret)
{
	struct statx stx;
	int r;

	/* Not statx(3): where the call is missing glibc tries fstat, and says EINVAL of what that cannot tell. */
	r = SYS_RET((int)syscall(SYS_statx, fd, "",
				 AT_EMPTY_PATH | AT_NO_AUTOMOUNT | AT_STATX_DONT_SYNC,
				 SYS_STATX_MNT_ID, &stx));
	if (r < 0)
		return r == -ENOSYS ? -EOPNOTSUPP : r;
	if (!(stx.stx_mask & SYS_STATX_MNT_ID) ||
	    !(stx.stx_attributes_mask & SYS_STATX_ATTR_MOUNT_ROOT))
		return -EOPNOTSUPP;
	ret->mount_id = stx.stx_mnt_id;
	ret->is_mount_root = (stx.stx_attributes & SYS_STATX_ATTR_MOUNT_ROOT) != 0;
	return 0;
}
