/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The container's /proc and /sys. Only the kernel makes names in their roots, and nobody can rename one: what such a name led to once it
 * leads to ever after, unless somebody mounts over it. So it can be used by name, and need not be looked up again to be sure.
 */
#pragma once

/* The owner calls kernel_dirs_close(). */
struct kernel_dirs {
	int proc_fd, sys_fd; /* O_PATH, or FD_NONE: what is there is something else */
};

void kernel_dirs_open(struct kernel_dirs *dirs, int root_fd);
void kernel_dirs_close(struct kernel_dirs *dirs);

/*
 * The directory among DIRS that PATH lies in, with no other between them, and *ret_name what it is called there; FD_NONE for every
 * other path. It may be called so by a symbolic link, of which a procfs has some (self, net, device-tree): that has to be looked up.
 */
int kernel_dirs_find(const struct kernel_dirs *dirs, const char *path, const char **ret_name);
