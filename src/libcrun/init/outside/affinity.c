// SPDX-License-Identifier: Apache-2.0
// Lets the payload run on all CPUs of its cpuset, wherever the caller of the runtime was tied to.
#include "init/outside/phase.h"

#include "base/log.h"
#include "sys/sched.h"

#include <string.h>

/*
 * Since 6.2 the kernel keeps what a process asked for across changes of its cpuset: callers that run the runtime under taskset(1) or
 * systemd's CPUAffinity= would tie the container to their own CPUs. Room for 32768 CPUs, four times what a kernel can have: a mask that is
 * too short would take the rest of the CPUs away, one that is too long is cut by the kernel.
 */
int phase_affinity(struct outside *o, struct crun_error *err)
{
	unsigned char all[4096];
	int r;

	if (o->plan->cpus.size) {
		r = sys_sched_setaffinity(0, o->plan->cpus.mask, o->plan->cpus.size);
		if (r >= 0)
			return 0;
		err_sys(err, r, "set the CPU affinity");
		return err_at(err, "/process/execCPUAffinity/final");
	}
	/* The host side has set what is to stay. */
	if (o->plan->cpus_before.size)
		return 0;
	memset(all, 0xff, sizeof(all));
	r = sys_sched_setaffinity(0, all, sizeof(all));
	if (r < 0)
		log_debug("the CPU affinity stays as it is: %s", err_describe(-r));
	return 0;
}
