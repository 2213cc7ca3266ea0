/* SPDX-License-Identifier: Apache-2.0 */
/*
 * File system calls relative to a directory fd. Each returns >= 0 or a negative errno, retries EINTR where that is
 * safe, sets close-on-exec, and knows no policy.
 */
#pragma once

#include "sys/kernel.h"

#include <fcntl.h>
#include <stddef.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <sys/vfs.h>

/* open(2) relative to DIRFD; O_CLOEXEC is always added. Returns the fd. */
int sys_openat(int dirfd, const char *path, int flags, mode_t mode);

/*
 * openat2(2) with RESOLVE (RESOLVE_* bits); O_CLOEXEC is always added. Retries EAGAIN, which the kernel returns when a
 * rename races with an in-root lookup, a bounded number of times. Returns the fd, -ENOSYS before 5.6.
 */
int sys_openat2(int dirfd, const char *path, int flags, mode_t mode, unsigned long resolve);

int sys_mkdirat(int dirfd, const char *name, mode_t mode);

/* As sys_mkdirat() and sys_openat(), with all bits of MODE whatever the caller's umask. */
int sys_mkdirat_exact(int dirfd, const char *name, mode_t mode);
int sys_openat_exact(int dirfd, const char *path, int flags, mode_t mode);

int sys_mknodat(int dirfd, const char *name, mode_t mode, dev_t dev);
int sys_symlinkat(const char *target, int dirfd, const char *name);
int sys_unlinkat(int dirfd, const char *name, int flags);
int sys_renameat(int olddir, const char *oldname, int newdir, const char *newname);
/* readlinkat(2), NUL-terminated. Returns the length; -ENAMETOOLONG when it does not fit in SIZE - 1. */
int sys_readlinkat(int dirfd, const char *name, char *buf, size_t size);

/* The next entries of the directory FD, one struct dirent after the other, each d_reclen long. Returns the number of bytes, 0 at the end. */
int sys_getdents(int fd, void *buf, size_t size);
/* stat of NAME without following a final symbolic link; an empty NAME means DIRFD itself. */
int sys_fstatat(int dirfd, const char *name, struct stat *st);
int sys_statfs(const char *path, struct statfs *st);
int sys_fstatfs(int fd, struct statfs *st);
int sys_fchmod(int fd, mode_t mode);
/* chmod of NAME below DIRFD, following a final symbolic link: only for names that nobody else can replace. */
int sys_fchmodat(int dirfd, const char *name, mode_t mode);
int sys_fchownat(int dirfd, const char *name, uid_t uid, gid_t gid, int flags);
int sys_fchdir(int fd);
int sys_dup_cloexec(int fd, int lowest);
int sys_dup3(int oldfd, int newfd, int flags);
/*
 * faccessat2(2) with AT_EACCESS: what the effective ids and capabilities may do. Before 5.8 it is faccessat(2), which asks for the real
 * ones: the same for whoever has set all of them.
 */
int sys_access(int dirfd, const char *path, int mode);
/* close_range(2); falls back to nothing: -ENOSYS before 5.9, -EINVAL for CLOSE_RANGE_CLOEXEC before 5.11. */
int sys_close_range(unsigned first, unsigned last, unsigned flags);
