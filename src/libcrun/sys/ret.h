/* SPDX-License-Identifier: Apache-2.0 */
/* From libc's "-1 and errno" to ours: the value, or a negative errno. For the sources in sys/ only. */
#pragma once

#include <errno.h>

#define SYS_RET(expr)                 \
	({                            \
		int r_ = (expr);      \
		r_ < 0 ? -errno : r_; \
	})

/*
 * For a call that not every kernel has: -ENOSYS also where a seccomp profile older than the call hides it behind EPERM, as those of container engines long did. PROBE
 * is the same call with arguments that the kernel refuses before it looks at any permission; it is made only after an EPERM.
 */
#define SYS_RET_NEW(expr, probe)                                                          \
	({                                                                                \
		int new_ = SYS_RET(expr);                                                 \
		if (new_ == -EPERM && (probe) < 0 && (errno == EPERM || errno == ENOSYS)) \
			new_ = -ENOSYS;                                                   \
		new_;                                                                     \
	})

#define SYS_RETRY(r, expr)            \
	do {                          \
		(r) = (expr);         \
		if ((r) < 0)          \
			(r) = -errno; \
	} while ((r) == -EINTR)
