/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The instant of birth: one clone3 makes init, from here or from a helper that shares our memory when namespaces must be entered
 * first. Domain: the runtime. The child sees a copy of our memory and all our open fds.
 */
#pragma once

#include "base/error.h"
#include "plan/birth.h"

#include <sys/types.h>

struct spawn_request {
	const struct birth *birth;
	const int *
		ns_fds; /* NS_COUNT entries: the namespaces of birth->join_before, opened; others ignored */
	int cgroup_fd;	       /* cgroup2 directory to be born in, or FD_NONE */
	void (*child)(void *); /* runs in init; must not return */
	void *arg;
	/*
	 * exec: init is born in the namespaces TARGET_FLAGS (CLONE_NEW*) of the process TARGET_FD, a pidfd, which are entered in one step
	 * (Linux 5.8); 0: in those of birth->join_before.
	 */
	int target_fd, target_flags;
	/*
	 * exec: whoever is in these namespaces sees init from its first instruction on, so from CLOSE_FROM on it is born without any
	 * descriptors but KEEP (KEEP_LEN of them, FD_NONE among them is none). 0: it gets a copy of all of ours.
	 */
	unsigned close_from;
	const int *keep;
	int keep_len;
};

/*
 * Returns the pid of init, our direct child, in our pid namespace, and its pidfd in *ret_pidfd. KIND_UNSUPPORTED when a namespace
 * type is missing from the kernel or exhausted (the message names the sysctl). -ENOSYS: this kernel lets nobody be born in a
 * cgroup (Linux 5.7), nothing else is wrong. With target_flags -EINVAL is what a kernel says whose setns(2) takes no pidfds.
 */
pid_t spawn_init(const struct spawn_request *req, int *ret_pidfd,
		 struct crun_error *err) CRUN_NODISCARD;
