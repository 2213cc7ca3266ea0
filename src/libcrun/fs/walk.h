/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A look-up by single steps below a directory: what openat2(2) does in the kernel (5.6), for kernels without it, and for paths that
 * are to be created on the way. Every step is an open of one name in an open directory, without following links; links and ".." are
 * resolved here, and lead no further than to the directory that the look-up began in, whatever is renamed meanwhile.
 */
#pragma once

#include "sys/kernel.h"

#include <limits.h>
#include <stdbool.h>
#include <sys/types.h>

/* Zero but root_fd, resolve and what else is to be set; walk_to() and walk_done() see to the rest. */
struct walk {
	int root_fd;
	unsigned long resolve; /* RESOLVE_*; magic links are refused with or without their bit */
	bool nofollow;	       /* a symbolic link at the end is what is looked for */
	mode_t create; /* type and mode of what is made when the last component is missing; 0: nothing is */
	/* Results. */
	int dir_fd;		 /* O_PATH of the directory `done` */
	char done[PATH_MAX];	 /* from the root, "a/b", free of links; "" is the root itself */
	char name[NAME_MAX + 1]; /* last component that was looked at */
	bool ends_here;		 /* the path ended with `done` itself, not with a name in it */
	bool created;		 /* the last component was made */
	/* Private. */
	char todo[PATH_MAX];
	unsigned links;
	uint64_t mount_id; /* of root_fd, for RESOLVE_NO_XDEV */
};

/* Looks PATH up. Returns its O_PATH fd or a negative errno; W has results either way. */
int walk_to(struct walk *w, const char *path);
void walk_done(struct walk *w);

/* openat2(2) for an existing PATH without creating anything, or the same by a walk. Returns the fd (close-on-exec) or -errno. */
int lookup_open(int root_fd, const char *path, int flags, unsigned long resolve);
