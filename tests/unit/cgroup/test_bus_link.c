// SPDX-License-Identifier: Apache-2.0
// A D-Bus connection over a pair of sockets: what comes in pieces, out of order, or not at all.
#include "cgroup/bus_link.h"

#include "../test.h"

#include <errno.h>
#include <poll.h>
#include <sys/socket.h>

struct ends {
	struct bus_link link;
	int peer;
};

static void done(struct ends *e)
{
	bus_link_done(&e->link);
	close_fd(&e->peer);
}
#define _cleanup_ends_ _cleanup_(done)

static int begin(struct ends *e, uid_t uid)
{
	int pair[2];

	*e = (struct ends){.link = {.fd = FD_NONE}, .peer = FD_NONE};
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair) < 0)
		return -errno;
	bus_link_init(&e->link, pair[0], uid);
	e->peer = pair[1];
	return 0;
}

static int say(struct ends *e, const void *data, size_t len)
{
	return send(e->peer, data, len, MSG_NOSIGNAL) == (ssize_t)len ? 0 : -1;
}

/* What the peer has received, as text; a NUL in it becomes '0'. */
static const char *heard(struct ends *e)
{
	static char text[4096];
	ssize_t n = recv(e->peer, text, sizeof(text) - 1, MSG_DONTWAIT);

	for (ssize_t i = 0; i < n; i++)
		text[i] = text[i] ? text[i] : '0';
	text[n > 0 ? n : 0] = '\0';
	return text;
}

static int up(struct ends *e)
{
	return begin(e, 0) < 0 || say(e, "OK 00\r\n", 7) < 0 || bus_link_greet(&e->link) != 1 ? -1
											      : 0;
}

static void write_message(struct bus_writer *w, enum bus_kind kind, uint32_t to, const char *text)
{
	const struct bus_message head = {
		.kind = kind,
		.reply_serial = to,
		.path = kind == BUS_SIGNAL || kind == BUS_CALL ? "/x" : NULL,
		.interface = kind == BUS_SIGNAL ? "a.b" : NULL,
		.member = kind == BUS_SIGNAL || kind == BUS_CALL ? "M" : NULL,
		.error = kind == BUS_ERROR ? "a.b.Error" : NULL,
		.sender = ":1.2",
		.signature = "s",
	};

	bus_write_begin(w, &head);
	bus_write_string(w, text);
	if (bus_write_end(w) == 0)
		bus_write_serial(w, 5);
}

TEST(known_user_says_all_at_once)
{
	_cleanup_ends_ struct ends e;

	CHECK_INT(begin(&e, 1000), 0);
	CHECK_INT(bus_link_events(&e.link), POLLIN | POLLOUT);
	CHECK_INT(bus_link_greet(&e.link), 0);
	CHECK_STR(heard(&e), "0AUTH EXTERNAL 31303030\r\nBEGIN\r\n");
	CHECK_INT(bus_link_events(&e.link), POLLIN);
	/* In pieces. */
	CHECK_INT(say(&e, "O", 1), 0);
	CHECK_INT(bus_link_greet(&e.link), 0);
	CHECK_INT(say(&e, "K 1234\r", 7), 0);
	CHECK_INT(bus_link_greet(&e.link), 0);
	CHECK_INT(say(&e, "\n", 1), 0);
	CHECK_INT(bus_link_greet(&e.link), 1);
	CHECK_STR(heard(&e), "");
}

TEST(unknown_user_leaves_it_to_the_kernel)
{
	_cleanup_ends_ struct ends e, direct;

	CHECK_INT(begin(&e, BUS_NOBODY), 0);
	CHECK_INT(bus_link_greet(&e.link), 0);
	CHECK_STR(heard(&e), "0AUTH EXTERNAL\r\n");
	CHECK_INT(say(&e, "DATA\r\n", 6), 0);
	CHECK_INT(bus_link_greet(&e.link), 0);
	CHECK_STR(heard(&e), "DATA\r\nBEGIN\r\n");
	CHECK_INT(say(&e, "OK 1234\r\n", 9), 0);
	CHECK_INT(bus_link_greet(&e.link), 1);
	CHECK_STR(heard(&e), "");

	/* Old servers do not ask. */
	CHECK_INT(begin(&direct, BUS_NOBODY), 0);
	CHECK_INT(say(&direct, "OK 1234\r\n", 9), 0);
	CHECK_INT(bus_link_greet(&direct.link), 0);
	CHECK_STR(heard(&direct), "0AUTH EXTERNAL\r\nNEGOTIATE_UNIX_FD\r\nBEGIN\r\n");
	CHECK_INT(say(&direct, "AGREE_UNIX_FD\r\n", 15), 0);
	CHECK_INT(bus_link_greet(&direct.link), 1);
	CHECK_STR(heard(&direct), "");
}

TEST(refusal_to_let_us_in)
{
	static const struct {
		const char *line;
		int r;
	} answers[] = {
		{"REJECTED EXTERNAL\r\n", -EACCES}, {"ERROR\r\n", -EPROTO}, {"DATA\r\n", -EPROTO}};
	static char endless[20000];

	for (size_t i = 0; i < ARRAY_LEN(answers); i++) {
		_cleanup_ends_ struct ends e;

		CHECK_INT(begin(&e, 0), 0);
		CHECK_INT(say(&e, answers[i].line, strlen(answers[i].line)), 0);
		/* The end of the connection does not hide why. */
		close_fd(&e.peer);
		CHECK_INT(bus_link_greet(&e.link), answers[i].r);
		CHECK(e.link.reason);
	}
	memset(endless, 'x', sizeof(endless));
	_cleanup_ends_ struct ends e;
	CHECK_INT(begin(&e, 0), 0);
	CHECK_INT(say(&e, endless, sizeof(endless)), 0);
	CHECK_INT(bus_link_greet(&e.link), -EPROTO);
}

TEST(nothing_is_sent_before)
{
	_cleanup_bus_writer_ struct bus_writer w;
	_cleanup_ends_ struct ends e;

	CHECK_INT(begin(&e, 0), 0);
	write_message(&w, BUS_CALL, 0, "x");
	CHECK_INT(bus_link_send(&e.link, &w, NULL), -ENOTCONN);
}

/* Every cut of two messages, and what came together with OK. */
TEST(messages_in_pieces)
{
	_cleanup_bus_writer_ struct bus_writer first, second;
	_cleanup_buf_ struct buf all = {0};

	write_message(&first, BUS_SIGNAL, 0, "one");
	write_message(&second, BUS_RETURN, 1, "two");
	buf_puts(&all, "OK 12\r\n");
	buf_append(&all, first.data.data, first.data.len);
	buf_append(&all, second.data.data, second.data.len);
	for (size_t cut = 1; cut < all.len; cut++) {
		_cleanup_ends_ struct ends e;
		struct bus_message m;
		int seen = 0;

		CHECK_INT(begin(&e, 0), 0);
		for (int half = 0; half < 2; half++) {
			CHECK_INT(say(&e, all.data + (half ? cut : 0), half ? all.len - cut : cut),
				  0);
			if (bus_link_greet(&e.link) == 0)
				continue;
			while (bus_link_next(&e.link, &m) == 1) {
				struct bus_reader body = bus_body(&m);
				const char *text;

				CHECK_INT(m.kind, seen ? BUS_RETURN : BUS_SIGNAL);
				CHECK_INT(bus_read_text(&body, 's', &text), 1);
				CHECK_STR(text, seen ? "two" : "one");
				seen++;
			}
		}
		CHECK_INT(seen, 2);
	}
}

TEST(end_in_the_middle)
{
	_cleanup_bus_writer_ struct bus_writer w;
	_cleanup_ends_ struct ends e;
	struct bus_message m;

	write_message(&w, BUS_RETURN, 1, "x");
	CHECK_INT(up(&e), 0);
	CHECK_INT(say(&e, w.data.data, w.data.len - 1), 0);
	CHECK_INT(bus_link_next(&e.link, &m), 0);
	/* All that was written is read by the peer first: else the kernel makes a reset of it. */
	heard(&e);
	close_fd(&e.peer);
	CHECK_INT(bus_link_next(&e.link, &m), -ECONNRESET);
	CHECK_STR(e.link.reason, "it closed the connection");
}

TEST(who_reads_nothing_any_more_is_not_waited_for)
{
	_cleanup_bus_writer_ struct bus_writer w, question;
	_cleanup_ends_ struct ends e;
	struct bus_message m;

	write_message(&w, BUS_RETURN, 1, "last words");
	write_message(&question, BUS_CALL, 0, "x");
	CHECK_INT(up(&e), 0);
	CHECK_INT(say(&e, w.data.data, w.data.len), 0);
	CHECK_INT(shutdown(e.peer, SHUT_RD), 0);
	CHECK_INT(bus_link_send(&e.link, &question, NULL), 0);
	CHECK_INT(bus_link_next(&e.link, &m), 1);
	CHECK_INT(bus_link_next(&e.link, &m), -ECONNRESET);
	CHECK_STR(e.link.reason, "it closed the connection");
}

TEST(what_is_no_message_ends_it)
{
	_cleanup_ends_ struct ends e;
	struct bus_message m;

	CHECK_INT(up(&e), 0);
	CHECK_INT(say(&e, "HTTP/1.1 400 Bad Request", 24), 0);
	CHECK_INT(bus_link_next(&e.link, &m), -EBADMSG);
	CHECK(e.link.reason);
}

TEST(serials_are_never_zero)
{
	_cleanup_bus_writer_ struct bus_writer w;
	_cleanup_ends_ struct ends e;
	uint32_t serial = 0;

	CHECK_INT(up(&e), 0);
	write_message(&w, BUS_CALL, 0, "x");
	CHECK_INT(bus_link_send(&e.link, &w, &serial), 0);
	CHECK_INT(serial, 1);
	e.link.serial = UINT32_MAX;
	CHECK_INT(bus_link_send(&e.link, &w, &serial), 0);
	CHECK_INT(serial, 1);
}

/* More than the socket holds: nothing waits, nothing is lost. */
TEST(messages_that_do_not_fit)
{
	static char text[50000], got[65536];
	_cleanup_ends_ struct ends e;
	_cleanup_buf_ struct buf all = {0};
	struct bus_message m;
	const char *reason;
	size_t at = 0, len;
	int n = 0;

	memset(text, 'x', sizeof(text) - 1);
	CHECK_INT(up(&e), 0);
	heard(&e);
	for (int i = 0; i < 20; i++) {
		_cleanup_bus_writer_ struct bus_writer w;

		write_message(&w, BUS_CALL, 0, text);
		CHECK_INT(bus_link_send(&e.link, &w, NULL), 0);
	}
	CHECK_INT(bus_link_next(&e.link, &m), 0);
	CHECK_INT(bus_link_events(&e.link), POLLIN | POLLOUT);
	for (;;) {
		ssize_t r = recv(e.peer, got, sizeof(got), MSG_DONTWAIT);

		if (r > 0)
			buf_append(&all, got, (size_t)r);
		else if (bus_link_events(&e.link) == POLLIN)
			break;
		CHECK_INT(bus_link_next(&e.link, &m), 0);
	}
	for (; at < all.len; at += len, n++) {
		len = bus_length((uint8_t *)all.data + at, all.len - at, &reason);
		CHECK(len && len <= all.len - at);
		CHECK_INT(bus_parse((uint8_t *)all.data + at, len, &m, &reason), 0);
		CHECK_INT(m.serial, n + 1);
	}
	CHECK_INT(n, 20);
}

TEST(calls_to_us_are_refused)
{
	_cleanup_bus_writer_ struct bus_writer w;
	_cleanup_ends_ struct ends e;
	struct bus_message m, answer;
	uint8_t got[1000];
	const char *reason;
	ssize_t n;

	CHECK_INT(up(&e), 0);
	heard(&e);
	write_message(&w, BUS_CALL, 0, "x");
	CHECK_INT(say(&e, w.data.data, w.data.len), 0);
	CHECK_INT(bus_link_next(&e.link, &m), 1);
	CHECK_INT(bus_link_refuse(&e.link, &m), 0);
	CHECK_INT(bus_link_next(&e.link, &answer), 0);
	n = recv(e.peer, got, sizeof(got), MSG_DONTWAIT);
	CHECK(n > 0);
	CHECK_INT(bus_parse(got, (size_t)n, &answer, &reason), 0);
	CHECK_INT(answer.kind, BUS_ERROR);
	CHECK_INT(answer.reply_serial, 5);
	CHECK_STR(answer.destination, ":1.2");
	CHECK_STR(answer.error, "org.freedesktop.DBus.Error.UnknownMethod");
	/* Who wants no answer gets none. */
	w.data.data[2] = BUS_NO_REPLY;
	CHECK_INT(say(&e, w.data.data, w.data.len), 0);
	CHECK_INT(bus_link_next(&e.link, &m), 1);
	CHECK_INT(bus_link_refuse(&e.link, &m), 0);
	CHECK_INT(bus_link_events(&e.link), POLLIN);
}

/* Calls of one who does not read what is answered do not fill our memory. */
TEST(answers_that_nobody_reads)
{
	_cleanup_bus_writer_ struct bus_writer w;
	_cleanup_ends_ struct ends e;
	struct bus_message m;
	unsigned n = 0;
	int r = 0;

	CHECK_INT(up(&e), 0);
	write_message(&w, BUS_CALL, 0, "x");
	for (; r >= 0 && n < 100000; n++) {
		CHECK_INT(say(&e, w.data.data, w.data.len), 0);
		CHECK_INT(bus_link_next(&e.link, &m), 1);
		r = bus_link_refuse(&e.link, &m);
	}
	CHECK_INT(r, -ENOBUFS);
	CHECK(e.link.out.len <= 2U * BUS_MESSAGE_MAX);
	CHECK_STR(e.link.reason, "it does not read what it is sent");
}

TEST_MAIN()
