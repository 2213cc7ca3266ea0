/* SPDX-License-Identifier: Apache-2.0 */
/* Terminals and pseudo terminals. Each returns >= 0 or a negative errno; fds are close-on-exec. No policy. */
#pragma once

#include <stdbool.h>
#include <sys/ioctl.h>
#include <termios.h>

/* True when FD is a terminal (of either side of a pseudo terminal). */
bool sys_is_tty(int fd);

/* The modes of the terminal FD. On a pseudo terminal's master: those of its other side. */
int sys_tty_get_attrs(int fd, struct termios *ret);
/* Sets them at once, without waiting for output that is still on its way. */
int sys_tty_set_attrs(int fd, const struct termios *attrs);

int sys_tty_get_size(int fd, struct winsize *ret);
/* On a master: both sides; the foreground processes of the other side get SIGWINCH when the size changed. */
int sys_tty_set_size(int fd, const struct winsize *size);

/* tcgetpgrp(3): -ENOTTY when FD is not the controlling terminal of the caller. */
int sys_tty_foreground(int fd);
/* Makes FD the controlling terminal of the caller, a session leader without one. */
int sys_tty_take_control(int fd);

/* The number N of the other side, /dev/pts/N. */
int sys_pty_number(int master);
/* Allows the other side to be opened. */
int sys_pty_unlock(int master);
/* TIOCGPTPEER: opens the other side without any path. FLAGS: O_RDWR, O_NOCTTY... */
int sys_pty_peer(int master, int flags);
