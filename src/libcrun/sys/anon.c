// SPDX-License-Identifier: Apache-2.0
// Files without a name: see anon.h.
#include "sys/anon.h"

#include "sys/ret.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

int sys_memfd_create(const char *name, unsigned flags)
{
	int r = SYS_RET_NEW(memfd_create(name, flags | MFD_CLOEXEC),
			    syscall(SYS_memfd_create, NULL, ~0U));

	if (r == -EINVAL && (flags & (MFD_NOEXEC_SEAL | MFD_EXEC)))
		r = SYS_RET(
			memfd_create(name, (flags & ~(MFD_NOEXEC_SEAL | MFD_EXEC)) | MFD_CLOEXEC));
	return r;
}

int sys_add_seals(int fd, int seals)
{
	return SYS_RET(fcntl(fd, F_ADD_SEALS, seals));
}

int sys_get_seals(int fd)
{
	return SYS_RET(fcntl(fd, F_GET_SEALS));
}

int sys_pipe(int fds[2], int flags)
{
	return SYS_RET(pipe2(fds, flags | O_CLOEXEC));
}
