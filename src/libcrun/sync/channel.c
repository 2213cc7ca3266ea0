// SPDX-License-Identifier: Apache-2.0
// The channel between the host side and init: see channel.h.
#include "sync/channel.h"

#include "base/cleanup.h"
#include "base/log.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

struct message {
	uint32_t kind;
	int32_t level; /* MSG_LOG */
	union {
		struct crun_error failure;
		char text[1536];
	} u;
};

#define MESSAGE_HEAD offsetof(struct message, u)

static const char *const kind_names[MSG_KIND_MAX] = {
	"NONE",	  "GO",	 "PAUSED",  "RESUME", "FILTER",	  "READY",
	"FAILED", "LOG", "SETTLED", "START",  "LISTENER",
};

static const char *kind_name(uint32_t kind)
{
	return kind > MSG_NONE && kind < MSG_KIND_MAX ? kind_names[kind] : "garbage";
}

union fd_control {
	struct cmsghdr align;
	char buf[CMSG_SPACE(sizeof(int))];
};

int channel_pair(struct channel *host, struct channel *init, struct crun_error *err)
{
	int pair[2];

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
		return err_sys(err, -errno, "socketpair");
	*host = (struct channel){.fd = pair[0], .peer = "the init process"};
	*init = (struct channel){.fd = pair[1], .peer = "the runtime"};
	return 0;
}

static int send_message(int sock, const struct message *msg, size_t len, int fd)
{
	struct iovec iov = {.iov_base = (void *)msg, .iov_len = len};
	struct msghdr mh = {.msg_iov = &iov, .msg_iovlen = 1};
	union fd_control control = {0};
	ssize_t n;

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
	do
		n = sendmsg(sock, &mh, MSG_NOSIGNAL);
	while (n < 0 && errno == EINTR);
	return n < 0 ? -errno : 0;
}

int channel_send(struct channel *ch, enum message_kind kind, int fd, struct crun_error *err)
{
	struct message msg = {.kind = kind};
	int r = send_message(ch->fd, &msg, MESSAGE_HEAD, fd);

	if (r < 0)
		return err_sys(err, r, "send %s to %s", kind_names[kind], ch->peer);
	return 0;
}

int channel_send_error(struct channel *ch, const struct crun_error *failure)
{
	struct message msg = {.kind = MSG_FAILED};

	msg.u.failure = *failure;
	return send_message(ch->fd, &msg, MESSAGE_HEAD + sizeof(*failure), FD_NONE);
}

int channel_send_log(struct channel *ch, int level, const char *text)
{
	struct message msg = {.kind = MSG_LOG, .level = level};
	size_t len = strnlen(text, sizeof(msg.u.text) - 1);

	memcpy(msg.u.text, text, len);
	return send_message(ch->fd, &msg, MESSAGE_HEAD + len + 1, FD_NONE);
}

/* The padding of the control buffer has room for a second fd: whatever came, one is kept and no other stays open. */
static int take_passed_fd(struct msghdr *mh)
{
	int kept = FD_NONE;

	for (struct cmsghdr *c = CMSG_FIRSTHDR(mh); c; c = CMSG_NXTHDR(mh, c)) {
		if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
			continue;
		for (size_t at = CMSG_LEN(0); at + sizeof(int) <= c->cmsg_len; at += sizeof(int)) {
			int fd;

			memcpy(&fd, (char *)c + at, sizeof(int));
			if (kept < 0)
				kept = fd;
			else
				close(fd);
		}
	}
	return kept;
}

/* For want of memory the kernel leaves the message where it is: a moment later there may be some. */
#define LACK_TRIES    20
#define LACK_PAUSE_MS 50

static bool may_try_again(int error, unsigned *tries, bool *reset)
{
	struct deadline forever = deadline_none();

	if (error == EINTR)
		return true;
	/*
	 * The other side closed its end before it had read what we sent. The kernel says so once, ahead of the messages that still
	 * lie here: the last of them tells why it gave up.
	 */
	if (error == ECONNRESET && !*reset)
		return *reset = true;
	if ((error != ENOMEM && error != ENOBUFS) || ++*tries > LACK_TRIES)
		return false;
	return deadline_pause(&forever, LACK_PAUSE_MS) == 0;
}

/* Receives one message; 0 bytes is end of file. Returns its length or a negative errno. */
static ssize_t receive(int sock, struct message *msg, int *ret_fd)
{
	struct iovec iov = {.iov_base = msg, .iov_len = sizeof(*msg)};
	union fd_control control = {0};
	struct msghdr mh = {
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = control.buf,
		.msg_controllen = sizeof(control.buf),
	};
	unsigned tries = 0;
	bool reset = false;
	ssize_t n;
	int error;

	memset(msg, 0, MESSAGE_HEAD);
	do {
		n = recvmsg(sock, &mh, MSG_CMSG_CLOEXEC);
		error = errno;
	} while (n < 0 && may_try_again(error, &tries, &reset));
	if (n < 0)
		return error == ECONNRESET ? 0 : -error;
	*ret_fd = take_passed_fd(&mh);
	/* A kind that was not sent whole is none; a text that was sent without its end gets one. */
	if (n > 0 && n < (ssize_t)MESSAGE_HEAD)
		msg->kind = MSG_NONE;
	if (n < (ssize_t)sizeof(*msg))
		((char *)msg)[n] = '\0';
	return n;
}

static int wait_readable(const struct channel *ch, const struct deadline *d, struct crun_error *err)
{
	int r;

	if (!d)
		return 0;
	r = ch->watch ? ch->watch(ch->watched, d, err) : 0;
	if (r != 0 || (d->at < 0 && d->cancel_fd < 0))
		return r;
	r = deadline_wait_in(d, ch->fd);
	return r < 0 ? deadline_err(d, r, err, "waiting for %s", ch->peer) : 0;
}

/* Takes in what any message may be. Returns 1 when it was a log line, a failure as its negative errno, else 0. */
static int common_message(struct message *msg, ssize_t len, struct crun_error *err)
{
	if (msg->kind == MSG_LOG && len > (ssize_t)MESSAGE_HEAD) {
		msg->u.text[sizeof(msg->u.text) - 1] = '\0';
		log_message((enum crun_log_level)msg->level, "%s", msg->u.text);
		return 1;
	}
	if (msg->kind == MSG_FAILED && len == (ssize_t)(MESSAGE_HEAD + sizeof(msg->u.failure))) {
		*err = msg->u.failure;
		err->text[sizeof(err->text) - 1] = '\0';
		err->at[sizeof(err->at) - 1] = '\0';
		if (err->errnum <= 0)
			err->errnum = EPROTO;
		return -err->errnum;
	}
	return 0;
}

/*
 * The next message that is neither a log line (it is logged) nor an error (it is returned). Returns 1, or 0 at the end of the
 * stream. *ret_fd is FD_NONE, or the descriptor that came along.
 */
static int next_message(struct channel *ch, const struct deadline *d, struct message *ret,
			int *ret_fd, struct crun_error *err)
{
	for (;;) {
		_cleanup_close_ int fd = FD_NONE;
		ssize_t n;
		int r;

		r = wait_readable(ch, d, err);
		if (r < 0)
			return r;
		n = receive(ch->fd, ret, &fd);
		if (n < 0)
			return err_sys(err, (int)n, "read from %s", ch->peer);
		if (n == 0)
			return 0;
		r = common_message(ret, n, err);
		if (r < 0) {
			ch->heard_failure = true;
			return r;
		}
		if (r > 0)
			continue;
		*ret_fd = take_fd(&fd);
		return 1;
	}
}

int channel_expect(struct channel *ch, enum message_kind kind, const struct deadline *d,
		   int *ret_fd, struct crun_error *err)
{
	_cleanup_close_ int fd = FD_NONE;
	struct message msg;
	int r = next_message(ch, d, &msg, &fd, err);

	if (r < 0)
		return r;
	if (r == 0)
		return err_set(err, CODE_INIT_DIED, EPIPE,
			       "read from %s: it ended without a word (expected %s)", ch->peer,
			       kind_names[kind]);
	if (msg.kind != kind)
		return err_set(err, KIND_INTERNAL, EPROTO, "expected %s from %s, got %s",
			       kind_names[kind], ch->peer, kind_name(msg.kind));
	if (ret_fd)
		*ret_fd = take_fd(&fd);
	return 0;
}

int channel_expect_eof(struct channel *ch, const struct deadline *d, struct crun_error *err)
{
	_cleanup_close_ int fd = FD_NONE;
	struct message msg;
	int r = next_message(ch, d, &msg, &fd, err);

	if (r > 0)
		return err_set(err, KIND_INTERNAL, EPROTO, "unexpected %s from %s",
			       kind_name(msg.kind), ch->peer);
	return r;
}

bool channel_is_hung_up(const struct channel *ch)
{
	struct pollfd p = {.fd = ch->fd};

	return poll(&p, 1, 0) > 0 && (p.revents & POLLHUP);
}

void channel_close(struct channel *ch)
{
	close_fd(&ch->fd);
}
