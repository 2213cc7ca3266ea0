// SPDX-License-Identifier: Apache-2.0
// The loopback interface of a new network namespace.
#include "init/outside/phase.h"

#include "sys/netlink_link.h"

int phase_network(struct outside *o, struct crun_error *err)
{
	int r = sys_loopback_up();

	(void)o;
	if (r < 0)
		return err_sys(err, r, "bring up the loopback interface");
	return 0;
}
