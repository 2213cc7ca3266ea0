/* SPDX-License-Identifier: Apache-2.0 */
/* Closing what others have left open. */
#pragma once

/*
 * Closes all descriptors from FIRST to LAST: close_range(2), before 5.9 those that /proc/self/fd lists, without a procfs each possible
 * number. For a process without other threads. Returns 0 or -errno.
 */
int close_fds(unsigned first, unsigned last);
