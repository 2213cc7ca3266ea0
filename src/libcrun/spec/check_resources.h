/* SPDX-License-Identifier: Apache-2.0 */
/* Checks of linux.resources that need no look at the host. Pure. */
#pragma once

#include "base/error.h"

#include <libocispec/oci.h>

/*
 * Refuses values that no kernel takes, that contradict each other, or that would name something else than they say (cgroup files from
 * keys with '/', device letters). RES may be NULL. Returns 0, or -EINVAL with KIND_SPEC and the JSON pointer of the value, below
 * /linux/resources. Limits of 0 mean "not set", as engines write them.
 */
int check_resources(const struct oci_linux_resources *res, struct crun_error *err) CRUN_NODISCARD;

/* The same for an update: a limit of memory and swap together may come without one of memory, as the container may have one. */
int check_resources_update(const struct oci_linux_resources *res,
			   struct crun_error *err) CRUN_NODISCARD;
