/* SPDX-License-Identifier: Apache-2.0 */
/* Descriptors that tell of events: inotify(7) and eventfd(2). Each returns >= 0 or a negative errno; fds are close-on-exec and do not block. */
#pragma once

/* An inotify fd that becomes readable when FILE below DIRFD is modified. The kernel does that for cgroup files. Reading empties it. */
int sys_inotify_modify(int dirfd, const char *file);

int sys_eventfd(void);
