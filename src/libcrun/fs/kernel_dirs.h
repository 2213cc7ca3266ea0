/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The container's /proc and /sys. Only the kernel makes names in them, and nobody can rename one: what such a name led to once it leads to
 * ever after, unless somebody mounts over it. So it can be used by name, and need not be looked up again to be sure. The directories that they
 * are mounted on can be renamed, by who shares the root's files with us: what lies in them is not looked up from the root.
 */
#pragma once

#include "base/error.h"

/* The owner calls kernel_dirs_close(). */
struct kernel_dirs {
	int proc_fd, sys_fd; /* O_PATH, or FD_NONE: what is there is something else */
};

/* Returns a negative errno when the machine lacks what it takes to look: memory, descriptors. The owner closes DIRS in any case. */
int kernel_dirs_open(struct kernel_dirs *dirs, int root_fd) CRUN_NODISCARD;
void kernel_dirs_close(struct kernel_dirs *dirs);

/* A name in a directory of the kernel's. The caller closes own_fd. */
struct kernel_name {
	int dir_fd; /* one of DIRS, or own_fd */
	int own_fd; /* or FD_NONE */
	const char *name;
};

/*
 * Where PATH, which need not exist, lies in DIRS: 1, with *ret set. The name may be that of a symbolic link, of which a procfs has some (self,
 * net, device-tree): that has to be looked up. 0: PATH lies elsewhere, or behind a link or another mount, and has to be looked up, too. -ENOENT:
 * it would lie in a directory that there is not, or that is closed even to us.
 */
int kernel_dirs_find(const struct kernel_dirs *dirs, const char *path, struct kernel_name *ret);
