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

int sys_anon_file(const char *name)
{
	static const char *const places[] = {"/dev/shm", "/tmp", "/var/tmp"};
	int fd = sys_memfd_create(name, MFD_ALLOW_SEALING | MFD_NOEXEC_SEAL);

	for (unsigned i = 0; fd == -ENOSYS && i < sizeof(places) / sizeof(places[0]); i++) {
		int r = SYS_RET(open(places[i], O_TMPFILE | O_RDWR | O_CLOEXEC | O_EXCL, 0600));

		if (r >= 0)
			fd = r;
	}
	return fd;
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
