// SPDX-License-Identifier: Apache-2.0
// Terminals and pseudo terminals: see tty.h.
#include "sys/tty.h"

#include "sys/ret.h"

#include <fcntl.h>
#include <unistd.h>

#ifndef TIOCGPTPEER
#define TIOCGPTPEER _IO('T', 0x41) /* 4.13 */
#endif

bool sys_is_tty(int fd)
{
	struct termios attrs;

	return tcgetattr(fd, &attrs) == 0;
}

int sys_tty_get_attrs(int fd, struct termios *ret)
{
	return SYS_RET(tcgetattr(fd, ret));
}

int sys_tty_set_attrs(int fd, const struct termios *attrs)
{
	int r;

	SYS_RETRY(r, tcsetattr(fd, TCSANOW, attrs));
	return r;
}

int sys_tty_get_size(int fd, struct winsize *ret)
{
	return SYS_RET(ioctl(fd, TIOCGWINSZ, ret));
}

int sys_tty_set_size(int fd, const struct winsize *size)
{
	return SYS_RET(ioctl(fd, TIOCSWINSZ, size));
}

int sys_tty_foreground(int fd)
{
	return SYS_RET(tcgetpgrp(fd));
}

int sys_tty_take_control(int fd)
{
	return SYS_RET(ioctl(fd, TIOCSCTTY, 0));
}

int sys_pty_number(int master)
{
	unsigned int number;
	int r = SYS_RET(ioctl(master, TIOCGPTN, &number));

	return r < 0 ? r : (int)number;
}

int sys_pty_unlock(int master)
{
	int locked = 0;

	return SYS_RET(ioctl(master, TIOCSPTLCK, &locked));
}

int sys_pty_peer(int master, int flags)
{
	return SYS_RET(ioctl(master, TIOCGPTPEER, flags | O_CLOEXEC));
}
