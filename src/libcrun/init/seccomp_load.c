// SPDX-License-Identifier: Apache-2.0
// Puts the compiled system call filter into force: see seccomp_load.h.
#include "init/seccomp_load.h"

#include "sys/seccomp.h"

#include <errno.h>
#include <linux/filter.h>

_Static_assert(sizeof(struct sock_filter) == sizeof(uint64_t), "an instruction fills one element");
_Static_assert(BPF_MAXINSNS == SECCOMP_AREA_MAX, "the area holds the longest program");

int init_seccomp_load(const struct seccomp_area *area, struct crun_error *err)
{
	uint32_t len = area->len, flags = area->flags;
	int r;

	if (len == 0 || len > SECCOMP_AREA_MAX)
		return err_set(err, KIND_INTERNAL, EINVAL,
			       "the seccomp program has %u instructions, not 1 to %u", len,
			       SECCOMP_AREA_MAX);
	if (area->listener)
		flags |= SECCOMP_FILTER_FLAG_NEW_LISTENER;
	r = sys_seccomp_load((const struct sock_filter *)area->insns, (unsigned short)len, flags);
	if (r >= 0)
		return r;
	if (r == -EBUSY && area->listener)
		err_set(err, KIND_UNSUPPORTED, EBUSY,
			"load the seccomp filter: the kernel allows one listener, and we are under a filter "
			"that has one");
	else if (r == -EINVAL && (flags & SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV))
		err_set(err, CODE_KERNEL_TOO_OLD, EINVAL,
			"load the seccomp filter: SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV needs Linux 5.19");
	else
		err_sys(err, r, "load the seccomp filter");
	return err_at(err, "/linux/seccomp");
}
