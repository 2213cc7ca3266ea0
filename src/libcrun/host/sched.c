// SPDX-License-Identifier: Apache-2.0
// Scheduler and I/O priority of a container's process: see sched.h.
#include "host/sched.h"

#include "sys/sched.h"

#include <errno.h>

static const unsigned policies[OCI_SCHEDULER_POLICY_LAST + 1] = {
	[OCI_SCHEDULER_POLICY_OTHER] = SYS_SCHED_NORMAL,
	[OCI_SCHEDULER_POLICY_FIFO] = SYS_SCHED_FIFO,
	[OCI_SCHEDULER_POLICY_RR] = SYS_SCHED_RR,
	[OCI_SCHEDULER_POLICY_BATCH] = SYS_SCHED_BATCH,
	[OCI_SCHEDULER_POLICY_IDLE] = SYS_SCHED_IDLE,
	[OCI_SCHEDULER_POLICY_DEADLINE] = SYS_SCHED_DEADLINE,
};

static const unsigned flag_bits[OCI_SCHEDULER_FLAG_LAST + 1] = {
	[OCI_SCHEDULER_FLAG_RESET_ON_FORK] = SYS_SCHED_RESET_ON_FORK,
	[OCI_SCHEDULER_FLAG_RECLAIM] = SYS_SCHED_RECLAIM,
	[OCI_SCHEDULER_FLAG_DL_OVERRUN] = SYS_SCHED_DL_OVERRUN,
	[OCI_SCHEDULER_FLAG_KEEP_POLICY] = SYS_SCHED_KEEP_POLICY,
	[OCI_SCHEDULER_FLAG_KEEP_PARAMS] = SYS_SCHED_KEEP_PARAMS,
	[OCI_SCHEDULER_FLAG_UTIL_CLAMP_MIN] = SYS_SCHED_UTIL_CLAMP_MIN,
	[OCI_SCHEDULER_FLAG_UTIL_CLAMP_MAX] = SYS_SCHED_UTIL_CLAMP_MAX,
};

static const enum sys_ioprio_class io_classes[OCI_IO_PRIORITY_CLASS_LAST + 1] = {
	[OCI_IO_PRIORITY_CLASS_RT] = SYS_IOPRIO_RT,
	[OCI_IO_PRIORITY_CLASS_BE] = SYS_IOPRIO_BE,
	[OCI_IO_PRIORITY_CLASS_IDLE] = SYS_IOPRIO_IDLE,
};

/* What a person can do about the kernel's answer R. */
static const char *hint(const struct oci_scheduler *s, int r)
{
	bool realtime =
		s->policy == OCI_SCHEDULER_POLICY_FIFO || s->policy == OCI_SCHEDULER_POLICY_RR;

	if (r == -EPERM && realtime)
		return " (it takes CAP_SYS_NICE on the host and, where the kernel has real-time "
		       "group scheduling, linux.resources.cpu.realtimeRuntime)";
	if (r == -EPERM && s->policy == OCI_SCHEDULER_POLICY_DEADLINE)
		return " (it takes CAP_SYS_NICE on the host and a cpuset with all CPUs)";
	if (r == -EPERM)
		return " (it takes CAP_SYS_NICE on the host)";
	if (r == -EBUSY)
		return " (the CPUs have less time left than it asks for)";
	if (r == -EOPNOTSUPP)
		return " (this kernel has no utilization clamping)";
	return "";
}

static int set_scheduler(const struct oci_scheduler *s, pid_t pid, struct crun_error *err)
{
	struct sys_sched_attr attr = {
		.policy = policies[s->policy],
		.nice = s->nice,
		.priority = (unsigned)s->priority,
		.runtime = s->runtime,
		.deadline = s->deadline,
		.period = s->period,
	};
	int r;

	for (size_t i = 0; i < s->flags_len; i++)
		attr.flags |= flag_bits[s->flags[i]];
	r = sys_sched_setattr(pid, &attr);
	if (r >= 0)
		return 0;
	err_sys_code(err, CODE_SCHEDULER, r, "set the scheduler %s%s",
		     oci_scheduler_policy_name(s->policy), hint(s, r));
	return err_at(err, "/process/scheduler");
}

static int set_io_priority(const struct oci_io_priority *io, pid_t pid, struct crun_error *err)
{
	int r = sys_ioprio_set(pid, SYS_IOPRIO_VALUE(io_classes[io->class], io->priority));

	if (r >= 0)
		return 0;
	err_sys_code(err, CODE_SCHEDULER, r, "set the I/O priority %s %d%s",
		     oci_io_priority_class_name(io->class), io->priority,
		     r == -EPERM ? " (it takes CAP_SYS_NICE on the host)" : "");
	return err_at(err, "/process/ioPriority");
}

bool sched_is_deadline(const struct plan_process *p)
{
	return p->spec->scheduler && p->spec->scheduler->policy == OCI_SCHEDULER_POLICY_DEADLINE;
}

int sched_apply(const struct plan_process *p, pid_t pid, struct crun_error *err)
{
	int r = 0;

	if (p->spec->io_priority)
		r = set_io_priority(p->spec->io_priority, pid, err);
	if (r == 0 && p->spec->scheduler && !sched_is_deadline(p))
		r = set_scheduler(p->spec->scheduler, pid, err);
	return r;
}

int sched_apply_deadline(const struct plan_process *p, pid_t pid, struct crun_error *err)
{
	return set_scheduler(p->spec->scheduler, pid, err);
}
