// SPDX-License-Identifier: Apache-2.0
// Extended attributes: see xattr.h.
#include "sys/xattr.h"

#include "sys/ret.h"

#include <sys/xattr.h>

int sys_fsetxattr(int fd, const char *name, const void *value, size_t size, int flags)
{
	return SYS_RET(fsetxattr(fd, name, value, size, flags));
}

int sys_fgetxattr(int fd, const char *name, void *value, size_t size)
{
	return SYS_RET((int)fgetxattr(fd, name, value, size));
}
