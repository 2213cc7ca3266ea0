/* SPDX-License-Identifier: Apache-2.0 */
/*
 * linux.netDevices: interfaces of the runtime's network namespace on their way into the container's. There they stay until the
 * container is deleted (netdev_return.h), or come back at once when its creation fails.
 */
#pragma once

#include "plan/plan.h"

struct netdevs;

/* What netdevs_move needs to know. */
struct netdevs_request {
	const struct launch_plan *plan;
	int joined_fd; /* the network namespace that the container joins, or FD_NONE: that of PID */
	pid_t pid;
	struct oci_arena *arena; /* gets what RECORD points to */
	struct oci_record
		*record; /* net_devices and both namespaces are filled in, device by device */
	/* Called before each device goes, so that the record can be written: whatever happens to us, delete takes it back. */
	int (*note)(void *data, struct crun_error *err);
	void *data;
};

/*
 * Moves plan->net_devices into the network namespace; sets their names, gives them their permanent global addresses again and brings
 * them up. All or none. *RET serves netdevs_restore, and is freed by netdevs_free. Needs CAP_NET_ADMIN over both namespaces.
 */
int netdevs_move(const struct netdevs_request *request, struct netdevs **ret,
		 struct crun_error *err) CRUN_NODISCARD;

/*
 * Moves them back, with their names and addresses and up if they were, because the creation failed. Routes that somebody had
 * configured for them are lost, as the kernel drops them with the first move. What fails is logged.
 */
void netdevs_restore(struct netdevs *n);

/* Accepts NULL. */
void netdevs_free(struct netdevs *n);
