// SPDX-License-Identifier: Apache-2.0
// Handing one descriptor to whoever listens on a socket: see console_socket.h.
#include "host/console_socket.h"

#include "base/cleanup.h"
#include "sys/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>

#define CONNECT_SECONDS 10
/* Between two tries to connect: no event tells when a backlog has room again. */
#define RETRY_MS 20

/* Fills ADDR; *ret_fd keeps what it refers to. sun_path has 108 bytes, engines' directories are longer. */
static int make_address(const char *path, struct sockaddr_un *addr, int *ret_fd)
{
	int fd;

	addr->sun_family = AF_UNIX;
	if (path[0] == '\0')
		return -ENOENT; /* an empty sun_path would mean "any abstract address" */
	if (strlen(path) < sizeof(addr->sun_path)) {
		memcpy(addr->sun_path, path, strlen(path) + 1);
		return 0;
	}
	fd = sys_openat(AT_FDCWD, path, O_PATH, 0);
	if (fd < 0)
		return fd;
	*ret_fd = fd;
	snprintf(addr->sun_path, sizeof(addr->sun_path), "/proc/self/fd/%d", fd);
	return 0;
}

int console_socket_connect(const char *path, const struct deadline *d, struct crun_error *err)
{
	_cleanup_close_ int sock = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	_cleanup_close_ int target = FD_NONE;
	struct deadline limit = deadline_within(d, CONNECT_SECONDS * 1000);
	struct timeval send_limit = {.tv_sec = CONNECT_SECONDS};
	struct sockaddr_un addr = {0};
	int r;

	if (sock < 0)
		return err_sys_code(err, CODE_CONSOLE_SOCKET, -errno, "socket(AF_UNIX)");
	r = make_address(path, &addr, &target);
	if (r < 0)
		return err_sys_code(err, CODE_CONSOLE_SOCKET, r, "connect to socket `%s`", path);
	do {
		r = connect(sock, (struct sockaddr *)&addr, sizeof(addr)) < 0 ? -errno : 0;
		/* EAGAIN: the backlog is full. */
		if (r == -EAGAIN) {
			r = deadline_pause(&limit, RETRY_MS);
			if (r < 0)
				return deadline_err(
					&limit, r, err,
					"connect to socket `%s`, whose listener accepts "
					"no connection",
					path);
			r = -EINTR;
		}
	} while (r == -EINTR);
	if (r < 0)
		return err_sys_code(err, CODE_CONSOLE_SOCKET, r, "connect to socket `%s`", path);
	/* For those who send more than fits into the buffer. */
	if (fcntl(sock, F_SETFL, 0) < 0 ||
	    setsockopt(sock, SOL_SOCKET, SO_SNDTIMEO, &send_limit, sizeof(send_limit)) < 0)
		return err_sys_code(err, CODE_CONSOLE_SOCKET, -errno, "set up socket `%s`", path);
	return take_fd(&sock);
}

int console_socket_send(int sock, int fd, struct crun_error *err)
{
	union {
		struct cmsghdr align;
		char buf[CMSG_SPACE(sizeof(int))];
	} control = {0};
	char byte = ' '; /* no data would be no message on a stream */
	struct iovec iov = {.iov_base = &byte, .iov_len = 1};
	struct msghdr mh = {.msg_iov = &iov,
			    .msg_iovlen = 1,
			    .msg_control = control.buf,
			    .msg_controllen = sizeof(control.buf)};
	struct cmsghdr *c = CMSG_FIRSTHDR(&mh);
	ssize_t n;

	c->cmsg_level = SOL_SOCKET;
	c->cmsg_type = SCM_RIGHTS;
	c->cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(c), &fd, sizeof(int));
	do
		n = sendmsg(sock, &mh, MSG_NOSIGNAL | MSG_DONTWAIT);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return err_sys_code(err, CODE_CONSOLE_SOCKET, -errno,
				    "send descriptor %d over socket %d", fd, sock);
	return 0;
}
