/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Paths inside a tree whose owner is hostile: every look-up is made as if ROOT_FD were "/", and everything is created through
 * the descriptor of a directory that was reached that way. Nothing here can name a file outside the root, whatever symbolic
 * links the tree has and however they change meanwhile (CVE-2019-18837, CVE-2021-30465, CVE-2024-45310).
 */
#pragma once

#include "base/error.h"

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

/* The last component of a path is not followed when it is a symbolic link. */
#define INROOT_NOFOLLOW 1U

/*
 * Opens the existing PATH with open(2) FLAGS (O_PATH unless the file is known to be harmless: a FIFO would block). Magic links
 * of procfs are refused. Returns the fd or a negative errno.
 */
int inroot_open(int root_fd, const char *path, int flags) CRUN_NODISCARD;

/* What else is known of a path that was looked up. */
struct inroot_found {
	bool created; /* the last component was made here */
	/* The way was PATH itself: no component of it is a link, "." or "..". Never for a path without a slash in front. */
	bool as_spelled;
};

/*
 * Makes sure that PATH exists and returns an O_PATH fd of it. What is missing is created as a chroot'ed "mkdir -p" would,
 * dangling symbolic links included: directories with mode 0755, the last component as MODE says (S_IFDIR or S_IFREG with its
 * permission bits; the umask counts, and init's is 0). An existing last component may be of any type: that is for the caller to judge.
 * FLAGS: INROOT_NOFOLLOW. RET may be NULL. Returns the fd, or -errno with the offending component named.
 */
int inroot_make(int root_fd, const char *path, mode_t mode, unsigned flags,
		struct inroot_found *ret, struct crun_error *err) CRUN_NODISCARD;

/*
 * The same for the directory that PATH lies in: returns its O_PATH fd and puts the last component, which is a plain file name,
 * into NAME (SIZE bytes).
 */
int inroot_make_parent(int root_fd, const char *path, char *name, size_t size,
		       struct crun_error *err) CRUN_NODISCARD;
