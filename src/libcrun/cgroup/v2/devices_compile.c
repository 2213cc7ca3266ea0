// SPDX-License-Identifier: Apache-2.0
// cgroup v2: compiles device rules to an eBPF program (BPF_PROG_TYPE_CGROUP_DEVICE).
//
// The time that the kernel takes to load a program grows with its branches, and every container loads one. So neighbouring rules share the
// comparisons of type and major number, a run of minor numbers is one bit mask, and all rules share the two ways out.
#include "cgroup/devices.h"

#include <errno.h>
#include <stddef.h>
#include <stdlib.h>

/* Registers: R1 is the context on entry, R0 the result and scratch before. */
#define R_TYPE	     BPF_REG_2
#define R_ACCESS     BPF_REG_3 /* what has not been allowed yet */
#define R_MAJOR	     BPF_REG_4
#define R_MINOR	     BPF_REG_5

#define FRAME_LEN    10 /* instructions before and after the rules */
#define RULE_MAX_LEN 5	/* type, major, minor, and two for a part of the accesses */
#define RUN_MIN	     3	/* minor numbers from which a mask is shorter */
#define MASK_MAX     30 /* highest bit of a mask: immediates are signed */
/* Jumps reach 32767 instructions. No configuration of a person comes near. */
#define RULES_MAX 6000

enum way_out { STAY, TO_ALLOW, TO_DENY };

struct program {
	struct bpf_insn *insns;
	uint8_t *ways; /* enum way_out per instruction: jumps that are resolved at the end */
	size_t len;
	/* The comparisons that hold for what is emitted now, and where they jump if they do not. */
	uint8_t type;
	int32_t major;
	size_t type_skip, major_skip;
};

static void emit(struct program *p, uint8_t code, uint8_t dst, uint8_t src, int16_t off,
		 int32_t imm)
{
	p->insns[p->len++] = (struct bpf_insn){
		.code = code, .dst_reg = dst, .src_reg = src, .off = off, .imm = imm};
}

static void emit_way_out(struct program *p, uint8_t jump, uint8_t reg, int32_t value, bool allow)
{
	p->ways[p->len] = allow ? TO_ALLOW : TO_DENY;
	emit(p, BPF_JMP | jump | BPF_K, reg, 0, 0, value);
}

static size_t emit_skip_unless(struct program *p, uint8_t reg, int32_t value)
{
	emit(p, BPF_JMP | BPF_JNE | BPF_K, reg, 0, 0, value);
	return p->len - 1;
}

static void land(struct program *p, size_t jump)
{
	p->insns[jump].off = (int16_t)(p->len - jump - 1);
}

static void set_major(struct program *p, int32_t major)
{
	if (p->major == major)
		return;
	if (p->major != CG_ANY)
		land(p, p->major_skip);
	p->major = major;
	if (major != CG_ANY)
		p->major_skip = emit_skip_unless(p, R_MAJOR, major);
}

static void set_type(struct program *p, uint8_t type)
{
	if (p->type == type)
		return;
	set_major(p, CG_ANY);
	if (p->type)
		land(p, p->type_skip);
	p->type = type;
	if (type)
		p->type_skip = emit_skip_unless(p, R_TYPE, type);
}

/* A rule for some accesses: denies if one of them is wanted; or takes them off, and what is left has to be allowed by others. */
static void emit_partial(struct program *p, const struct cg_rule *r)
{
	size_t skip = 0;

	set_type(p, r->type);
	set_major(p, r->major);
	if (r->minor != CG_ANY)
		skip = emit_skip_unless(p, R_MINOR, r->minor);
	if (r->allow) {
		emit(p, BPF_ALU64 | BPF_AND | BPF_K, R_ACCESS, 0, 0, CG_ACCESS_ALL & ~r->access);
		emit_way_out(p, BPF_JEQ, R_ACCESS, 0, true);
	} else {
		emit_way_out(p, BPF_JSET, R_ACCESS, r->access, false);
	}
	if (r->minor != CG_ANY)
		land(p, skip);
}

/* A rule for all accesses that is not for all devices: its last comparison is the way out. */
static void emit_whole(struct program *p, const struct cg_rule *r)
{
	if (r->major == CG_ANY && r->minor == CG_ANY) {
		set_type(p, 0);
		set_major(p, CG_ANY);
		emit_way_out(p, BPF_JEQ, R_TYPE, r->type, r->allow);
		return;
	}
	set_type(p, r->type);
	if (r->minor == CG_ANY) {
		set_major(p, CG_ANY);
		emit_way_out(p, BPF_JEQ, R_MAJOR, r->major, r->allow);
		return;
	}
	set_major(p, r->major);
	emit_way_out(p, BPF_JEQ, R_MINOR, r->minor, r->allow);
}

static bool fits_mask(const struct cg_rule *r)
{
	return r->access == CG_ACCESS_ALL && r->minor >= 0 && r->minor <= MASK_MAX;
}

/* The number of rules up to and including the last of ITEMS[0 ... LEN - 1] that one mask can stand for. */
static size_t run_length(const struct cg_rule *items, size_t len)
{
	const struct cg_rule *last = &items[len - 1];
	size_t n = 0;

	while (n < len && fits_mask(&items[len - 1 - n]) && items[len - 1 - n].type == last->type &&
	       items[len - 1 - n].major == last->major && items[len - 1 - n].allow == last->allow)
		n++;
	return n;
}

static void emit_run(struct program *p, const struct cg_rule *items, size_t n)
{
	int32_t mask = 0;

	for (size_t i = 0; i < n; i++)
		mask |= INT32_C(1) << items[i].minor;
	set_type(p, items[0].type);
	set_major(p, items[0].major);
	emit(p, BPF_JMP | BPF_JGT | BPF_K, R_MINOR, 0, 3, MASK_MAX);
	emit(p, BPF_ALU64 | BPF_MOV | BPF_K, BPF_REG_0, 0, 0, 1);
	emit(p, BPF_ALU64 | BPF_LSH | BPF_X, BPF_REG_0, R_MINOR, 0, 0);
	emit_way_out(p, BPF_JSET, BPF_REG_0, mask, items[0].allow);
}

static void emit_load(struct program *p, uint8_t dst, size_t field)
{
	emit(p, BPF_LDX | BPF_MEM | BPF_W, dst, BPF_REG_1, (int16_t)field, 0);
}

static void emit_prologue(struct program *p)
{
	/* access_type is the access in the upper and the type in the lower half. */
	emit_load(p, R_TYPE, offsetof(struct bpf_cgroup_dev_ctx, access_type));
	emit(p, BPF_ALU64 | BPF_MOV | BPF_X, R_ACCESS, R_TYPE, 0, 0);
	emit(p, BPF_ALU64 | BPF_AND | BPF_K, R_TYPE, 0, 0, 0xffff);
	emit(p, BPF_ALU64 | BPF_RSH | BPF_K, R_ACCESS, 0, 0, 16);
	emit_load(p, R_MAJOR, offsetof(struct bpf_cgroup_dev_ctx, major));
	emit_load(p, R_MINOR, offsetof(struct bpf_cgroup_dev_ctx, minor));
}

/* Where the jumps of one way out go to; not emitted if there are none, as the verifier refuses what cannot be reached. */
static void emit_return(struct program *p, bool allow, bool needed)
{
	size_t target = p->len;

	for (size_t i = 0; i < target; i++) {
		if (p->ways[i] != (allow ? TO_ALLOW : TO_DENY))
			continue;
		p->insns[i].off = (int16_t)(target - i - 1);
		needed = true;
	}
	if (!needed)
		return;
	emit(p, BPF_ALU64 | BPF_MOV | BPF_K, BPF_REG_0, 0, 0, allow);
	emit(p, BPF_JMP | BPF_EXIT, 0, 0, 0, 0);
}

/* The last rule decides, so it is asked first. Returns the answer for what no rule before a total one matches. */
static bool emit_rules(struct program *p, const struct cg_rules *rules)
{
	for (size_t left = rules->len; left > 0;) {
		const struct cg_rule *r = &rules->items[left - 1];
		size_t run = run_length(rules->items, left);

		if (cg_rule_is_total(r))
			return r->allow;
		if (run >= RUN_MIN) {
			emit_run(p, r + 1 - run, run);
			left -= run;
			continue;
		}
		if (r->access != CG_ACCESS_ALL)
			emit_partial(p, r);
		else
			emit_whole(p, r);
		left--;
	}
	return false;
}

int cg_devices_compile(const struct cg_rules *rules, struct bpf_insn **ret, size_t *ret_len)
{
	struct program p = {.major = CG_ANY};
	size_t max = FRAME_LEN + RULE_MAX_LEN * rules->len;
	bool otherwise;

	if (rules->len > RULES_MAX)
		return -E2BIG;
	p.insns = calloc(max, sizeof(*p.insns));
	p.ways = calloc(max, 1);
	if (!p.insns || !p.ways) {
		free(p.insns);
		free(p.ways);
		return -ENOMEM;
	}
	emit_prologue(&p);
	otherwise = emit_rules(&p, rules);
	set_type(&p, 0);
	set_major(&p, CG_ANY);
	emit_return(&p, otherwise, true);
	emit_return(&p, !otherwise, false);
	free(p.ways);
	*ret = p.insns;
	*ret_len = p.len;
	return 0;
}
