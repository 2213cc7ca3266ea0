// SPDX-License-Identifier: Apache-2.0
// Scheduling and memory policy: see sched.h.
#include "sys/sched.h"

#include "sys/ret.h"

#include <sys/syscall.h>
#include <unistd.h>

#define WHO_PROCESS 1 /* IOPRIO_WHO_PROCESS */

int sys_sched_setattr(pid_t pid, struct sys_sched_attr *attr)
{
	attr->size = sizeof(*attr);
	return SYS_RET((int)syscall(SYS_sched_setattr, pid, attr, 0));
}

int sys_sched_setaffinity(pid_t pid, const void *mask, size_t size)
{
	return SYS_RET((int)syscall(SYS_sched_setaffinity, pid, size, mask));
}

int sys_sched_getaffinity(pid_t pid, void *mask, size_t size)
{
	return SYS_RET((int)syscall(SYS_sched_getaffinity, pid, size, mask));
}

int sys_ioprio_set(pid_t pid, int value)
{
	return SYS_RET((int)syscall(SYS_ioprio_set, WHO_PROCESS, pid, value));
}

int sys_set_mempolicy(int mode, const unsigned long *nodes, unsigned long maxnode)
{
	return SYS_RET((int)syscall(SYS_set_mempolicy, mode, nodes, maxnode));
}
