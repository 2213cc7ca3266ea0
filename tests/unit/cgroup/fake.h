/* SPDX-License-Identifier: Apache-2.0 */
/* Cgroups made of ordinary files, for tests of what is read from them: any content that a kernel may have. */
#pragma once

#include "cgroup/internal.h"
#include "sys/file.h"
#include "sys/io.h"

#include "../test.h"

#include <fcntl.h>
#include <ftw.h>
#include <sys/stat.h>
#include <unistd.h>

static struct crun_error err;

struct fake {
	char dir[32]; /* the root of the hierarchy */
	struct cgroup cg;
};

/* A hierarchy in a temporary directory with the cgroup PATH ("/a/b"); PATH must be writable memory. */
static inline bool fake_make(struct fake *f, char *path, bool v2)
{
	snprintf(f->dir, sizeof(f->dir), "/tmp/crun-test-XXXXXX");
	f->cg = (struct cgroup){.hier_len = 1};
	if (!mkdtemp(f->dir) || cg_set_path(&f->cg, path, &err) < 0)
		return false;
	f->cg.hier[0] = (struct cg_hier){.root = f->dir, .v2 = v2, .leaf_made = true};
	f->cg.hier[0].root_fd = open(f->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	for (size_t n = 1; n <= f->cg.depth; n++) {
		char rel[CG_PATH_SIZE];

		cg_prefix(&f->cg, n, rel);
		if (mkdirat(f->cg.hier[0].root_fd, rel, 0755) < 0)
			return false;
	}
	f->cg.hier[0].dir_fd =
		openat(f->cg.hier[0].root_fd, f->cg.path + 1, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return f->cg.hier[0].dir_fd >= 0;
}

/* Writes NAME, relative to the hierarchy's root. */
static inline void fake_file(struct fake *f, const char *name, const char *text)
{
	int fd =
		openat(f->cg.hier[0].root_fd, name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);

	if (fd < 0 || io_write_all(fd, text, strlen(text)) < 0)
		TEST_FAIL("cannot write %s", name);
	close(fd);
}

static inline int fake_remove_one(const char *path, const struct stat *st, int type, struct FTW *at)
{
	(void)st;
	(void)type;
	(void)at;
	return remove(path);
}

static inline void fake_remove(struct fake *f)
{
	close(f->cg.hier[0].root_fd);
	close(f->cg.hier[0].dir_fd);
	free(f->cg.path);
	nftw(f->dir, fake_remove_one, 16, FTW_DEPTH | FTW_PHYS);
}
