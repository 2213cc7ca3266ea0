// SPDX-License-Identifier: Apache-2.0
// Handing one descriptor to a listener: what arrives, long and relative paths, listeners that are not there.
#include "host/console_socket.h"

#include "base/cleanup.h"
#include "../test.h"

#include <fcntl.h>
#include <limits.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

static char top[] = "/tmp/console-socket-XXXXXX";
static char deep[400]; /* a directory whose path does not fit into sun_path */

static int setup(void)
{
	static int done;
	size_t n;

	if (done)
		return 0;
	if (!mkdtemp(top))
		return -1;
	n = (size_t)snprintf(deep, sizeof(deep), "%s/", top);
	memset(deep + n, 'd', 150);
	if (mkdir(deep, 0700) < 0)
		return -1;
	done = 1;
	return 0;
}

/* A socket named NAME in the deep directory, bound from inside because bind has the same limit. */
static int listen_in(const char *dir, const char *name, int backlog)
{
	struct sockaddr_un addr = {.sun_family = AF_UNIX};
	int sock = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	int here = open(".", O_PATH | O_CLOEXEC);
	int r;

	snprintf(addr.sun_path, sizeof(addr.sun_path), "%s", name);
	if (sock < 0 || here < 0 || chdir(dir) < 0)
		return -1;
	r = bind(sock, (struct sockaddr *)&addr, sizeof(addr));
	if (r == 0)
		r = listen(sock, backlog);
	if (fchdir(here) < 0)
		r = -1;
	close(here);
	return r < 0 ? -1 : sock;
}

/* Takes one message like go-runc and conmon do: the control length must be that of one descriptor. Returns the descriptor. */
static int take(int listener, ssize_t *ret_bytes)
{
	char data[4096], control[256];
	struct iovec iov = {.iov_base = data, .iov_len = sizeof(data)};
	struct msghdr mh = {.msg_iov = &iov,
			    .msg_iovlen = 1,
			    .msg_control = control,
			    .msg_controllen = sizeof(control)};
	int fd, sock = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
	struct cmsghdr *c;

	if (sock < 0)
		return -1;
	*ret_bytes = recvmsg(sock, &mh, MSG_CMSG_CLOEXEC);
	close(sock);
	c = CMSG_FIRSTHDR(&mh);
	if (!c || c->cmsg_type != SCM_RIGHTS || c->cmsg_len != CMSG_LEN(sizeof(int)) ||
	    CMSG_NXTHDR(&mh, c))
		return -1;
	memcpy(&fd, CMSG_DATA(c), sizeof(fd));
	return fd;
}

/* Connects to PATH, sends the read end of a pipe and closes everything before LISTENER looks. */
static int round_trip(const char *path, int listener)
{
	struct crun_error err = {0};
	int pipe_fds[2], sock, got, r;
	ssize_t bytes = 0;
	struct stat a, b;

	if (pipe2(pipe_fds, O_CLOEXEC) < 0 || fstat(pipe_fds[0], &a) < 0)
		return -1;
	sock = console_socket_connect(path, NULL, &err);
	r = sock < 0 ? sock : console_socket_send(sock, pipe_fds[0], &err);
	if (sock >= 0 && !(fcntl(sock, F_GETFD) & FD_CLOEXEC))
		r = -1;
	if (sock >= 0)
		close(sock);
	close(pipe_fds[0]);
	close(pipe_fds[1]);
	if (r < 0) {
		printf("# %s\n", err.text);
		return -1;
	}
	got = take(listener, &bytes);
	if (got < 0 || bytes < 1 || bytes > 4095 || fstat(got, &b) < 0)
		return -1;
	close(got);
	return a.st_ino == b.st_ino ? 0 : -1;
}

TEST(one_descriptor_and_some_data_arrive_though_nobody_reads_yet)
{
	_cleanup_close_ int listener = FD_NONE;
	char path[PATH_MAX];

	CHECK_INT(setup(), 0);
	listener = listen_in(top, "short", 1);
	CHECK(listener >= 0);
	snprintf(path, sizeof(path), "%s/short", top);
	CHECK_INT(round_trip(path, listener), 0);
}

TEST(path_longer_than_sun_path)
{
	_cleanup_close_ int listener = FD_NONE;
	char path[PATH_MAX];

	CHECK_INT(setup(), 0);
	listener = listen_in(deep, "long", 1);
	CHECK(listener >= 0);
	snprintf(path, sizeof(path), "%s/long", deep);
	CHECK(strlen(path) > 108);
	CHECK_INT(round_trip(path, listener), 0);
}

TEST(path_at_the_limit_of_sun_path)
{
	for (size_t len = 106; len <= 109; len++) {
		_cleanup_close_ int listener = FD_NONE;
		char path[PATH_MAX], name[128] = "";

		CHECK_INT(setup(), 0);
		memset(name, 'n', len - strlen(top) - 1);
		name[len - strlen(top) - 1] = '\0';
		listener = listen_in(top, name, 1);
		CHECK(listener >= 0);
		snprintf(path, sizeof(path), "%s/%s", top, name);
		CHECK_INT(strlen(path), len);
		CHECK_INT(round_trip(path, listener), 0);
		unlink(path);
	}
}

TEST(relative_path)
{
	_cleanup_close_ int listener = FD_NONE, here = open(".", O_PATH | O_CLOEXEC);
	int r;

	CHECK_INT(setup(), 0);
	listener = listen_in(deep, "relative", 1);
	CHECK(listener >= 0 && here >= 0);
	CHECK_INT(chdir(deep), 0);
	r = round_trip("relative", listener);
	CHECK_INT(fchdir(here), 0);
	CHECK_INT(r, 0);
}

TEST(missing_listener_is_named)
{
	struct crun_error err = {0};
	char path[PATH_MAX];

	CHECK_INT(setup(), 0);
	snprintf(path, sizeof(path), "%s/missing", top);
	CHECK_INT(console_socket_connect(path, NULL, &err), -ENOENT);
	CHECK(strstr(err.text, path) != NULL);
	snprintf(path, sizeof(path), "%s/missing", deep);
	CHECK_INT(console_socket_connect(path, NULL, &err), -ENOENT);
	CHECK(strstr(err.text, path) != NULL);
	CHECK_INT(console_socket_connect("", NULL, &err), -ENOENT);
}

TEST(closed_listener_is_an_error_not_a_signal)
{
	struct crun_error err = {0};
	char path[PATH_MAX];
	int listener, sock;

	CHECK_INT(setup(), 0);
	snprintf(path, sizeof(path), "%s/closed", top);
	listener = listen_in(top, "closed", 1);
	CHECK(listener >= 0);
	sock = console_socket_connect(path, NULL, &err);
	CHECK(sock >= 0);
	close(listener); /* without accepting */
	CHECK_INT(console_socket_send(sock, STDIN_FILENO, &err), -EPIPE);
	close(sock);
	CHECK_INT(console_socket_connect(path, NULL, &err), -ECONNREFUSED);
	CHECK(strstr(err.text, path) != NULL);
}

TEST(leaves_nothing)
{
	char path[PATH_MAX];
	static const char *const names[] = {"short", "closed"};
	static const char *const deep_names[] = {"long", "relative"};

	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		snprintf(path, sizeof(path), "%s/%s", top, names[i]);
		unlink(path);
		snprintf(path, sizeof(path), "%s/%s", deep, deep_names[i]);
		unlink(path);
	}
	CHECK_INT(rmdir(deep), 0);
	CHECK_INT(rmdir(top), 0);
}

TEST_MAIN()
