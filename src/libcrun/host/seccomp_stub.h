/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ENOSYS for system calls that are newer than the profile. A profile with a list of what is allowed answers EPERM to what it does not
 * know, and programs that would fall back to an older call if the new one did not exist take it for a refusal.
 */
#pragma once

#include "base/error.h"
#include "plan/seccomp.h"

#define SECCOMP_STUB_X32_BIT \
	0x40000000U /* __X32_SYSCALL_BIT: x32 calls come as x86-64 with this bit */

/* The highest system call number that the profile names on one architecture. */
struct seccomp_ceiling {
	uint32_t audit_arch; /* AUDIT_ARCH_*, of seccomp_data */
	bool x32; /* these are the calls with SECCOMP_STUB_X32_BIT, otherwise those without */
	uint32_t highest;
};

/*
 * Puts in front of AREA's program that a number above its architecture's ceiling is answered with ENOSYS; everything else goes on to the
 * program, calls of architectures that have no ceiling too. Returns 0, or -E2BIG (KIND_SPEC) when there is no room for it.
 */
int seccomp_stub_prepend(struct seccomp_area *area, const struct seccomp_ceiling *ceilings,
			 size_t len, struct crun_error *err) CRUN_NODISCARD;
