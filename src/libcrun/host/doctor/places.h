/* SPDX-License-Identifier: Apache-2.0 */
/* crun doctor: the directories that containers live in, and the mounts that those lie on. */
#pragma once

#include "host/doctor/doctor.h"
#include "spawn/probe.h"

struct mountinfo;
struct buf;

struct doctor_place {
	const char *id; /* "storage.state" */
	const char *idmap_id;
	const char
		*path; /* it may not exist: then the directory that it would be made in is meant */
	bool state;    /* the state root: not a place of images */
};

#define DOCTOR_PLACES 8

/* Fills RET and returns how many there are. */
size_t doctor_places(struct doctor *d, struct doctor_place ret[DOCTOR_PLACES]);

/*
 * Opens (O_PATH) PATH or, when it does not exist, the nearest directory above it that does, which BUF is set to. To be called in a child: a file
 * system may hang. Returns the fd or -errno.
 */
int doctor_open_nearest(const char *path, char *buf, size_t size);

/* The mount that FD lies on; the texts are TEXT's. -ENOENT when it is not known. */
int doctor_mount_of(int fd, struct buf *text, struct mountinfo *ret);
