// SPDX-License-Identifier: Apache-2.0
// The mount calls: see mount.h.
#include "sys/mount.h"

#include "sys/ret.h"

#include <fcntl.h>
#include <unistd.h>

int sys_fsopen(const char *fstype)
{
	return SYS_RET((int)syscall(SYS_fsopen, fstype, FSOPEN_CLOEXEC));
}

int sys_fsconfig_flag(int fsfd, const char *key)
{
	return SYS_RET((int)syscall(SYS_fsconfig, fsfd, FSCONFIG_SET_FLAG, key, NULL, 0));
}

int sys_fsconfig_string(int fsfd, const char *key, const char *value)
{
	return SYS_RET((int)syscall(SYS_fsconfig, fsfd, FSCONFIG_SET_STRING, key, value, 0));
}

int sys_fsconfig_create(int fsfd)
{
	return SYS_RET((int)syscall(SYS_fsconfig, fsfd, FSCONFIG_CMD_CREATE, NULL, NULL, 0));
}

int sys_fsopen_message(int fsfd, char *buf, size_t size)
{
	ssize_t n = read(fsfd, buf, size - 1);

	if (n < 0)
		n = 0;
	buf[n] = '\0';
	/* "e tmpfs: Bad value for 'size'": the class letter and a blank come first (Documentation/filesystems/mount_api). */
	if (n > 2 && buf[1] == ' ') {
		for (ssize_t i = 2; i <= n; i++)
			buf[i - 2] = buf[i];
		n -= 2;
	}
	while (n > 0 && buf[n - 1] == '\n')
		buf[--n] = '\0';
	return (int)n;
}

int sys_fsmount(int fsfd, unsigned attrs)
{
	return SYS_RET((int)syscall(SYS_fsmount, fsfd, FSMOUNT_CLOEXEC, attrs));
}

int sys_open_tree(int dirfd, const char *path, unsigned flags)
{
	return SYS_RET_NEW((int)syscall(SYS_open_tree, dirfd, path, flags | OPEN_TREE_CLOEXEC),
			   syscall(SYS_open_tree, -1, NULL, ~0U));
}

int sys_move_mount(int mountfd, int targetfd)
{
	return SYS_RET((int)syscall(SYS_move_mount, mountfd, "", targetfd, "",
				    MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH));
}

int sys_move_mount_at(int mountfd, int dirfd, const char *name)
{
	return SYS_RET(
		(int)syscall(SYS_move_mount, mountfd, "", dirfd, name, MOVE_MOUNT_F_EMPTY_PATH));
}

static int set_attributes(int fd, int recursive, const struct sys_mount_attr *attr)
{
	unsigned flags = AT_EMPTY_PATH | (recursive ? AT_RECURSIVE : 0);

	return SYS_RET_NEW((int)syscall(SYS_mount_setattr, fd, "", flags, attr, sizeof(*attr)),
			   syscall(SYS_mount_setattr, -1, NULL, ~0U, NULL, 0));
}

int sys_mount_setattr(int fd, int recursive, uint64_t set, uint64_t clear, uint64_t propagation)
{
	struct sys_mount_attr attr = {
		.attr_set = set,
		.attr_clr = clear,
		.propagation = propagation,
	};

	return set_attributes(fd, recursive, &attr);
}

int sys_mount_setattr_idmap(int fd, int recursive, uint64_t set, uint64_t clear, int userns_fd)
{
	struct sys_mount_attr attr = {
		.attr_set = set | MOUNT_ATTR_IDMAP,
		.attr_clr = clear,
		.userns_fd = (unsigned)userns_fd,
	};

	return set_attributes(fd, recursive, &attr);
}

int sys_mount(const char *source, const char *target, const char *fstype, unsigned long flags,
	      const char *data)
{
	return SYS_RET(mount(source, target, fstype, flags, data));
}

int sys_umount2(const char *target, int flags)
{
	return SYS_RET(umount2(target, flags));
}

int sys_pivot_root(const char *new_root, const char *put_old)
{
	return SYS_RET((int)syscall(SYS_pivot_root, new_root, put_old));
}

int sys_chroot_here(void)
{
	return SYS_RET(chroot("."));
}
