/* SPDX-License-Identifier: Apache-2.0 */
/* seccomp(2). Each returns >= 0 or a negative errno. No policy. */
#pragma once

#include <stdint.h>

#include <linux/seccomp.h>

#ifndef SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV
#define SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV (1UL << 5) /* 5.19 */
#endif

struct sock_filter;

/* SECCOMP_SET_MODE_FILTER. Returns 0, or the listener with SECCOMP_FILTER_FLAG_NEW_LISTENER. */
int sys_seccomp_load(const struct sock_filter *insns, unsigned short len, unsigned flags);
