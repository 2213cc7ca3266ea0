/* SPDX-License-Identifier: Apache-2.0 */
/* Puts the compiled system call filter into force. */
#pragma once

#include "base/error.h"
#include "plan/seccomp.h"

/*
 * Loads AREA's program for the calling thread, from then on and across execve. The thread needs no_new_privs or
 * CAP_SYS_ADMIN in its user namespace (seccomp(2)).
 *
 * Returns 0; with area->listener the notification fd, close-on-exec, which the caller owns; or a negative errno.
 */
int init_seccomp_load(const struct seccomp_area *area, struct crun_error *err) CRUN_NODISCARD;
