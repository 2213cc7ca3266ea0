// SPDX-License-Identifier: Apache-2.0
// Which system calls the kernel has: see present.h.
#include "sys/present.h"

#include "base/cleanup.h"
#include "sys/anon.h"
#include "sys/kernel.h"
#include "sys/ret.h"
#include "sys/seccomp.h"
#include "sys/statx.h"
#include "sys/wall.h"

#include <errno.h>
#include <unistd.h>

/* For what can be done for real: the descriptor is closed at once. */
static int opened(int fd)
{
	_cleanup_close_ int owned = fd;

	return owned < 0 ? owned : 0;
}

/* For what is given arguments that the kernel refuses with WANTED before it looks at any permission. */
static int refused(int r, int wanted)
{
	return r >= 0 || r == wanted ? 0 : r;
}

int sys_present_openat2(void)
{
	struct sys_open_how how = {.flags = O_PATH | O_CLOEXEC, .resolve = RESOLVE_IN_ROOT};

	return opened(SYS_RET((int)syscall(SYS_openat2, AT_FDCWD, "/", &how, sizeof(how))));
}

int sys_present_mount_api(void)
{
	return opened(SYS_RET((int)syscall(SYS_open_tree, AT_FDCWD, "/", OPEN_TREE_CLOEXEC)));
}

int sys_present_mount_setattr(void)
{
	return refused(SYS_RET((int)syscall(SYS_mount_setattr, -1, NULL, ~0U, NULL, 0)), -EINVAL);
}

int sys_present_clone3(void)
{
	return refused(SYS_RET((int)syscall(SYS_clone3, NULL, 0)), -EINVAL);
}

int sys_present_pidfd_open(void)
{
	return opened(SYS_RET((int)syscall(SYS_pidfd_open, getpid(), 0)));
}

int sys_present_pidfd_send_signal(void)
{
	return refused(SYS_RET((int)syscall(SYS_pidfd_send_signal, -1, 0, NULL, 0)), -EBADF);
}

int sys_present_close_range(void)
{
	return SYS_RET((int)syscall(SYS_close_range, ~0U, ~0U, 0));
}

int sys_present_faccessat2(void)
{
	return SYS_RET((int)syscall(SYS_faccessat2, AT_FDCWD, "/", F_OK, AT_EACCESS));
}

int sys_present_statx_mount_id(void)
{
	_cleanup_close_ int fd = SYS_RET(open("/", O_PATH | O_CLOEXEC));
	struct sys_mount_place place;

	return fd < 0 ? fd : sys_mount_place(fd, &place);
}

int sys_present_memfd_create(void)
{
	return opened(
		SYS_RET((int)syscall(SYS_memfd_create, "crun", MFD_CLOEXEC | MFD_ALLOW_SEALING)));
}

int sys_present_memfd_exec(void)
{
	return opened(
		SYS_RET((int)syscall(SYS_memfd_create, "crun", MFD_CLOEXEC | MFD_NOEXEC_SEAL)));
}

int sys_present_userfaultfd(void)
{
	struct wall wall;
	int r = sys_wall_make(&wall);

	sys_wall_done(&wall);
	return r;
}

int sys_present_seccomp_wait_killable(void)
{
	const unsigned flags =
		SECCOMP_FILTER_FLAG_NEW_LISTENER | SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV;

	/* The flags are looked at first, then the filter is copied from address 0. */
	return refused(SYS_RET((int)syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, flags, NULL)),
		       -EFAULT);
}
