/* SPDX-License-Identifier: Apache-2.0 */
/* linux.seccomp turned into a BPF program by libseccomp. */
#pragma once

#include "base/error.h"
#include "plan/seccomp.h"

#include <libocispec/oci.h>

/*
 * Puts PLAN's program into *AREA: the one that it brings along, or its profile, which passed check_seccomp(), compiled. What a profile
 * cannot know is no error: a system call that libseccomp does not know is left out (debug message; an error when PLAN is strict), an
 * architecture likewise (warning). Where several conditions of one rule are about the same argument, the rule matches when one of them
 * holds: libseccomp cannot express both, and it is what other runtimes do with such profiles.
 *
 * Returns 0; KIND_UNSUPPORTED without libseccomp, in the build or on the host; or another negative errno, then *AREA is
 * undefined.
 */
int seccomp_compile(const struct plan_seccomp *plan, struct seccomp_area *area,
		    struct crun_error *err) CRUN_NODISCARD;

/* What of *AREA is not the program: how it is to be loaded. Part of seccomp_compile(). */
void seccomp_set_flags(const struct plan_seccomp *plan, struct seccomp_area *area);
