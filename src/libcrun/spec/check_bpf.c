// SPDX-License-Identifier: Apache-2.0
// The rules for classic BPF programs of seccomp: see check_bpf.h.
#include "spec/check_bpf.h"

#include "base/cleanup.h"

#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <string.h>

_Static_assert(sizeof(struct sock_filter) == sizeof(uint64_t), "an instruction fills one element");

/* seccomp(2): classic BPF without loads of packets; loads are words of struct seccomp_data. */
static const uint16_t codes[] = {
	BPF_LD | BPF_W | BPF_ABS,
	BPF_LD | BPF_W | BPF_LEN,
	BPF_LDX | BPF_W | BPF_LEN,
	BPF_LD | BPF_IMM,
	BPF_LDX | BPF_IMM,
	BPF_LD | BPF_MEM,
	BPF_LDX | BPF_MEM,
	BPF_ST,
	BPF_STX,
	BPF_MISC | BPF_TAX,
	BPF_MISC | BPF_TXA,
	BPF_RET | BPF_K,
	BPF_RET | BPF_A,
	BPF_JMP | BPF_JA,
	BPF_ALU | BPF_NEG,
};

/* Each with a constant (BPF_K) or the index register (BPF_X) as operand. */
static const uint16_t codes_of_two[] = {
	BPF_ALU | BPF_ADD,  BPF_ALU | BPF_SUB, BPF_ALU | BPF_MUL, BPF_ALU | BPF_DIV,
	BPF_ALU | BPF_AND,  BPF_ALU | BPF_OR,  BPF_ALU | BPF_XOR, BPF_ALU | BPF_LSH,
	BPF_ALU | BPF_RSH,  BPF_JMP | BPF_JEQ, BPF_JMP | BPF_JGE, BPF_JMP | BPF_JGT,
	BPF_JMP | BPF_JSET,
};

static bool is_known(uint16_t code)
{
	for (size_t i = 0; i < ARRAY_LEN(codes); i++) {
		if (code == codes[i])
			return true;
	}
	for (size_t i = 0; i < ARRAY_LEN(codes_of_two); i++) {
		if ((code & ~BPF_X) == codes_of_two[i])
			return true;
	}
	return false;
}

static struct sock_filter insn_at(const uint64_t *insns, size_t i)
{
	struct sock_filter insn;

	memcpy(&insn, &insns[i], sizeof(insn));
	return insn;
}

/* REST: the number of instructions behind this one. Returns NULL, or what is wrong. */
static const char *check_insn(const struct sock_filter *insn, size_t rest)
{
	if (!is_known(insn->code))
		return "is none that seccomp knows";
	switch (insn->code) {
	case BPF_LD | BPF_W | BPF_ABS:
		if (insn->k % 4 || insn->k >= sizeof(struct seccomp_data))
			return "loads from outside of struct seccomp_data";
		break;
	case BPF_LD | BPF_MEM:
	case BPF_LDX | BPF_MEM:
	case BPF_ST:
	case BPF_STX:
		if (insn->k >= BPF_MEMWORDS)
			return "uses scratch memory that there is not";
		break;
	case BPF_ALU | BPF_DIV | BPF_K:
		if (insn->k == 0)
			return "divides by zero";
		break;
	case BPF_ALU | BPF_LSH | BPF_K:
	case BPF_ALU | BPF_RSH | BPF_K:
		if (insn->k >= 32)
			return "shifts by more than 31 bits";
		break;
	case BPF_JMP | BPF_JA:
		if (insn->k >= rest)
			return "jumps out of the program";
		break;
	default:
		if (BPF_CLASS(insn->code) == BPF_JMP && (insn->jt >= rest || insn->jf >= rest))
			return "jumps out of the program";
	}
	return NULL;
}

int check_bpf_program(const uint64_t *insns, size_t len, struct crun_error *err)
{
	if (len == 0 || len > BPF_MAXINSNS)
		return err_set(err, CODE_SECCOMP_PROFILE, EINVAL,
			       "a seccomp program has 1 to %d instructions, this one has %zu",
			       BPF_MAXINSNS, len);
	for (size_t i = 0; i < len; i++) {
		struct sock_filter insn = insn_at(insns, i);
		const char *wrong = check_insn(&insn, len - 1 - i);

		if (wrong)
			return err_set(err, CODE_SECCOMP_PROFILE, EINVAL,
				       "instruction %zu (%#x) of the seccomp program %s", i,
				       insn.code, wrong);
	}
	if (BPF_CLASS(insn_at(insns, len - 1).code) != BPF_RET)
		return err_set(err, CODE_SECCOMP_PROFILE, EINVAL,
			       "the seccomp program does not end with a return");
	return 0;
}

bool bpf_program_notifies(const uint64_t *insns, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		struct sock_filter insn = insn_at(insns, i);

		if (insn.code == (BPF_RET | BPF_K) &&
		    (insn.k & SECCOMP_RET_ACTION_FULL) == SECCOMP_RET_USER_NOTIF)
			return true;
	}
	return false;
}
