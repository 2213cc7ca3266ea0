/* SPDX-License-Identifier: Apache-2.0 */
/* /proc/self/mountinfo, for what no mount call tells: which cgroup hierarchy is mounted where, the name of a file system. */
#pragma once

#include "base/error.h"

#include <stdint.h>

struct buf;

/* A line of mountinfo (proc(5)); the texts lie in the line, unescaped in place. */
struct mountinfo {
	uint64_t id;	  /* as of statx(2) */
	uint64_t parent;  /* the id of the mount that it is mounted on */
	const char *root; /* directory of the file system that the mount shows */
	const char *mount_point;
	const char *options; /* of the mount, comma-separated */
	const char *fstype;
	const char *super_options; /* comma-separated */
};

/*
 * Splits the next line at *CURSOR, which it changes and moves on. Returns 1, or 0 at the end of the text; lines that are not of
 * the documented form are skipped.
 */
int mountinfo_next(char **cursor, struct mountinfo *ret);

/* Reads the whole file PATH below PROC_FD ("self/mountinfo", "self/cgroup") into BUF. Returns 0 or -errno. */
int mountinfo_read(int proc_fd, const char *path, struct buf *buf,
		   struct crun_error *err) CRUN_NODISCARD;

/* True when the comma-separated LIST has the word WORD of LEN bytes. */
int mountinfo_has_option(const char *list, const char *word, size_t len);
