/* SPDX-License-Identifier: Apache-2.0 */
/*
 * linux.netDevices: interfaces of the runtime's network namespace on their way into the container's. Once the container exists they
 * are left to it: config-linux.md ("Network Devices") forbids to take them out of the namespace before it is deleted. The kernel then
 * gives physical ones back to the initial network namespace and destroys virtual ones.
 */
#pragma once

#include "plan/plan.h"

struct netdevs;

/*
 * Moves plan->net_devices into the network namespace JOINED_FD or, when that is FD_NONE, into that of process PID; sets their names,
 * gives them their permanent global addresses again and brings them up. All or none. *RET serves netdevs_restore, and is freed by
 * netdevs_free. Needs CAP_NET_ADMIN over both namespaces.
 */
int netdevs_move(const struct launch_plan *plan, int joined_fd, pid_t pid, struct netdevs **ret,
		 struct crun_error *err) CRUN_NODISCARD;

/*
 * Moves them back, with their names and addresses and up if they were, because the creation failed. Routes that somebody had
 * configured for them are lost, as the kernel drops them with the first move. What fails is logged.
 */
void netdevs_restore(struct netdevs *n);

/* Accepts NULL. */
void netdevs_free(struct netdevs *n);
