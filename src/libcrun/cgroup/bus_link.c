// SPDX-License-Identifier: Apache-2.0
// A D-Bus connection: see bus_link.h.
#include "cgroup/bus_link.h"

#include "base/str.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#define CHUNK 16384
/* dbus-daemon's own limit for lines of the greeting. */
#define LINE_MAX_LEN 16384
/* What waits to be written at most: a call of ours and answers to those who call us, and who may do so without reading any. */
#define OUT_MAX (2U * BUS_MESSAGE_MAX)

void bus_link_init(struct bus_link *l, int fd, uid_t uid)
{
	char id[16];

	*l = (struct bus_link){.fd = fd};
	/* The byte that carries credentials where the kernel passes them in messages only; Linux has no need of it, the protocol has. */
	buf_append(&l->out, "", 1);
	if (uid == BUS_NOBODY) {
		buf_puts(&l->out, "AUTH EXTERNAL\r\n");
		return;
	}
	/* The number's digits in hexadecimal, and BEGIN at once: nothing is to be negotiated. */
	snprintf(id, sizeof(id), "%u", (unsigned)uid);
	buf_puts(&l->out, "AUTH EXTERNAL ");
	for (const char *p = id; *p; p++)
		buf_printf(&l->out, "%02x", (unsigned)*p);
	buf_puts(&l->out, "\r\nBEGIN\r\n");
	l->begun = true;
}

void bus_link_done(struct bus_link *l)
{
	close_fd(&l->fd);
	buf_done(&l->out);
	buf_done(&l->in);
}

short bus_link_events(const struct bus_link *l)
{
	return l->sent < l->out.len ? POLLIN | POLLOUT : POLLIN;
}

/* 0 also when not all could be written. */
static int flush_out(struct bus_link *l)
{
	if (l->out.failed)
		return -ENOMEM;
	while (l->sent < l->out.len) {
		ssize_t n = send(l->fd, l->out.data + l->sent, l->out.len - l->sent,
				 MSG_NOSIGNAL | MSG_DONTWAIT);

		if (n >= 0)
			l->sent += (size_t)n;
		else if (errno == EAGAIN)
			return 0;
		else if (errno == EPIPE || errno == ECONNRESET) {
			/* It may have said why before: that can be read at once. */
			l->deaf = true;
			break;
		} else if (errno != EINTR)
			return -errno;
	}
	l->out.len = l->sent = 0;
	return 0;
}

/* 1 when there is more than before, 0 when there is nothing to read now. */
static int fill_in(struct bus_link *l)
{
	char chunk[CHUNK];
	ssize_t n;

	do
		n = recv(l->fd, chunk, sizeof(chunk), MSG_DONTWAIT);
	while (n < 0 && errno == EINTR);
	if (n < 0 && errno == EAGAIN && !l->deaf)
		return 0;
	if (n == 0 || (n < 0 && (errno == ECONNRESET || errno == EAGAIN))) {
		l->reason = "it closed the connection";
		return -ECONNRESET;
	}
	if (n < 0)
		return -errno;
	buf_append(&l->in, chunk, (size_t)n);
	return l->in.failed ? -ENOMEM : 1;
}

/* Drops the first N bytes that came in. */
static void drop(struct bus_link *l, size_t n)
{
	if (!n)
		return;
	l->in.len -= n;
	if (l->in.len)
		memmove(l->in.data, l->in.data + n, l->in.len);
}

/*
 * One line of the other end: 1 when we are in, 0 when there is more to come. BEGIN has no answer, and systemd's server does not look at a
 * message that it has read together with BEGIN before there is something else to read. So BEGIN goes in one write with what has an answer,
 * and that is waited for.
 */
static int answer_line(struct bus_link *l, const char *line)
{
	bool ok = str_eq(line, "OK") || str_after(line, "OK ");

	/* Servers before systemd 249 say OK at once, where the specification has them ask for DATA. Descriptors are never sent. */
	if (ok && !l->begun) {
		buf_puts(&l->out, "NEGOTIATE_UNIX_FD\r\nBEGIN\r\n");
		l->begun = l->last = true;
		return 0;
	}
	if (ok || (l->last && (str_eq(line, "AGREE_UNIX_FD") || str_after(line, "ERROR")))) {
		l->up = true;
		return 1;
	}
	if (str_eq(line, "DATA") && !l->begun) {
		buf_puts(&l->out, "DATA\r\nBEGIN\r\n");
		l->begun = true;
		return 0;
	}
	if (str_eq(line, "REJECTED") || str_after(line, "REJECTED ")) {
		l->reason = "it does not let this user in";
		return -EACCES;
	}
	l->reason = "it does not speak D-Bus's authentication protocol";
	return -EPROTO;
}

int bus_link_greet(struct bus_link *l)
{
	int r = flush_out(l);

	while (r >= 0 && !l->up) {
		char *end = l->in.len ? memmem(l->in.data, l->in.len, "\r\n", 2) : NULL;
		size_t n;

		if (!end) {
			if (l->in.len > LINE_MAX_LEN)
				return -EPROTO;
			r = fill_in(l);
			if (r == 0)
				return 0;
			continue;
		}
		*end = '\0';
		n = (size_t)(end - l->in.data) + 2;
		r = answer_line(l, l->in.data);
		drop(l, n);
		if (r >= 0)
			r = flush_out(l);
	}
	return r < 0 ? r : 1;
}

int bus_link_send(struct bus_link *l, struct bus_writer *w, uint32_t *ret_serial)
{
	if (!l->up)
		return -ENOTCONN;
	if (w->data.len > OUT_MAX - l->out.len) {
		l->reason = "it does not read what it is sent";
		return -ENOBUFS;
	}
	/* 0 is no serial. */
	if (++l->serial == 0)
		l->serial++;
	bus_write_serial(w, l->serial);
	buf_append(&l->out, w->data.data, w->data.len);
	if (ret_serial)
		*ret_serial = l->serial;
	return l->out.failed ? -ENOMEM : 0;
}

/* The message that has come in whole: 1, 0 or a negative errno. */
static int take_message(struct bus_link *l, struct bus_message *ret)
{
	const uint8_t *data = (const uint8_t *)l->in.data;
	size_t len;
	int r;

	if (l->in.len < BUS_FIXED_HEADER)
		return 0;
	len = bus_length(data, l->in.len, &l->reason);
	if (!len)
		return -EBADMSG;
	if (l->in.len < len)
		return 0;
	r = bus_parse(data, len, ret, &l->reason);
	if (r < 0)
		return r;
	l->taken = len;
	return 1;
}

int bus_link_next(struct bus_link *l, struct bus_message *ret)
{
	int r = flush_out(l);

	drop(l, l->taken);
	l->taken = 0;
	while (r >= 0) {
		r = take_message(l, ret);
		if (r != 0)
			return r;
		r = fill_in(l);
		if (r == 0)
			return 0;
	}
	return r;
}

int bus_link_refuse(struct bus_link *l, const struct bus_message *m)
{
	const struct bus_message answer = {
		.kind = BUS_ERROR,
		.flags = BUS_NO_REPLY,
		.reply_serial = m->serial,
		.destination = m->sender,
		.error = "org.freedesktop.DBus.Error.UnknownMethod",
		.signature = "s",
	};
	_cleanup_bus_writer_ struct bus_writer w = {0};
	int r;

	if (m->flags & BUS_NO_REPLY)
		return 0;
	bus_write_begin(&w, &answer);
	bus_write_string(&w, "a client has no methods");
	r = bus_write_end(&w);
	/* Whoever calls under a name that is none gets no answer: that is not for us to fail of. */
	if (r == -EINVAL || r == -EMSGSIZE)
		return 0;
	return r < 0 ? r : bus_link_send(l, &w, NULL);
}
