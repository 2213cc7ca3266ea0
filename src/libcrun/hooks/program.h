/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A program of the host that we execute ourselves (newuidmap, ps), held by a descriptor from before anything of a container is touched: whoever
 * changes what its path leads to later changes nothing for us (CVE-2026-84042 was a helper found in the container's files).
 */
#pragma once

#include "base/error.h"

#include <stddef.h>

struct host_program {
	char path[64]; /* where it was found: for argv[0] and messages */
	int fd;	       /* O_PATH; FD_NONE: it was not found */
};

/*
 * Opens NAME in the first of DIRS (separated by spaces) where it is a file that we may execute. Returns 0; -ENOENT when it is in none, or
 * another negative errno. *ret can be closed in any case.
 */
int program_open(const char *dirs, const char *name, struct host_program *ret) CRUN_NODISCARD;

void program_close(struct host_program *p);

/*
 * Executes the file FD itself, with its setuid bit and capabilities as execve(2) would. A script is executed, too, if /proc is there for
 * its interpreter to read it through (execveat(2), NOTES): the descriptor then stays open in it. For the child of a fork or vfork: calls
 * nothing that takes a lock. Returns only on failure: a negative errno.
 */
int program_exec(int fd, char *const argv[], char *const envp[]) CRUN_NODISCARD;

/*
 * Starts P with default signals and STDERR_FD as its standard error, and does not wait for it. ARGV and ENVP are NULL-terminated. Returns its
 * pid, to be waited for by the caller, or a negative errno: of the creation, or of the execveat.
 */
int program_start(const struct host_program *p, char *const argv[], char *const envp[],
		  int stderr_fd) CRUN_NODISCARD;
