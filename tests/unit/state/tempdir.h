/* SPDX-License-Identifier: Apache-2.0 */
/* A temporary directory per test, and records to put into it. */
#pragma once

#include "state/store.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct tempdir {
	char path[PATH_MAX];
};

static inline struct tempdir tempdir_make(void)
{
	const char *base = getenv("TMPDIR");
	struct tempdir t;

	snprintf(t.path, sizeof(t.path), "%s/crun-state-XXXXXX", base && base[0] ? base : "/tmp");
	if (!mkdtemp(t.path)) {
		perror("mkdtemp");
		_exit(1);
	}
	return t;
}

static inline int tempdir_remove_one(const char *path, const struct stat *st, int what,
				     struct FTW *ftw)
{
	(void)st;
	(void)what;
	(void)ftw;
	return remove(path);
}

static inline void tempdir_remove(struct tempdir *t)
{
	nftw(t->path, tempdir_remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

#define TEMPDIR(name) __attribute__((cleanup(tempdir_remove))) struct tempdir name = tempdir_make()

/* DIR/NAME in a static buffer that four later calls leave alone. */
static inline const char *in_dir(const char *dir, const char *name)
{
	static char buf[4][PATH_MAX + 300];
	static unsigned n;

	n = (n + 1) % 4;
	snprintf(buf[n], sizeof(buf[n]), "%s/%s", dir, name);
	return buf[n];
}

static inline int put_file(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	ssize_t n;

	if (fd < 0)
		return -errno;
	n = write(fd, text, strlen(text));
	close(fd);
	return n == (ssize_t)strlen(text) ? 0 : -EIO;
}

static inline bool path_exists(const char *path)
{
	struct stat st;

	return lstat(path, &st) == 0;
}

static inline struct oci_record simple_record(const char *id, enum oci_record_phase phase)
{
	return (struct oci_record){
		.has_version = true,
		.version = 1,
		.id = id,
		.phase = phase,
		.oci_version = "1.2.0",
		.bundle = "/some/bundle",
		.rootfs = "/some/bundle/rootfs",
		.created = "2026-01-02T03:04:05.000006Z",
		.owner = "root",
		.cgroup_manager = "disabled",
	};
}
