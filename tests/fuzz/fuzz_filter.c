// SPDX-License-Identifier: Apache-2.0
// Fuzz target: compiled system call filters, from a state directory and from an annotation. The bytes are a file, and instructions.

#include "fake_files.h"
#include "fuzz.h"

#include "spec/check_bpf.h"
#include "state/internal.h"
#include "state/store.h"

#include <errno.h>
#include <linux/bpf_common.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <unistd.h>

/* state/record.c's, which writes a file by replacing it. */
int __wrap_state_replace_file(const struct state_dir *dir, const char *name, const char *temporary,
			      const char *data, size_t len);

static char written[sizeof(struct seccomp_area) + 64];
static size_t written_len;
static struct seccomp_area area, again;

int __wrap_state_replace_file(const struct state_dir *dir, const char *name, const char *temporary,
			      const char *data, size_t len)
{
	(void)dir;
	(void)name;
	(void)temporary;
	REQUIRE(len <= sizeof(written));
	memcpy(written, data, len);
	written_len = len;
	return 0;
}

static int read_file(const void *data, size_t len, struct seccomp_area *ret)
{
	struct state_dir dir = {.id = "box"};
	int r;

	fake_begin();
	fake_add("/state/seccomp.bpf", data, len);
	dir.fd = fake_dir("/state");
	r = state_read_filter(&dir, ret);
	close(dir.fd);
	fake_end();
	REQUIRE(r == 0 || r == -EINVAL || r == -EPERM || r == -ENOENT);
	REQUIRE(r < 0 || (ret->len > 0 && ret->len <= SECCOMP_AREA_MAX));
	return r;
}

/* What was written is read as it was, and not when a byte of it is another one. */
static void round_trip(uint8_t flip)
{
	const struct state_dir dir = {.id = "box"};
	struct crun_error err;
	size_t at;

	REQUIRE(state_write_filter(&dir, &area, &err) == 0);
	REQUIRE(read_file(written, written_len, &again) == 0);
	REQUIRE(again.len == area.len && again.flags == area.flags);
	REQUIRE(memcmp(again.insns, area.insns, area.len * sizeof(area.insns[0])) == 0);
	at = (size_t)flip * 31 % written_len;
	written[at] = (char)(written[at] ^ (flip | 1));
	REQUIRE(read_file(written, written_len, &again) == -EINVAL);
}

/* Follows one way through a program that was found to be in order: each instruction is inside, and the last one returns. */
static void follow(unsigned choices)
{
	size_t pc = 0;

	for (;; choices = choices >> 1 | choices << 31) {
		struct sock_filter insn;

		REQUIRE(pc < area.len);
		memcpy(&insn, &area.insns[pc], sizeof(insn));
		if (BPF_CLASS(insn.code) == BPF_RET)
			return;
		if (BPF_CLASS(insn.code) == BPF_LD && BPF_MODE(insn.code) == BPF_ABS)
			REQUIRE(insn.k + 4 <= sizeof(struct seccomp_data));
		pc++;
		if (BPF_CLASS(insn.code) == BPF_JMP && BPF_OP(insn.code) == BPF_JA)
			pc += insn.k;
		else if (BPF_CLASS(insn.code) == BPF_JMP)
			pc += choices & 1 ? insn.jt : insn.jf;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct crun_error err;
	int r;

	(void)!read_file(data, size, &again);
	area.len = (uint32_t)(size / sizeof(area.insns[0]));
	if (area.len == 0 || area.len > SECCOMP_AREA_MAX)
		return 0;
	memcpy(area.insns, data, area.len * sizeof(area.insns[0]));
	round_trip(data[0]);
	r = check_bpf_program(area.insns, area.len, &err);
	if (r < 0) {
		fuzz_check_error(r, &err);
		return 0;
	}
	(void)bpf_program_notifies(area.insns, area.len);
	follow(0);
	follow(~0U);
	follow(data[0] * 0x01010101U);
	return 0;
}
