/* SPDX-License-Identifier: Apache-2.0 */
/* A child that is nothing but the first process of a new user namespace, until its maps are written and an fd is open on it. */
#pragma once

#include "base/error.h"

#include <sys/types.h>

struct userns_holder {
	pid_t pid;
	int pipe_fd; /* the child lives until this is closed, even if that is by our death */
};

/* Starts the child; it executes nothing. -ENOSPC and -EUSERS say that the sysctl user.max_user_namespaces is in the way. */
int userns_holder_begin(struct userns_holder *ret, struct crun_error *err) CRUN_NODISCARD;

/* Ends and reaps the child. The namespace lives on in the fds that are open on it. */
void userns_holder_end(struct userns_holder *holder);
