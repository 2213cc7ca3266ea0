// SPDX-License-Identifier: Apache-2.0
// Filters of single architectures put together: see seccomp_join.h.
#include "host/seccomp_join.h"

#include "host/seccomp_stub.h"
#include "sys/seccomp.h"

#include <linux/filter.h>
#include <stddef.h>
#include <string.h>

/* The part of the same architecture's other numbers, or NULL. */
static const struct seccomp_part *find_twin(const struct seccomp_part *parts, size_t len,
					    const struct seccomp_part *of)
{
	for (size_t i = 0; i < len; i++) {
		if (&parts[i] != of && parts[i].audit_arch == of->audit_arch)
			return &parts[i];
	}
	return NULL;
}

static bool is_first(const struct seccomp_part *part, const struct seccomp_part *twin)
{
	return !twin || part < twin;
}

/* Of an architecture: a comparison and a jump; of two halves of one: a load, a comparison and two jumps behind all of these. */
size_t seccomp_join_room(const struct seccomp_part *parts, size_t len)
{
	size_t room = 2;

	for (size_t i = 0; i < len; i++) {
		const struct seccomp_part *twin = find_twin(parts, len, &parts[i]);

		if (is_first(&parts[i], twin))
			room += twin ? 6 : 2;
	}
	return room;
}

static void put(struct seccomp_area *area, size_t at, struct sock_filter insn)
{
	memcpy(&area->insns[at], &insn, sizeof(insn));
}

static void put_jump(struct seccomp_area *area, size_t at, size_t target)
{
	put(area, at, (struct sock_filter)BPF_STMT(BPF_JMP | BPF_JA, (uint32_t)(target - at - 1)));
}

static void put_halves(struct seccomp_area *area, size_t at, const struct seccomp_part *a,
		       const struct seccomp_part *b)
{
	put(area, at,
	    (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS,
					 offsetof(struct seccomp_data, nr)));
	put(area, at + 1,
	    (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JGE | BPF_K, SECCOMP_STUB_X32_BIT, 0, 1));
	put_jump(area, at + 2, a->x32 ? a->at : b->at);
	put_jump(area, at + 3, a->x32 ? b->at : a->at);
}

void seccomp_join(struct seccomp_area *area, const struct seccomp_part *parts, size_t len)
{
	size_t at = 0, end = seccomp_join_room(parts, len), halves = end, total = end;

	put(area, at++,
	    (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS,
					 offsetof(struct seccomp_data, arch)));
	for (size_t i = 0; i < len; i++) {
		const struct seccomp_part *part = &parts[i], *twin = find_twin(parts, len, part);
		size_t target = part->at;

		total += part->len;
		if (!is_first(part, twin))
			continue;
		if (twin) {
			target = halves -= 4;
			put_halves(area, halves, part, twin);
		}
		put(area, at++,
		    (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, part->audit_arch, 0,
						 1));
		put_jump(area, at++, target);
	}
	put(area, at, (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_THREAD));
	area->len = (uint32_t)total;
}
