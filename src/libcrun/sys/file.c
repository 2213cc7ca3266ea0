// SPDX-License-Identifier: Apache-2.0
// File system calls relative to a directory fd: see file.h.
#include "sys/file.h"

#include "sys/ret.h"

#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/syscall.h>
#include <unistd.h>

/* A saturated machine needs more than 32 tries about once in 30 look-ups (libpathrs' measurement); 128 is ample. */
#define OPENAT2_TRIES 128

int sys_openat(int dirfd, const char *path, int flags, mode_t mode)
{
	int r;

	SYS_RETRY(r, openat(dirfd, path, flags | O_CLOEXEC, mode));
	return r;
}

int sys_openat2(int dirfd, const char *path, int flags, mode_t mode, unsigned long resolve)
{
	struct sys_open_how how = {
		.flags = (unsigned)(flags | O_CLOEXEC),
		.mode = mode,
		.resolve = resolve,
	};
	int r;

	for (int i = 0; i < OPENAT2_TRIES; i++) {
		r = SYS_RET_NEW((int)syscall(SYS_openat2, dirfd, path, &how, sizeof(how)),
				syscall(SYS_openat2, -1, NULL, NULL, 0));
		if (r != -EAGAIN && r != -EINTR)
			break;
	}
	return r;
}

int sys_mkdirat(int dirfd, const char *name, mode_t mode)
{
	return SYS_RET(mkdirat(dirfd, name, mode));
}

/* Asked for once: whoever changes it, as init does, wants fewer bits taken and not more. */
static mode_t callers_umask(void)
{
	static bool known;
	static mode_t mask;

	if (!known) {
		mask = umask(0077);
		umask(mask);
		known = true;
	}
	return mask;
}

int sys_mkdirat_exact(int dirfd, const char *name, mode_t mode)
{
	mode_t mask = callers_umask();
	int r;

	if (!(mask & mode))
		return sys_mkdirat(dirfd, name, mode);
	mask = umask(mask & ~mode);
	r = sys_mkdirat(dirfd, name, mode);
	umask(mask);
	return r;
}

int sys_openat_exact(int dirfd, const char *path, int flags, mode_t mode)
{
	mode_t mask = callers_umask();
	int r;

	if (!(mask & mode))
		return sys_openat(dirfd, path, flags, mode);
	mask = umask(mask & ~mode);
	r = sys_openat(dirfd, path, flags, mode);
	umask(mask);
	return r;
}

int sys_mknodat(int dirfd, const char *name, mode_t mode, dev_t dev)
{
	return SYS_RET(mknodat(dirfd, name, mode, dev));
}

int sys_symlinkat(const char *target, int dirfd, const char *name)
{
	return SYS_RET(symlinkat(target, dirfd, name));
}

int sys_unlinkat(int dirfd, const char *name, int flags)
{
	return SYS_RET(unlinkat(dirfd, name, flags));
}

int sys_renameat(int olddir, const char *oldname, int newdir, const char *newname)
{
	return SYS_RET(renameat(olddir, oldname, newdir, newname));
}

int sys_readlinkat(int dirfd, const char *name, char *buf, size_t size)
{
	ssize_t n = readlinkat(dirfd, name, buf, size);

	if (n < 0)
		return -errno;
	if ((size_t)n >= size)
		return -ENAMETOOLONG;
	buf[n] = '\0';
	return (int)n;
}

int sys_getdents(int fd, void *buf, size_t size)
{
	return SYS_RET((int)syscall(SYS_getdents64, fd, buf, size));
}

int sys_fstatat(int dirfd, const char *name, struct stat *st)
{
	return SYS_RET(fstatat(dirfd, name, st, AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH));
}

int sys_statfs(const char *path, struct statfs *st)
{
	int r;

	SYS_RETRY(r, statfs(path, st));
	return r;
}

int sys_fstatfs(int fd, struct statfs *st)
{
	int r;

	SYS_RETRY(r, fstatfs(fd, st));
	return r;
}

int sys_fchmod(int fd, mode_t mode)
{
	return SYS_RET(fchmod(fd, mode));
}

int sys_fchmodat(int dirfd, const char *name, mode_t mode)
{
	return SYS_RET(fchmodat(dirfd, name, mode, 0));
}

int sys_fchownat(int dirfd, const char *name, uid_t uid, gid_t gid, int flags)
{
	return SYS_RET(fchownat(dirfd, name, uid, gid, flags));
}

int sys_fchdir(int fd)
{
	return SYS_RET(fchdir(fd));
}

int sys_dup_cloexec(int fd, int lowest)
{
	return SYS_RET(fcntl(fd, F_DUPFD_CLOEXEC, lowest));
}

int sys_dup3(int oldfd, int newfd, int flags)
{
	int r;

	SYS_RETRY(r, dup3(oldfd, newfd, flags));
	return r;
}

int sys_access(int dirfd, const char *path, int mode)
{
	int r = SYS_RET_NEW((int)syscall(SYS_faccessat2, dirfd, path, mode, AT_EACCESS),
			    syscall(SYS_faccessat2, -1, NULL, 0, ~0));

	return r == -ENOSYS ? SYS_RET((int)syscall(SYS_faccessat, dirfd, path, mode)) : r;
}

int sys_close_range(unsigned first, unsigned last, unsigned flags)
{
	return SYS_RET_NEW((int)syscall(SYS_close_range, first, last, flags),
			   syscall(SYS_close_range, 1, 0, 0));
}
