// SPDX-License-Identifier: Apache-2.0
// Tests of the device rules: the compiled program is run by a small interpreter, v1's exceptions are evaluated as the kernel does, and both
// must answer as the rules do.
#include "cgroup/devices.h"
#include "cgroup/internal.h"
#include "sys/bpf.h"

#include "../test.h"

#include <errno.h>
#include <stdint.h>
#include <sys/stat.h>

#define C   BPF_DEVCG_DEV_CHAR
#define B   BPF_DEVCG_DEV_BLOCK
#define M   BPF_DEVCG_ACC_MKNOD
#define R   BPF_DEVCG_ACC_READ
#define W   BPF_DEVCG_ACC_WRITE
#define RWM CG_ACCESS_ALL

/* Runs PROGRAM; -1 for an instruction or a jump that should not be there. */
static int interpret(const struct bpf_insn *program, size_t len, struct bpf_cgroup_dev_ctx ctx)
{
	uint64_t reg[11] = {0};

	for (size_t pc = 0; pc < len; pc++) {
		const struct bpf_insn *i = &program[pc];
		uint64_t *dst = &reg[i->dst_reg], imm = (uint64_t)(int64_t)i->imm;
		uint32_t word;

		switch (i->code) {
		case BPF_LDX | BPF_MEM | BPF_W:
			if (i->src_reg != BPF_REG_1 || (size_t)i->off > sizeof(ctx) - 4)
				return -1;
			memcpy(&word, (const char *)&ctx + i->off, sizeof(word));
			*dst = word;
			break;
		case BPF_ALU64 | BPF_MOV | BPF_X:
			*dst = reg[i->src_reg];
			break;
		case BPF_ALU64 | BPF_MOV | BPF_K:
			*dst = imm;
			break;
		case BPF_ALU64 | BPF_AND | BPF_K:
			*dst &= imm;
			break;
		case BPF_ALU64 | BPF_RSH | BPF_K:
			*dst >>= imm;
			break;
		case BPF_ALU64 | BPF_LSH | BPF_X:
			if (reg[i->src_reg] > 63)
				return -1;
			*dst <<= reg[i->src_reg];
			break;
		case BPF_JMP | BPF_JEQ | BPF_K:
			pc += *dst == imm ? (size_t)i->off : 0;
			break;
		case BPF_JMP | BPF_JGT | BPF_K:
			pc += *dst > imm ? (size_t)i->off : 0;
			break;
		case BPF_JMP | BPF_JNE | BPF_K:
			pc += *dst != imm ? (size_t)i->off : 0;
			break;
		case BPF_JMP | BPF_JSET | BPF_K:
			pc += *dst & imm ? (size_t)i->off : 0;
			break;
		case BPF_JMP | BPF_EXIT:
			return (int)reg[0];
		default:
			return -1;
		}
	}
	return -1;
}

static int run_rules(const struct cg_rules *rules, uint8_t type, uint8_t access, uint32_t major,
		     uint32_t minor)
{
	struct bpf_cgroup_dev_ctx ctx = {(uint32_t)access << 16 | type, major, minor};
	struct bpf_insn *program;
	size_t len;
	int r;

	if (cg_devices_compile(rules, &program, &len) < 0)
		return -1;
	r = interpret(program, len, ctx);
	free(program);
	return r;
}

static struct oci_linux_device_cgroup rule(bool allow, const char *type, int64_t major,
					   int64_t minor, const char *access)
{
	return (struct oci_linux_device_cgroup){true,  allow, type,  true,
						major, true,  minor, access};
}

static struct cg_rules build(struct oci_linux_device_cgroup *devices, size_t len)
{
	struct plan_device nodes[] = {
		{.path = "/dev/fuse", .type = S_IFCHR, .major = 10, .minor = 229, .index = 0},
		{.path = "/dev/pipe", .type = S_IFIFO},
	};
	struct oci_linux_resources res = {.devices = devices, .devices_len = len};
	struct plan_cgroup plan = {.resources = &res, .devices = nodes, .devices_len = 2};
	struct cg_rules rules = {0};
	struct crun_error err;

	if (cg_rules_build(&plan, &rules, &err) < 0)
		abort();
	return rules;
}

TEST(default_rules)
{
	struct cg_rules rules = build(NULL, 0);
	static const uint32_t always[][2] = {{1, 3}, {1, 5}, {1, 7}, {1, 8},   {1, 9},
					     {5, 0}, {5, 1}, {5, 2}, {136, 0}, {136, 77}};

	for (size_t i = 0; i < ARRAY_LEN(always); i++)
		CHECK_INT(run_rules(&rules, C, RWM, always[i][0], always[i][1]), 1);
	CHECK_INT(run_rules(&rules, C, M, 4, 4), 1);
	CHECK_INT(run_rules(&rules, B, M, 8, 0), 1);
	CHECK_INT(run_rules(&rules, B, R, 8, 0), 0);
	CHECK_INT(run_rules(&rules, C, R, 1, 1), 0);	/* mem */
	CHECK_INT(run_rules(&rules, C, R, 10, 200), 0); /* tun */
	CHECK_INT(run_rules(&rules, C, R, 1, 35), 0);	/* a mask must not wrap round */
	CHECK_INT(run_rules(&rules, C, R, 1, 67), 0);
	CHECK_INT(run_rules(&rules, B, R, 1, 3), 0);	  /* numbers of null, but a block device */
	CHECK_INT(run_rules(&rules, C, RWM, 10, 229), 1); /* a node of the plan */
	cg_rules_done(&rules);
}

TEST(configuration_takes_nodes_away)
{
	struct oci_linux_device_cgroup d[] = {rule(false, NULL, -1, -1, "rwm"),
					      rule(true, "c", 10, 229, "r")};
	struct cg_rules rules = build(d, 2);

	CHECK_INT(run_rules(&rules, C, R, 10, 229), 1);
	CHECK_INT(run_rules(&rules, C, W, 10, 229), 0);
	CHECK_INT(run_rules(&rules, C, R | W, 10, 229), 0);
	CHECK_INT(run_rules(&rules, C, M, 10, 229), 1);
	CHECK_INT(run_rules(&rules, C, RWM, 1, 3), 1);
	cg_rules_done(&rules);
}

TEST(later_rules_win)
{
	struct oci_linux_device_cgroup d[] = {
		rule(true, "a", -1, -1, NULL),
		rule(false, "b", 8, -1, "w"),
		rule(true, "b", 8, 1, "w"),
		rule(false, "c", 1, 1, "rwm"),
	};
	struct cg_rules rules = build(d, 4);

	CHECK_INT(run_rules(&rules, B, R, 8, 0), 1);
	CHECK_INT(run_rules(&rules, B, R | W, 8, 0), 0);
	CHECK_INT(run_rules(&rules, B, R | W, 8, 1), 1);
	CHECK_INT(run_rules(&rules, C, R, 1, 1), 0);
	CHECK_INT(run_rules(&rules, C, RWM, 4000, 70000), 1);
	cg_rules_done(&rules);
}

/* A generator of our own, so that a failure can be repeated. */
static uint32_t state = 1;

static uint32_t pick(uint32_t n)
{
	state = state * 1664525 + 1013904223;
	return (state >> 16) % n;
}

static struct cg_rules random_rules(void)
{
	struct cg_rules rules = {0};
	uint32_t n = 1 + pick(12);

	for (uint32_t i = 0; i < n; i++) {
		static const uint8_t types[] = {0, C, B};
		struct cg_rule r = {
			.allow = pick(3) > 0,
			.type = types[pick(3)],
			.access = pick(2) ? RWM : (uint8_t)(1 + pick(7)),
			.major = (int32_t)pick(3) - 1,
			.minor = (int32_t)pick(4) - 1,
			.index = (int)i,
		};

		if (pick(4) == 0)
			r = (struct cg_rule){pick(2), 0, RWM, false, CG_ANY, CG_ANY, (int)i};
		if (cg_rules_add(&rules, &r) < 0)
			abort();
	}
	return rules;
}

/* What the rules say of one access, straight from their definition. */
static bool rules_allow(const struct cg_rules *rules, uint8_t type, uint8_t access, uint32_t major,
			uint32_t minor)
{
	for (size_t i = rules->len; i-- > 0;) {
		const struct cg_rule *r = &rules->items[i];

		if ((r->type && r->type != type) ||
		    (r->major != CG_ANY && (uint32_t)r->major != major) ||
		    (r->minor != CG_ANY && (uint32_t)r->minor != minor))
			continue;
		if (!r->allow && (r->access & access))
			return false;
		if (r->allow)
			access &= (uint8_t)~r->access;
		if (!access)
			return true;
	}
	return false;
}

#define EACH_ACCESS(type, access, major, minor)                      \
	for (uint8_t type = B; type <= C; type++)                    \
		for (uint8_t access = 1; access <= RWM; access++)    \
			for (uint32_t major = 0; major < 4; major++) \
				for (uint32_t minor = 0; minor < 4; minor++)

TEST(program_answers_as_the_rules_do)
{
	for (int i = 0; i < 300; i++) {
		struct cg_rules rules = random_rules();

		EACH_ACCESS(type, access, major, minor)
		CHECK_INT(run_rules(&rules, type, access, major, minor),
			  rules_allow(&rules, type, access, major, minor));
		cg_rules_done(&rules);
	}
}

/* The verifier's word on the same: no unreachable instruction, no jump out of the program. */
TEST(kernel_takes_programs)
{
	for (int i = 0; i < 60; i++) {
		struct cg_rules rules = random_rules();
		struct bpf_insn *program;
		size_t len;
		int fd;

		CHECK_INT(cg_devices_compile(&rules, &program, &len), 0);
		fd = sys_bpf_prog_load(BPF_PROG_TYPE_CGROUP_DEVICE, "test", program, len,
				       "Apache-2.0", NULL, 0);
		free(program);
		cg_rules_done(&rules);
		if (fd == -EPERM || fd == -ENOSYS)
			SKIP("no permission for bpf(2)");
		CHECK(fd >= 0);
		close(fd);
	}
}

/* As the kernel's devcgroup does for one kind of access. */
static bool v1_allows(bool allowed, const struct cg_rules *exceptions, uint8_t type, uint8_t access,
		      uint32_t major, uint32_t minor)
{
	for (size_t i = 0; i < exceptions->len; i++) {
		const struct cg_rule *e = &exceptions->items[i];

		if (e->type == type && (e->major == CG_ANY || (uint32_t)e->major == major) &&
		    (e->minor == CG_ANY || (uint32_t)e->minor == minor) && (e->access & access))
			return !allowed;
	}
	return allowed;
}

TEST(exceptions_answer_as_the_rules_do)
{
	int expressed = 0, refused = 0;

	for (int i = 0; i < 2000; i++) {
		struct cg_rules rules = random_rules(), exceptions;
		struct crun_error err = {0};
		bool allowed;

		if (cg_v1_exceptions(&rules, &allowed, &exceptions, &err) < 0) {
			CHECK_INT(err.kind, KIND_UNSUPPORTED);
			CHECK(strstr(err.at, "/linux/resources/devices/"));
			refused++;
			cg_rules_done(&rules);
			continue;
		}
		expressed++;
		EACH_ACCESS(type, access, major, minor)
		{
			if (access & (access - 1))
				continue;
			CHECK_INT(v1_allows(allowed, &exceptions, type, access, major, minor),
				  rules_allow(&rules, type, access, major, minor));
		}
		cg_rules_done(&exceptions);
		cg_rules_done(&rules);
	}
	CHECK(expressed > 200);
	CHECK(refused > 50);
}

TEST(v1_default_rules_are_few)
{
	struct cg_rules rules = build(NULL, 0), exceptions;
	struct crun_error err = {0};
	bool allowed = true;

	CHECK_INT(cg_v1_exceptions(&rules, &allowed, &exceptions, &err), 0);
	CHECK(!allowed);
	CHECK_INT(exceptions.len, 12);
	cg_rules_done(&exceptions);
	cg_rules_done(&rules);
}

/* Containers of an older build are deleted by a newer one, which knows their filters by these names alone. */
TEST(name_of_a_containers_filter_stays_what_it_was)
{
	struct cgroup cg = {0};

	cg_name_filter(&cg, "box", 4711);
	CHECK_STR(cg.filter_name, "crun_8c60f88281");
	cg_name_filter(&cg, "box", 4712);
	CHECK_STR(cg.filter_name, "crun_57e1b2067a");
}

TEST_MAIN()
