/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of the client of systemd share: the connection, and how it is waited for. */
#pragma once

#include "base/error.h"
#include "cgroup/bus_link.h"
#include "sys/deadline.h"

#define BUS_JOBS 8

/* An answer that is an error. */
struct bus_error {
	const char *name, *message; /* the message may be NULL */
};

struct cg_bus {
	struct bus_link link;
	struct deadline deadline;
	bool user, broker;
	bool watching;
	bool broken;		   /* a wait failed: who knows what the next answer is about */
	uint32_t hello, match;	   /* what a broker was sent: only a refusal is of interest */
	struct crun_error refusal; /* that of one of them; kind KIND_NONE: there is none */
	uint32_t call;		   /* the call that is waited for */
	bool answered;
	struct bus_message reply; /* until the next wait */
	struct bus_error error;	  /* of it */
	/* The jobs of the unit that is being worked on that are over. */
	const char *unit;
	struct bus_job {
		char *path, *result;
		char *sender; /* NULL without a broker */
	} jobs[BUS_JOBS];
	size_t jobs_len; /* how many there were in all */
	bool job_removed;
};

/* ---- bus.c ---- */

/* Works off what comes until *DONE. WHAT is for the error. Returns 0 or -errno. */
int bus_run(struct cg_bus *bus, const bool *done, const char *what, struct crun_error *err);

/* ---- bus_calls.c ---- */

/* Begins to be a client of a broker: the name that it gives us is nobody's business. Nothing is waited for. 0 or a negative errno. */
int bus_say_hello(struct cg_bus *bus);

/* Takes note of a message. 0 or a negative errno. */
int bus_dispatch(struct cg_bus *bus, const struct bus_message *m);
