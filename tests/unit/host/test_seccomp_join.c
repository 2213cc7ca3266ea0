// SPDX-License-Identifier: Apache-2.0
// Filters of single architectures put together: each call gets the answer of its own, the same as of libseccomp's filter for all.
#include "host/seccomp_compile.h"
#include "host/seccomp_join.h"
#include "spec/check_seccomp.h"

#include "../test.h"

#include <errno.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stdbool.h>
#include <string.h>

#define X32_BIT 0x40000000U

static struct seccomp_area joined, whole;
static struct crun_error err;

static uint32_t answer(const struct seccomp_area *area, const struct seccomp_data *call)
{
	uint32_t acc = 0;

	for (uint32_t pc = 0; pc < area->len; pc++) {
		struct sock_filter i;

		memcpy(&i, &area->insns[pc], sizeof(i));
		switch (i.code) {
		case BPF_LD | BPF_W | BPF_ABS:
			memcpy(&acc, (const char *)call + i.k, sizeof(acc));
			break;
		case BPF_ALU | BPF_AND | BPF_K:
			acc &= i.k;
			break;
		case BPF_JMP | BPF_JA:
			pc += i.k;
			break;
		case BPF_JMP | BPF_JEQ | BPF_K:
			pc += acc == i.k ? i.jt : i.jf;
			break;
		case BPF_JMP | BPF_JGE | BPF_K:
			pc += acc >= i.k ? i.jt : i.jf;
			break;
		case BPF_JMP | BPF_JGT | BPF_K:
			pc += acc > i.k ? i.jt : i.jf;
			break;
		case BPF_RET | BPF_K:
			return i.k;
		default:
			printf("# instruction %#x\n", i.code);
			return 0xdead;
		}
	}
	return 0xbeef;
}

static uint32_t answer_to(uint32_t arch, uint32_t nr)
{
	const struct seccomp_data call = {.arch = arch, .nr = (int)nr};

	return answer(&joined, &call);
}

/* Parts of two instructions, the first of which is skipped: a part that is entered at its end gives another answer. */
static void join(struct seccomp_part *parts, size_t len)
{
	size_t at = seccomp_join_room(parts, len);

	memset(&joined, 0, sizeof(joined));
	for (size_t i = 0; i < len; i++) {
		struct sock_filter insns[] = {
			BPF_STMT(BPF_JMP | BPF_JA, 1),
			BPF_STMT(BPF_RET | BPF_K, 1),
			BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | (uint32_t)(100 + i)),
		};

		parts[i].at = at;
		parts[i].len = 3;
		memcpy(&joined.insns[at], insns, sizeof(insns));
		at += 3;
	}
	seccomp_join(&joined, parts, len);
	CHECK_INT(joined.len, at);
}

#define PART(n) (SECCOMP_RET_ERRNO | (100 + (n)))

TEST(each_architecture_has_its_part)
{
	struct seccomp_part parts[] = {
		{.audit_arch = AUDIT_ARCH_AARCH64},
		{.audit_arch = AUDIT_ARCH_ARM},
		{.audit_arch = AUDIT_ARCH_S390X},
	};

	join(parts, 3);
	CHECK_INT(joined.len, 2 + 3 * 2 + 3 * 3);
	CHECK_INT(answer_to(AUDIT_ARCH_AARCH64, 0), PART(0));
	CHECK_INT(answer_to(AUDIT_ARCH_AARCH64, X32_BIT), PART(0));
	CHECK_INT(answer_to(AUDIT_ARCH_ARM, 7), PART(1));
	CHECK_INT(answer_to(AUDIT_ARCH_S390X, UINT32_MAX), PART(2));
	CHECK_INT(answer_to(AUDIT_ARCH_X86_64, 0), SECCOMP_RET_KILL_THREAD);
	CHECK_INT(answer_to(0, 0), SECCOMP_RET_KILL_THREAD);
}

TEST(numbers_tell_x32_from_x86_64)
{
	static const bool orders[][3] = {{false, true, false}, {true, false, false}};

	for (size_t i = 0; i < 2; i++) {
		struct seccomp_part parts[] = {
			{.audit_arch = AUDIT_ARCH_X86_64, .x32 = orders[i][0]},
			{.audit_arch = AUDIT_ARCH_I386},
			{.audit_arch = AUDIT_ARCH_X86_64, .x32 = orders[i][1]},
		};
		uint32_t low = orders[i][0] ? PART(2) : PART(0);
		uint32_t high = orders[i][0] ? PART(0) : PART(2);

		join(parts, 3);
		CHECK_INT(answer_to(AUDIT_ARCH_X86_64, 0), low);
		CHECK_INT(answer_to(AUDIT_ARCH_X86_64, X32_BIT - 1), low);
		CHECK_INT(answer_to(AUDIT_ARCH_X86_64, X32_BIT), high);
		CHECK_INT(answer_to(AUDIT_ARCH_X86_64, UINT32_MAX), high);
		CHECK_INT(answer_to(AUDIT_ARCH_I386, X32_BIT), PART(1));
		CHECK_INT(answer_to(AUDIT_ARCH_ARM, 0), SECCOMP_RET_KILL_THREAD);
	}
}

#if defined(HAVE_SECCOMP) && defined(__x86_64__)

#include "host/seccomp_dl.h"
#include "sys/anon.h"
#include "sys/io.h"

#include <unistd.h>

static const char *const allowed[] = {"read",	    "openat2",	    "socket", "clock_gettime64",
				      "socketcall", "rt_sigreturn", "semop",  "getuid32",
				      "arch_prctl", "_llseek",	    "futex",  "execveat"};

/* The filter for all three by libseccomp alone. */
static int compile_whole(void)
{
	struct seccomp_library lib;
	const struct scmp_arg_cmp one[] = {{.arg = 0, .op = SCMP_CMP_EQ, .datum_a = 8}};
	const struct scmp_arg_cmp mask[] = {
		{.arg = 1, .op = SCMP_CMP_MASKED_EQ, .datum_a = 0x7e020000, .datum_b = 0}};
	scmp_filter_ctx ctx;
	int fd = sys_anon_file("test"), r;
	ssize_t n;

	r = seccomp_library_load(&lib, &err);
	if (r < 0 || fd < 0)
		return -1;
	ctx = lib.init(SCMP_ACT_ERRNO(1));
	r = lib.arch_add(ctx, SCMP_ARCH_X86) | lib.arch_add(ctx, SCMP_ARCH_X32);
	for (size_t i = 0; i < sizeof(allowed) / sizeof(allowed[0]); i++)
		r |= lib.rule_add_array(ctx, SCMP_ACT_ALLOW, lib.resolve_name(allowed[i]), 0, NULL);
	r |= lib.rule_add_array(ctx, SCMP_ACT_ALLOW, lib.resolve_name("personality"), 1, one);
	r |= lib.rule_add_array(ctx, SCMP_ACT_ALLOW, lib.resolve_name("clone"), 1, mask);
	r |= lib.rule_add_array(ctx, SCMP_ACT_ERRNO(38), lib.resolve_name("clone3"), 0, NULL);
	r |= lib.export_bpf(ctx, fd);
	lib.release(ctx);
	lseek(fd, 0, SEEK_SET);
	n = io_read_full(fd, whole.insns, sizeof(whole.insns));
	close(fd);
	whole.len = n > 0 ? (uint32_t)((size_t)n / sizeof(whole.insns[0])) : 0;
	return r || n <= 0 ? -1 : 0;
}

static int compile_joined(void)
{
	char text[4096];
	size_t n = (size_t)snprintf(
		text, sizeof(text),
		"{\"ociVersion\": \"1.0.0\", \"root\": {\"path\": \"r\"}, \"linux\": {\"seccomp\": "
		"{\"defaultAction\": \"SCMP_ACT_ERRNO\", \"architectures\": [\"SCMP_ARCH_X86\", "
		"\"SCMP_ARCH_X32\"], \"syscalls\": [{\"names\": [\"personality\"], \"action\": "
		"\"SCMP_ACT_ALLOW\", \"args\": [{\"index\": 0, \"op\": \"SCMP_CMP_EQ\", \"value\": "
		"8}]}, {\"names\": [\"clone\"], \"action\": \"SCMP_ACT_ALLOW\", \"args\": "
		"[{\"index\": 1, \"op\": \"SCMP_CMP_MASKED_EQ\", \"value\": 2114060288, "
		"\"valueTwo\": 0}]}, {\"names\": [\"clone3\"], \"action\": \"SCMP_ACT_ERRNO\", "
		"\"errnoRet\": 38}, {\"action\": \"SCMP_ACT_ALLOW\", \"names\": [");
	struct plan_seccomp plan = {0};
	struct oci_arena arena = {0};
	struct oci_parse_error why;
	struct oci_config *config;
	int r;

	for (size_t i = 0; i < sizeof(allowed) / sizeof(allowed[0]); i++)
		n += (size_t)snprintf(text + n, sizeof(text) - n, "%s\"%s\"", i ? ", " : "",
				      allowed[i]);
	n += (size_t)snprintf(text + n, sizeof(text) - n, "]}]}}}");
	r = oci_config_parse("test", text, n, &arena, &config, &why);
	if (r == 0) {
		plan.profile = config->linux->seccomp;
		r = seccomp_compile(&plan, &joined, &err);
	}
	oci_arena_free(&arena);
	return r;
}

TEST(the_answers_are_those_of_one_filter_for_all)
{
	static const uint32_t archs[] = {AUDIT_ARCH_X86_64, AUDIT_ARCH_I386, AUDIT_ARCH_AARCH64, 0};
	static const uint32_t bases[] = {0, X32_BIT, X32_BIT - 300, 0x80000000U, UINT32_MAX - 599};
	static const uint64_t values[] = {0, 1, 8, 1ULL << 32 | 8, 0x7e020000, ~0ULL};
	unsigned kinds[3] = {0};

	CHECK_INT(compile_whole(), 0);
	CHECK_INT(compile_joined(), 0);
	for (size_t i = 0; i < sizeof(archs) / sizeof(archs[0]); i++) {
		for (uint32_t k = 0; k < 5 * 600 * 6 * 2; k++) {
			struct seccomp_data call = {.arch = archs[i],
						    .nr = (int)(bases[k % 5] + k / 5 % 600)};
			uint32_t want;

			call.args[k / 3000 % 2] = values[k / 6000];
			want = answer(&whole, &call);
			if (answer(&joined, &call) != want)
				TEST_FAIL("architecture %#x, call %#x", archs[i],
					  (unsigned)call.nr);
			kinds[want == SECCOMP_RET_ALLOW		? 0
			      : want == SECCOMP_RET_KILL_THREAD ? 1
								: 2]++;
		}
	}
	CHECK(kinds[0] > 0 && kinds[1] > 0 && kinds[2] > 0);
}

#endif

TEST_MAIN()
