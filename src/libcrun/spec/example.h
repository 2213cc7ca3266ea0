/* SPDX-License-Identifier: Apache-2.0 */
/* The configuration that `crun spec` writes: a starting point for people and test suites. */
#pragma once

#include <libocispec/oci.h>

#include <stdbool.h>
#include <sys/types.h>

/*
 * Writes the configuration as the next value of OUT. ROOTLESS: for a caller without privileges, whose ids UID and GID
 * become root's in a new user namespace. Returns 0 or the writer's -errno.
 */
int example_write(bool rootless, uid_t uid, gid_t gid, struct oci_json *out);
