/* SPDX-License-Identifier: Apache-2.0 */
/* What the sources of plan/ share. */
#pragma once

#include "plan/plan.h"

/* Room for N objects of SIZE in the arena, or NULL. Never zero bytes. */
void *plan_alloc(struct oci_arena *arena, size_t n, size_t size);

/* linux.namespaces, uidMappings, gidMappings. */
int plan_namespaces(struct launch_plan *plan, struct crun_error *err) CRUN_NODISCARD;

/* linux.devices and the default devices. */
int plan_devices(struct launch_plan *plan, struct oci_arena *arena,
		 struct crun_error *err) CRUN_NODISCARD;

/*
 * mounts, linux.maskedPaths, linux.readonlyPaths, linux.rootfsPropagation; plan->ns must be decided before. What needs a mount
 * namespace of the container's own and has none is refused.
 */
int plan_mounts(struct launch_plan *plan, struct oci_arena *arena,
		struct crun_error *err) CRUN_NODISCARD;

/* hostname, domainname, sysctl, hooks: what needs a namespace has one. */
int plan_check_linux(const struct launch_plan *plan, struct crun_error *err) CRUN_NODISCARD;

#define PLAN_NO_MEMORY(err) err_sys(err, -ENOMEM, "plan the container")
