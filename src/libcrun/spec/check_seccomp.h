/* SPDX-License-Identifier: Apache-2.0 */
/* The rules of config-linux.md "Seccomp" that the schema cannot say. Pure. */
#pragma once

#include "base/error.h"

#include <libocispec/oci.h>

/*
 * Checks linux.seccomp. Returns 0, or -EINVAL with the value's JSON pointer in err->at.
 *
 * Whether the library knows a system call or an architecture is no question here: config-linux.md has profiles name
 * those of other machines. That SCMP_ACT_NOTIFY has somebody to notify is checked by the plan, which knows all places
 * where a listener can be named.
 */
int check_seccomp(const struct oci_linux_seccomp *seccomp, struct crun_error *err) CRUN_NODISCARD;
