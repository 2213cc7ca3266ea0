// SPDX-License-Identifier: Apache-2.0
// cgroup v2: compiles device rules to an eBPF program (BPF_PROG_TYPE_CGROUP_DEVICE).
#include "cgroup/devices.h"

#include <errno.h>
#include <stddef.h>
#include <stdlib.h>

/* Registers: R1 is the context on entry. */
#define R_TYPE	     BPF_REG_2
#define R_ACCESS     BPF_REG_3 /* what has not been allowed yet */
#define R_MAJOR	     BPF_REG_4
#define R_MINOR	     BPF_REG_5

#define PROLOGUE_LEN 6
#define RULE_MAX_LEN 8 /* three comparisons and five instructions of the verdict */
#define EPILOGUE_LEN 2

struct program {
	struct bpf_insn *insns;
	size_t len;
};

static void emit(struct program *p, uint8_t code, uint8_t dst, uint8_t src, int16_t off,
		 int32_t imm)
{
	p->insns[p->len++] = (struct bpf_insn){
		.code = code, .dst_reg = dst, .src_reg = src, .off = off, .imm = imm};
}

static void emit_load(struct program *p, uint8_t dst, size_t field)
{
	emit(p, BPF_LDX | BPF_MEM | BPF_W, dst, BPF_REG_1, (int16_t)field, 0);
}

static void emit_return(struct program *p, bool allow)
{
	emit(p, BPF_ALU64 | BPF_MOV | BPF_K, BPF_REG_0, 0, 0, allow);
	emit(p, BPF_JMP | BPF_EXIT, 0, 0, 0, 0);
}

/* A jump whose target is filled in by emit_rule, once the length of the rule is known. */
static void emit_skip_unless(struct program *p, uint8_t reg, int32_t value)
{
	emit(p, BPF_JMP | BPF_JNE | BPF_K, reg, 0, 0, value);
}

static void emit_rule(struct program *p, const struct cg_rule *r)
{
	size_t start = p->len, compared;

	if (r->type)
		emit_skip_unless(p, R_TYPE, r->type);
	if (r->major != CG_ANY)
		emit_skip_unless(p, R_MAJOR, r->major);
	if (r->minor != CG_ANY)
		emit_skip_unless(p, R_MINOR, r->minor);
	compared = p->len;
	if (r->access == CG_ACCESS_ALL) {
		emit_return(p, r->allow);
	} else if (r->allow) {
		/* What is left has to be allowed by an earlier rule. */
		emit(p, BPF_ALU64 | BPF_AND | BPF_K, R_ACCESS, 0, 0, CG_ACCESS_ALL & ~r->access);
		emit(p, BPF_JMP | BPF_JNE | BPF_K, R_ACCESS, 0, 2, 0);
		emit_return(p, true);
	} else {
		emit(p, BPF_JMP | BPF_JSET | BPF_K, R_ACCESS, 0, 1, r->access);
		emit(p, BPF_JMP | BPF_JA, 0, 0, 2, 0);
		emit_return(p, false);
	}
	for (size_t i = start; i < compared; i++)
		p->insns[i].off = (int16_t)(p->len - i - 1);
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

int cg_devices_compile(const struct cg_rules *rules, struct bpf_insn **ret, size_t *ret_len)
{
	struct program p = {0};
	size_t i = rules->len;

	p.insns = calloc(PROLOGUE_LEN + RULE_MAX_LEN * rules->len + EPILOGUE_LEN, sizeof(*p.insns));
	if (!p.insns)
		return -ENOMEM;
	emit_prologue(&p);
	/* The last rule decides, so it is asked first; nothing behind one that matches everything is reachable. */
	while (i-- > 0) {
		emit_rule(&p, &rules->items[i]);
		if (cg_rule_is_total(&rules->items[i]))
			break;
	}
	if (i == SIZE_MAX)
		emit_return(&p, false);
	*ret = p.insns;
	*ret_len = p.len;
	return 0;
}
