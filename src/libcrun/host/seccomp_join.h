/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One filter out of one per architecture. libseccomp takes longer than linearly for a filter of several architectures, since it looks for
 * equal pieces among all of them: for three of them twice as long as for each one alone. The answers are those of the one filter, but where several
 * rules name a call that an architecture has only as part of another one (shmget on x86): there libseccomp may refuse a rule on that architecture, and
 * then drops it on all of them, while a part loses no rule of another.
 */
#pragma once

#include "plan/seccomp.h"

/* A program for the calls of one architecture, that of others may be anything. */
struct seccomp_part {
	uint32_t audit_arch; /* AUDIT_ARCH_*, of seccomp_data */
	bool x32;	/* the calls of x86-64 with SECCOMP_STUB_X32_BIT, otherwise those without */
	size_t at, len; /* where its instructions are in the area */
};

/* How many instructions must be left free in front of LEN parts, of which the architectures are set. */
size_t seccomp_join_room(const struct seccomp_part *parts, size_t len);

/*
 * Writes in front of the parts, which follow one another in AREA behind that room, what sends each call to the part of its architecture, and
 * sets the length. Calls of any other architecture end the thread, as libseccomp has it (SCMP_FLTATR_ACT_BADARCH).
 */
void seccomp_join(struct seccomp_area *area, const struct seccomp_part *parts, size_t len);
