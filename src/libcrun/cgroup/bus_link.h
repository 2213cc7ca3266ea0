/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One end of a D-Bus connection over a stream socket: the greeting, the messages that wait to be written, those that come in. Nothing
 * waits: who uses it polls for bus_link_events().
 */
#pragma once

#include "cgroup/bus_wire.h"

#include <sys/types.h>

/* No identity is sent: the other end takes the one that the kernel tells it. */
#define BUS_NOBODY ((uid_t)-1)

/* All-zero is not valid: bus_link_init. */
struct bus_link {
	int fd;
	bool up;    /* authenticated */
	bool begun; /* BEGIN has been sent */
	bool last;  /* the line that is waited for is the last one, whatever it says */
	bool deaf;  /* the other end reads nothing any more */
	struct buf out, in;
	size_t sent, taken; /* of them */
	uint32_t serial;    /* the last one given */
	const char *reason; /* what failed, where an errno says too little; a constant */
};

/*
 * Takes FD, a connected non-blocking socket, and authenticates as UID (D-Bus Specification, "Authentication Protocol", EXTERNAL): who we
 * are for the other end, which may be in another user namespace than we are. BUS_NOBODY takes a round trip more.
 */
void bus_link_init(struct bus_link *l, int fd, uid_t uid);
void bus_link_done(struct bus_link *l);

/* What to poll for. */
short bus_link_events(const struct bus_link *l);

/* Goes on with authentication: 1 when it is done, 0 to be called again, or a negative errno: -EACCES when the other end refuses us. */
int bus_link_greet(struct bus_link *l);

/*
 * Queues an ended message; *ret_serial, which may be NULL, is by what its answer is known. 0 or a negative errno, -ENOBUFS when too much waits
 * to be written.
 */
int bus_link_send(struct bus_link *l, struct bus_writer *w, uint32_t *ret_serial);

/*
 * Writes what can be written, and reads the next message: 1 with *ret, which is valid until the next call, 0 when none is there yet, or a
 * negative errno, -ECONNRESET at the end of the stream. A call to us is the caller's to answer: bus_link_refuse.
 */
int bus_link_next(struct bus_link *l, struct bus_message *ret);

/* Answers M, a method call, with the error that we have no such method, if it wants an answer. */
int bus_link_refuse(struct bus_link *l, const struct bus_message *m);
