// SPDX-License-Identifier: Apache-2.0
// sd_notify(3) between the payload and whoever supervises us: see notify.h.
#include "host/notify.h"

#include "base/cleanup.h"
#include "base/log.h"
#include "base/str.h"
#include "plan/plan.h"
#include "sys/anon.h"
#include "sys/file.h"
#include "sys/pidfd.h"

#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

#define DIR_NAME "notify"
/* What systemd takes; longer messages are nobody's. */
#define MESSAGE_MAX 4096
/* Messages taken at once: a payload that floods us must not keep us from its end. */
#define PASS_MAX 64
/* How long a manager that does not read is waited for, and between two tries. */
#define SEND_MS	   5000
#define RETRY_MS   20
#define BARRIER_MS 5000

bool notify_is_address(const char *text)
{
	return text && (text[0] == '/' || text[0] == '@') && text[1] &&
	       strlen(text) < sizeof(((struct sockaddr_un *)0)->sun_path);
}

int notify_listen(struct notify *n, const struct state_dir *dir, struct crun_error *err)
{
	_cleanup_close_ int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	struct sockaddr_un addr = {.sun_family = AF_UNIX};
	mode_t saved;
	int r;

	if (fd < 0)
		return err_sys(err, -errno, "socket(AF_UNIX)");
	r = sys_unlinkat(dir->fd, DIR_NAME "/" PLAN_NOTIFY_SOCKET, 0);
	if (r < 0 && r != -ENOENT)
		return err_sys(err, r, "remove the notify socket of container `%s`", dir->id);
	snprintf(addr.sun_path, sizeof(addr.sun_path),
		 "/proc/self/fd/%d/" DIR_NAME "/" PLAN_NOTIFY_SOCKET, dir->fd);
	/* Who may write to it may send: any user of the container. */
	saved = umask(0111);
	r = bind(fd, (struct sockaddr *)&addr, sizeof(addr)) < 0 ? -errno : 0;
	umask(saved);
	if (r < 0)
		return err_sys(err, r, "bind the notify socket of container `%s`", dir->id);
	n->fd = take_fd(&fd);
	return 0;
}

int notify_make_dir(const struct state_dir *dir, struct crun_error *err)
{
	int r = sys_mkdirat(dir->fd, DIR_NAME, 0755);

	/* The payload may be any user; nobody else gets past the state directory. */
	if (r >= 0)
		r = sys_fchmodat(dir->fd, DIR_NAME, 0755);
	if (r < 0)
		return err_sys(err, r, "make the notify directory of container `%s`", dir->id);
	return 0;
}

/* Sends TEXT, with FD unless that is FD_NONE. Returns 0 or a negative errno. */
static int send_to_host(const char *address, const char *text, int fd)
{
	_cleanup_close_ int sock = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	union {
		struct cmsghdr align;
		char buf[CMSG_SPACE(sizeof(int))];
	} control = {0};
	struct sockaddr_un addr = {.sun_family = AF_UNIX};
	size_t len = strlen(address);
	struct iovec iov = {.iov_base = (void *)text, .iov_len = strlen(text)};
	struct msghdr mh = {.msg_name = &addr, .msg_iov = &iov, .msg_iovlen = 1};
	struct deadline limit = deadline_in(SEND_MS);

	if (sock < 0)
		return -errno;
	memcpy(addr.sun_path, address, len);
	if (address[0] == '@')
		addr.sun_path[0] = '\0';
	/* An abstract name is as long as the address says. */
	mh.msg_namelen = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len);
	if (fd >= 0) {
		struct cmsghdr *c;

		mh.msg_control = control.buf;
		mh.msg_controllen = sizeof(control.buf);
		c = CMSG_FIRSTHDR(&mh);
		c->cmsg_level = SOL_SOCKET;
		c->cmsg_type = SCM_RIGHTS;
		c->cmsg_len = CMSG_LEN(sizeof(int));
		memcpy(CMSG_DATA(c), &fd, sizeof(int));
	}
	while (sendmsg(sock, &mh, MSG_NOSIGNAL | MSG_DONTWAIT) < 0) {
		/* Its queue is full. */
		if (errno == EAGAIN && deadline_pause(&limit, RETRY_MS) == 0)
			continue;
		if (errno != EINTR)
			return -errno;
	}
	return 0;
}

/* Whether LINE says how the payload is, and nothing that the manager would do something with. */
static bool may_pass(const char *line)
{
	static const char *const words[] = {"READY=1",	     "STATUS=",
					    "ERRNO=",	     "STOPPING=1",
					    "RELOADING=1",   "MONOTONIC_USEC=",
					    "WATCHDOG=1",    "BUSERROR=",
					    "VARLINKERROR=", "EXTEND_TIMEOUT_USEC="};

	for (size_t i = 0; i < ARRAY_LEN(words); i++) {
		const char *rest = str_after(line, words[i]);

		if (rest && (rest[0] == '\0' || words[i][strlen(words[i]) - 1] == '='))
			return true;
	}
	return false;
}

static void tell_host(struct notify *n, const char *text)
{
	int r = send_to_host(n->host, text, FD_NONE);

	if (r < 0)
		log_warning("the service manager at NOTIFY_SOCKET=%s cannot be told: %s", n->host,
			    err_describe(-r));
}

/* TEXT is one message of the payload; it is taken apart. */
static void pass_message(struct notify *n, char *text)
{
	char out[MESSAGE_MAX + 64], *line;
	size_t len = 0;
	bool ready = false;

	while ((line = strsep(&text, "\n"))) {
		if (!may_pass(line))
			continue;
		len += (size_t)snprintf(out + len, sizeof(out) - len, "%s\n", line);
		ready = ready || str_eq(line, "READY=1");
	}
	if (!len)
		return;
	if (ready && !n->ready && n->main_pid)
		snprintf(out + len, sizeof(out) - len, "MAINPID=%d\n", (int)n->main_pid);
	tell_host(n, out);
	n->ready = n->ready || ready;
}

void notify_pass(struct notify *n)
{
	char text[MESSAGE_MAX + 1];

	for (int i = 0; i < PASS_MAX; i++) {
		/* Without room for them the kernel closes the descriptors that come along. */
		ssize_t len = recv(n->fd, text, sizeof(text), MSG_DONTWAIT | MSG_TRUNC);

		if (len < 0 && errno == EINTR)
			continue;
		if (len < 0)
			return;
		if (len > MESSAGE_MAX || memchr(text, '\0', (size_t)len))
			continue;
		text[len] = '\0';
		pass_message(n, text);
	}
}

/* systemd finds a sender's unit by its process, so ours must not be gone before it has read: sd_notify_barrier(3). */
static void wait_for_manager(const struct notify *n)
{
	_cleanup_close_ int read_end = FD_NONE, write_end = FD_NONE;
	struct deadline limit = deadline_in(BARRIER_MS);
	int fds[2];

	if (sys_pipe(fds, 0) < 0)
		return;
	read_end = fds[0];
	write_end = fds[1];
	if (send_to_host(n->host, "BARRIER=1", write_end) < 0)
		return;
	close_fd(&write_end);
	if (deadline_wait_in(&limit, read_end) < 0)
		log_debug("the service manager at NOTIFY_SOCKET=%s did not answer", n->host);
}

int notify_await(struct notify *n, const struct deadline *d, int pidfd, struct crun_error *err)
{
	while (!n->ready) {
		struct pollfd fds[] = {{.fd = pidfd, .events = POLLIN},
				       {.fd = n->fd, .events = POLLIN}};
		int r = sys_pidfd_poll(d, fds, ARRAY_LEN(fds));
		bool ended;

		if (r < 0)
			return deadline_err(d, r, err,
					    "waiting for READY=1 from the payload (NOTIFY_SOCKET "
					    "is set)");
		/* What it sent before its end is there now. */
		ended = sys_pidfd_has_ended(pidfd);
		notify_pass(n);
		if (ended && !n->ready)
			return 0;
	}
	wait_for_manager(n);
	return 0;
}

void notify_done(struct notify *n)
{
	close_fd(&n->fd);
}
