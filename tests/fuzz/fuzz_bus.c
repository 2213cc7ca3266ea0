// SPDX-License-Identifier: Apache-2.0
// Fuzz target: what comes over the connection to systemd. The whole input as one message; then as a stream, in pieces whose length the first byte
// says, behind the greeting.

#include "fuzz.h"

#include "cgroup/bus_link.h"
#include "cgroup/bus_message.h"

#include <errno.h>
#include <sys/socket.h>

/* A socket holds that much without a reader. */
#define STREAM_MAX 60000

/* Every value that the reader gives is inside of the message. */
static void read_all(struct bus_reader *r)
{
	struct bus_reader inner;
	const char *text;
	uint64_t number;
	char type;

	while ((type = bus_next_type(r))) {
		REQUIRE(r->at <= r->end);
		if (strchr("sog", type)) {
			REQUIRE(bus_read_number(r, 'y', &number) == -ENXIO);
			REQUIRE(bus_read_text(r, type, &text) == 1);
			REQUIRE(strlen(text) <= BUS_MESSAGE_MAX);
		} else if (strchr("a({v", type)) {
			const char name[2] = {type, '\0'};

			REQUIRE(bus_read_text(r, 's', &text) == -ENXIO);
			REQUIRE(bus_read_enter(r, name, &inner) == 1);
			read_all(&inner);
		} else {
			REQUIRE(bus_read_number(r, type, &number) == 1);
			REQUIRE(type != 'b' || number <= 1);
		}
	}
	REQUIRE(r->at == r->end);
	REQUIRE(bus_read_skip(r) == 0);
}

static void read_props(const struct bus_message *m)
{
	for (const char *type = "stYPTbuS"; *type; type++) {
		const struct cg_prop p = {.name = "Name", .type = *type};
		struct bus_reader body = bus_body(m);
		struct cg_props props = {0};
		int r = bus_read_prop(&body, &p, &props);

		REQUIRE(r >= 0 || r == -ENXIO || r == -ENOMEM);
		REQUIRE(r != 1 || (props.len == 1 && props.items[0].type == *type));
		cg_props_done(&props);
	}
}

static bool same(const char *a, const char *b)
{
	return a && b ? strcmp(a, b) == 0 : a == b;
}

/* Its header written by ourselves is read again as it was, as far as we would write such a one. */
static void write_again(const struct bus_message *m)
{
	struct bus_writer w;
	struct bus_message again, head = *m;
	const char *reason;

	head.signature = "";
	bus_write_begin(&w, &head);
	if (bus_write_end(&w) == 0) {
		bus_write_serial(&w, m->serial);
		REQUIRE(bus_parse((const uint8_t *)w.data.data, w.data.len, &again, &reason) == 0);
		REQUIRE(again.serial == m->serial && again.kind == m->kind);
		REQUIRE(again.reply_serial == m->reply_serial && again.flags == m->flags);
		REQUIRE(same(again.path, m->path) && same(again.member, m->member));
		REQUIRE(same(again.error, m->error) && same(again.sender, m->sender));
		REQUIRE(same(again.interface, m->interface));
		REQUIRE(same(again.destination, m->destination));
	}
	bus_write_done(&w);
}

static void read_message(const struct bus_message *m)
{
	struct bus_reader body = bus_body(m);

	read_all(&body);
	read_props(m);
	write_again(m);
}

static void read_stream(const uint8_t *data, size_t size)
{
	size_t step = (size ? data[0] : 0U) + 1, at = size != 0;
	struct bus_link link;
	struct bus_message m;
	int pair[2], r = 0;

	REQUIRE(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair) == 0);
	bus_link_init(&link, pair[0], step & 1 ? 1000 : BUS_NOBODY);
	while (r >= 0 && at < size) {
		size_t n = step < size - at ? step : size - at;

		REQUIRE(send(pair[1], data + at, n, MSG_NOSIGNAL) == (ssize_t)n);
		at += n;
		r = bus_link_greet(&link);
		while (r > 0 && (r = bus_link_next(&link, &m)) > 0) {
			read_message(&m);
			r = m.kind == BUS_CALL ? bus_link_refuse(&link, &m) + 1 : 1;
		}
	}
	REQUIRE(r >= 0 || link.reason || r == -EPROTO);
	close(pair[1]);
	bus_link_done(&link);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *reason = NULL;
	struct bus_message m;

	if (size > STREAM_MAX)
		return 0;
	if (bus_parse(data, size, &m, &reason) == 0)
		read_message(&m);
	else
		REQUIRE(reason);
	read_stream(data, size);
	return 0;
}
