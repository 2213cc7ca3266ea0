/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Trying something in a process that is thrown away: what it does to namespaces, credentials or its own seccomp filter ends with it,
 * and what hangs or is killed does not take us along. Domain: the runtime on the host.
 */
#pragma once

#include <stdint.h>

#define PROBE_TEXT 1024

struct probe {
	/*
	 * CLONE_NEW* of the child. With CLONE_NEWUSER our user is root there, as the only one, once it runs; with CLONE_NEWNS nothing that is
	 * mounted there is seen anywhere else.
	 */
	unsigned flags;
	int cgroup_fd;	  /* a cgroup2 directory to be born in (CLONE_INTO_CGROUP), or FD_NONE */
	int64_t limit_ms; /* after which it is killed; 0: PROBE_LIMIT_MS */
	/*
	 * What is tried, in the child: returns >= 0 or -errno, with what it has to say in TEXT. It can write nowhere else: the memory is a
	 * copy.
	 */
	int (*run)(const void *arg, char text[PROBE_TEXT]);
	const void *arg;
};

#define PROBE_LIMIT_MS 5000

/*
 * Runs P and returns its value, with its words in TEXT ("" when there are none). Also -errno when the child could not be made ("clone3" is TEXT
 * then) or its ids could not be mapped, -ETIMEDOUT, and -ECHILD when it was killed; TEXT says so.
 */
int probe_run(const struct probe *p, char text[PROBE_TEXT]);
