/* SPDX-License-Identifier: Apache-2.0 */
/* What the sources of plan/ share. */
#pragma once

#include "plan/plan.h"

/* Room for N objects of SIZE in the arena, or NULL. Never zero bytes. */
void *plan_alloc(struct oci_arena *arena, size_t n, size_t size);

/* The value of an annotation, or NULL. */
const char *plan_annotation(const struct oci_config *config, const char *key);

/* Whether a label must be set. Engines send a profile even where the kernel has no such LSM; then there is nothing to set. */
bool plan_process_has_label(const struct oci_process *p, const struct host_facts *facts);

/* Annotation run.oci.keep_original_groups. */
bool plan_keeps_groups(const struct oci_config *config);

/*
 * How many descriptors the payload gets. Podman passes the sockets of systemd both ways at once: counting twice would keep its own
 * descriptors open in the payload.
 */
unsigned plan_preserved_fds(unsigned preserve_fds, unsigned listen_fds);

/* linux.namespaces, uidMappings, gidMappings. */
int plan_namespaces(struct launch_plan *plan, struct crun_error *err) CRUN_NODISCARD;

/*
 * Rules of user_namespaces(7) for one map, before the kernel says no more than EINVAL. WHAT_OF names it ("linux.uidMappings");
 * POINTER is the JSON pointer of its array, or NULL when it is not one.
 */
int plan_check_id_map(const struct oci_id_mapping *map, size_t len, const char *what_of,
		      const char *pointer, struct crun_error *err) CRUN_NODISCARD;

/* linux.devices and the default devices. */
int plan_devices(struct launch_plan *plan, struct oci_arena *arena,
		 struct crun_error *err) CRUN_NODISCARD;

/*
 * mounts, linux.maskedPaths, linux.readonlyPaths, linux.rootfsPropagation; plan->ns must be decided before. What needs a mount
 * namespace of the container's own and has none is refused.
 */
int plan_mounts(struct launch_plan *plan, struct oci_arena *arena,
		struct crun_error *err) CRUN_NODISCARD;

/*
 * Makes op->idmap for the option WORD: "idmap" or "ridmap", alone or as engines spell a mapping of the mount's own,
 * "idmap=uids=0-1000-10#10-5000-5;gids=0-1000-10": ids of the files, ids of the host that they become, how many. With '@' in
 * front of a range the second number is an id of the container (podman-run(1), --mount).
 */
int plan_idmap_option(const struct launch_plan *plan, struct mount_op *op, const char *word,
		      bool recursive, struct oci_arena *arena,
		      struct crun_error *err) CRUN_NODISCARD;

/*
 * Completes op->idmap once the kind of the mount is known: from the uidMappings and gidMappings of M, or from the container's
 * user namespace. Refuses what no kernel can do.
 */
int plan_idmap(const struct launch_plan *plan, const struct oci_mount *m, struct mount_op *op,
	       struct oci_arena *arena, struct crun_error *err) CRUN_NODISCARD;

/* True when the mounts A and B can share a user namespace. */
bool plan_idmap_equal(const struct mount_idmap *a, const struct mount_idmap *b);

/* linux.seccomp, and the annotations about it. RECEIVER: plan_options.seccomp_receiver. */
int plan_seccomp(struct launch_plan *plan, const char *receiver, struct oci_arena *arena,
		 struct crun_error *err) CRUN_NODISCARD;

/* hostname, domainname, sysctl, hooks: what needs a namespace has one. */
int plan_check_linux(const struct launch_plan *plan, struct crun_error *err) CRUN_NODISCARD;

/*
 * The profile and the label of a process want their kernel module: a process must not run without the confinement that it was to have
 * (config.md: a value that is not supported is an error).
 */
int plan_check_labels(const struct oci_process *p, const struct host_facts *facts,
		      struct crun_error *err) CRUN_NODISCARD;

/* linux.memoryPolicy, which plan_check_linux has found to be sane. */
int plan_memory_policy(struct launch_plan *plan, struct oci_arena *arena,
		       struct crun_error *err) CRUN_NODISCARD;

/* linux.netDevices; plan->ns must be decided before. */
int plan_net_devices(struct launch_plan *plan, struct oci_arena *arena,
		     struct crun_error *err) CRUN_NODISCARD;

/* linux.intelRdt: names that resctrl can have, schemata of one line each. */
int plan_check_intel_rdt(const struct launch_plan *plan, struct crun_error *err) CRUN_NODISCARD;

#define PLAN_NO_MEMORY(err) err_sys(err, -ENOMEM, "plan the container")
