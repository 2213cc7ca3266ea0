/* SPDX-License-Identifier: Apache-2.0 */
/* Identity and power of the calling thread. Each returns >= 0 or a negative errno. Raw calls: init is single-threaded. */
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct sys_caps {
	uint64_t effective, permitted, inheritable;
};

int sys_setresuid(uid_t uid);
int sys_setresgid(gid_t gid);
int sys_setgroups(size_t n, const gid_t *gids);
int sys_capset(const struct sys_caps *caps);
int sys_capget(struct sys_caps *caps);
/* prctl(2) PR_CAPBSET_DROP. */
int sys_capbset_drop(int cap);
/* PR_CAPBSET_READ: 1, 0, or -EINVAL for a number above the kernel's last capability. */
int sys_capbset_read(int cap);
int sys_ambient_raise(int cap);
int sys_ambient_clear(void);
int sys_set_no_new_privs(void);
