/* SPDX-License-Identifier: Apache-2.0 */
/* A scratch directory with a "root" in it and, next to it, a "canary" that nothing may ever touch. */
#pragma once

#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct tree {
	char path[64];
	int root; /* fd of PATH/root */
	int canary;
};

static inline void tree_make(struct tree *t)
{
	char name[96];

	snprintf(t->path, sizeof(t->path), "/tmp/crun-unit-XXXXXX");
	if (!mkdtemp(t->path))
		exit(99);
	snprintf(name, sizeof(name), "%s/root", t->path);
	mkdir(name, 0755);
	t->root = open(name, O_PATH | O_DIRECTORY | O_CLOEXEC);
	snprintf(name, sizeof(name), "%s/canary", t->path);
	mkdir(name, 0755);
	t->canary = open(name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

static inline int tree_remove_one(const char *path, const struct stat *st, int type,
				  struct FTW *ftw)
{
	(void)st;
	(void)type;
	(void)ftw;
	return remove(path);
}

static inline void tree_remove(struct tree *t)
{
	close(t->root);
	close(t->canary);
	nftw(t->path, tree_remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

/* True when the canary directory is still empty. */
static inline int tree_canary_is_empty(const struct tree *t)
{
	struct stat st;

	/* Subdirectories add links, files change the modification time: 2 links and the name "x" still free. */
	return fstat(t->canary, &st) == 0 && st.st_nlink == 2 &&
	       faccessat(t->canary, "x", F_OK, AT_SYMLINK_NOFOLLOW) < 0 &&
	       faccessat(t->canary, "new", F_OK, AT_SYMLINK_NOFOLLOW) < 0;
}
