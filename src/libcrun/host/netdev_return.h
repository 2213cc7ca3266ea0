/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Network interfaces on their way back to where they came from, when a container is deleted or its creation has failed.
 *
 * config-linux.md ("Namespace Lifecycle and Container Termination") forbids to take them out of the namespace before deletion, and
 * with the namespace the kernel gives physical ones back and destroys virtual ones. What outlives the container, most often a
 * namespace that it had joined, would keep them for good: nobody could create the container again. So delete takes them back from
 * a namespace that still exists.
 */
#pragma once

#include "base/buf.h"
#include "base/error.h"
#include "sys/netlink_link.h"

#include <libocispec/oci.h>

#include <sys/types.h>

/*
 * Describes the interface LINK with its ADDRESSES as it is on the host, before it goes, in *RET, all but its names; the texts are
 * ARENA's.
 */
int netdev_describe(const struct sys_link *link, const struct buf *addresses,
		    struct oci_arena *arena, struct oci_record_net_device *ret) CRUN_NODISCARD;

/* Whether LINK, seen in the container's namespace, is the interface that REC describes, as far as REC is filled in. */
bool netdev_is_same(const struct oci_record_net_device *rec, const struct sys_link *link);

/*
 * Moves the interface that REC describes from the namespace of the netlink socket THERE to OWN_NS, whose socket is HERE, under its
 * old name, with the addresses that it had there and up if it was. -ENODEV: it is not there, or what has its name or number is
 * another one. Who rules over a namespace may have put his own in its place: with our addresses it would get the host's traffic.
 */
int netdev_take_back(int there, int here, int own_ns,
		     const struct oci_record_net_device *rec) CRUN_NODISCARD;

/* What tells the network namespace NS_FD, with the netlink socket SOCK in it, from another one. */
int netdev_describe_namespace(int ns_fd, int sock,
			      struct oci_record_net_namespace *ret) CRUN_NODISCARD;

/* A file of the network namespace of process PID, to be taken while it lives; or a negative errno. */
int netdevs_hold(pid_t pid);

/*
 * Takes back what REC says was moved, once the container's processes are dead. HELD is what netdevs_hold returned; without a file the
 * namespace is looked for: where it was joined, in the mount table and at all processes. What fails is logged.
 */
void netdevs_return(const struct oci_record *rec, int held);
