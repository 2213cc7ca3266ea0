/* SPDX-License-Identifier: Apache-2.0 */
/* Scheduling, CPU affinity, I/O priority, memory policy. Each returns 0 or a negative errno. No policy of ours. */
#pragma once

#include <linux/types.h>
#include <stddef.h>
#include <sys/types.h>

/* struct sched_attr up to SCHED_ATTR_SIZE_VER1 (5.3), under our own name: newer C libraries define it. */
struct sys_sched_attr {
	__u32 size; /* filled in by sys_sched_setattr */
	__u32 policy;
	__u64 flags;
	__s32 nice;
	__u32 priority;
	__u64 runtime, deadline, period; /* nanoseconds */
	__u32 util_min, util_max;
};

/* The kernel's ABI (linux/sched.h): names of our own, because no two C libraries have all of them. */
enum sys_sched_policy {
	SYS_SCHED_NORMAL = 0,
	SYS_SCHED_FIFO = 1,
	SYS_SCHED_RR = 2,
	SYS_SCHED_BATCH = 3,
	SYS_SCHED_IDLE = 5,
	SYS_SCHED_DEADLINE = 6,
};
#define SYS_SCHED_RESET_ON_FORK	 0x01
#define SYS_SCHED_RECLAIM	 0x02
#define SYS_SCHED_DL_OVERRUN	 0x04
#define SYS_SCHED_KEEP_POLICY	 0x08
#define SYS_SCHED_KEEP_PARAMS	 0x10
#define SYS_SCHED_UTIL_CLAMP_MIN 0x20
#define SYS_SCHED_UTIL_CLAMP_MAX 0x40

/* linux/ioprio.h: the class is above the 13 bits of the priority. */
enum sys_ioprio_class { SYS_IOPRIO_RT = 1, SYS_IOPRIO_BE = 2, SYS_IOPRIO_IDLE = 3 };
#define SYS_IOPRIO_VALUE(class, data) ((int)(class) << 13 | (int)(data))

/* sched_setattr(2) of the thread PID; 0: ourselves. */
int sys_sched_setattr(pid_t pid, struct sys_sched_attr *attr);
/* sched_setaffinity(2): SIZE bytes of MASK, of which the kernel takes as many as it has CPUs. */
int sys_sched_setaffinity(pid_t pid, const void *mask, size_t size);
/* sched_getaffinity(2): returns how many bytes of MASK (SIZE of them) the kernel has set. */
int sys_sched_getaffinity(pid_t pid, void *mask, size_t size);
/* ioprio_set(2) of the thread PID. */
int sys_ioprio_set(pid_t pid, int value);
/* set_mempolicy(2) of our own thread: MODE with its flags, the first MAXNODE bits of NODES. */
int sys_set_mempolicy(int mode, const unsigned long *nodes, unsigned long maxnode);
