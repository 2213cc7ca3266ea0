/* SPDX-License-Identifier: Apache-2.0 */
/*
 * process.scheduler and process.ioPriority, set on a process of a container from the outside.
 *
 * From the outside, because that is where the power is: real-time and deadline scheduling, a better nice value and the real-time I/O class
 * take CAP_SYS_NICE in the *initial* user namespace (sched_setattr(2), ioprio_set(2)), which nobody inside a user namespace has. What
 * needs no privilege is allowed to a process with the same user id, which init has until it becomes the payload's user.
 */
#pragma once

#include "plan/plan.h"

/*
 * Sets the I/O priority and every scheduler but SCHED_DEADLINE. PID must wait meanwhile, still with our own user id, and be in its cgroup
 * already: that has the budget of real-time time.
 */
int sched_apply(const struct plan_process *p, pid_t pid, struct crun_error *err) CRUN_NODISCARD;

/* True when sched_apply_deadline is needed. */
bool sched_is_deadline(const struct plan_process *p);

/*
 * Sets SCHED_DEADLINE on PID, which must be ready for its payload: a small budget would make its set-up crawl, and the kernel lets no such
 * process fork a hook (sched(7)). PID may run on all CPUs of its cpuset.
 */
int sched_apply_deadline(const struct plan_process *p, pid_t pid,
			 struct crun_error *err) CRUN_NODISCARD;
