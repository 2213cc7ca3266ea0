/* SPDX-License-Identifier: Apache-2.0 */
/* From libc's "-1 and errno" to ours: the value, or a negative errno. For the sources in sys/ only. */
#pragma once

#include <errno.h>

#define SYS_RET(expr)                 \
	({                            \
		int r_ = (expr);      \
		r_ < 0 ? -errno : r_; \
	})

#define SYS_RETRY(r, expr)            \
	do {                          \
		(r) = (expr);         \
		if ((r) < 0)          \
			(r) = -errno; \
	} while ((r) == -EINTR)
