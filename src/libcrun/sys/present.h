/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which system calls the running kernel has: each is made, in a form that changes nothing and takes no privilege. Each returns 0, -ENOSYS or
 * -EPERM (missing, or hidden by a seccomp filter), or another -errno for what keeps it from working.
 */
#pragma once

int sys_present_openat2(void);
/* open_tree(2), for the five calls of the mount API: the others look at the caller's privilege before anything else. */
int sys_present_mount_api(void);
int sys_present_mount_setattr(void);
int sys_present_clone3(void);
int sys_present_pidfd_open(void);
int sys_present_pidfd_send_signal(void);
int sys_present_close_range(void);
int sys_present_faccessat2(void);
/* statx(2) with the id of the mount: -EOPNOTSUPP when the call exists and does not tell it. */
int sys_present_statx_mount_id(void);
int sys_present_memfd_create(void);
/* The flags of Linux 6.3 that say whether a memory file may be executed. */
int sys_present_memfd_exec(void);
int sys_present_userfaultfd(void);
/* SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV. */
int sys_present_seccomp_wait_killable(void);
