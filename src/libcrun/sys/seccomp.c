// SPDX-License-Identifier: Apache-2.0
// seccomp(2): see seccomp.h.
#include "sys/seccomp.h"

#include "sys/ret.h"

#include <linux/filter.h>
#include <sys/syscall.h>
#include <unistd.h>

int sys_seccomp_load(const struct sock_filter *insns, unsigned short len, unsigned flags)
{
	struct sock_fprog prog = {.len = len, .filter = (struct sock_filter *)insns};

	return SYS_RET((int)syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, flags, &prog));
}
