/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of the D-Bus client share: the connection, and how it is waited for. */
#pragma once

#include "base/error.h"
#include "cgroup/bus_message.h"
#include "sys/deadline.h"

#define BUS_JOBS 8

struct cg_bus {
	struct sd_library sd;
	struct sd_bus *bus;
	struct deadline deadline;
	int fd; /* owned by the library */
	bool user, broker;
	bool watching;
	bool broken; /* a wait failed: who knows what the next answer is about */
	struct sd_bus_message *reply;
	/* The jobs of the unit that is being worked on that are over. */
	const char *unit;
	struct bus_job {
		char *path, *result;
	} jobs[BUS_JOBS];
	size_t jobs_len; /* how many there were in all */
	bool job_removed;
};

/* ---- bus.c ---- */

/* Lets the library work until *DONE. WHAT is for the error. Returns 0 or -errno. */
int bus_run(struct cg_bus *bus, const bool *done, const char *what, struct crun_error *err);
