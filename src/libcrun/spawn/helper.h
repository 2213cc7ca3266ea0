/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The VM-sharing helper: enters namespaces, then clones init with CLONE_PARENT so that init is the runtime's own child. It must
 * not allocate, log, lock or return to its caller's frames.
 */
#pragma once

#include <stdbool.h>
#include <sys/types.h>

#define HELPER_MAX_JOINS 8
#define HELPER_MAX_GAPS	 16

struct helper_join {
	int fd, flag;
};

/* Descriptors from FIRST to LAST. */
struct helper_gap {
	unsigned first, last;
};

struct helper_request {
	int target_fd; /* pidfd of a process whose namespaces are entered in one step, all or none */
	int target_flags; /* which ones: CLONE_NEW*; 0: `joins` and user_fd instead */
	struct helper_join joins[HELPER_MAX_JOINS]; /* in the order in which they are tried */
	int joins_len;
	int user_fd;	 /* user namespace to enter, or a negative number */
	int clone_flags; /* CLONE_NEW* for init */
	int cgroup_fd;	 /* or a negative number */
	/*
	 * The child gets a table of descriptors of its own, without those in GAPS (which a kernel before 5.9 leaves open). Its pidfd
	 * would be in that table: `pidfd` stays -1 then.
	 */
	bool own_fds;
	struct helper_gap gaps[HELPER_MAX_GAPS];
	int gaps_len;
	void (*child)(void *);
	void *arg;
	/* Results, written through the shared memory. */
	pid_t pid;
	int pidfd;
	int error;	 /* negative errno, 0 on success */
	int failed_flag; /* the namespace that could not be entered; 0: clone3 itself failed */
};

/* Runs the helper and reaps it. Returns 0 when it ran (look at the results), or the negative errno of starting it. */
int helper_run(struct helper_request *req);
