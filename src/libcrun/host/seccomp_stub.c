// SPDX-License-Identifier: Apache-2.0
// ENOSYS for system calls that are newer than the profile: see seccomp_stub.h.
#include "host/seccomp_stub.h"

#include "sys/seccomp.h"

#include <errno.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <stddef.h>
#include <string.h>

_Static_assert(sizeof(struct sock_filter) == sizeof(uint64_t), "an instruction fills one element");

#define INSNS_PER_CEILING 6

static bool is_shared_by_x32(const struct seccomp_ceiling *c)
{
#ifdef AUDIT_ARCH_X86_64
	return c->audit_arch == AUDIT_ARCH_X86_64;
#else
	(void)c;
	return false;
#endif
}

/*
 * Six instructions; the next ceiling's, or the program, follow. Whoever is not refused loads what it looks at anew, so the accumulator is
 * free.
 */
static void write_ceiling(const struct seccomp_ceiling *c, struct sock_filter *to)
{
	const struct sock_filter insns[INSNS_PER_CEILING] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, arch)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, c->audit_arch, 0, 4),
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		/* The half of the numbers that is not this ceiling's; without x32 there is one half. */
		c->x32 ? (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JGE | BPF_K,
						      SECCOMP_STUB_X32_BIT, 0, 2)
		       : (struct sock_filter)BPF_JUMP(
				 BPF_JMP | BPF_JGE | BPF_K,
				 is_shared_by_x32(c) ? SECCOMP_STUB_X32_BIT : UINT32_MAX, 2, 0),
		BPF_JUMP(BPF_JMP | BPF_JGT | BPF_K, c->highest, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | ENOSYS),
	};

	memcpy(to, insns, sizeof(insns));
}

int seccomp_stub_prepend(struct seccomp_area *area, const struct seccomp_ceiling *ceilings,
			 size_t len, struct crun_error *err)
{
	size_t extra = len * INSNS_PER_CEILING;
	struct sock_filter insns[INSNS_PER_CEILING];

	if (extra + area->len > SECCOMP_AREA_MAX)
		return err_set(err, CODE_SECCOMP_PROFILE, E2BIG,
			       "the seccomp filter needs %zu instructions, the kernel takes %u: "
			       "use fewer rules or architectures",
			       extra + area->len, SECCOMP_AREA_MAX);
	memmove(area->insns + extra, area->insns, area->len * sizeof(area->insns[0]));
	for (size_t i = 0; i < len; i++) {
		write_ceiling(&ceilings[i], insns);
		memcpy(area->insns + i * INSNS_PER_CEILING, insns, sizeof(insns));
	}
	area->len += (uint32_t)extra;
	return 0;
}
