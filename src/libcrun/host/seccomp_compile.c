// SPDX-License-Identifier: Apache-2.0
// linux.seccomp turned into a BPF program: see seccomp_compile.h.
#include "host/seccomp_compile.h"

#include "base/cleanup.h"
#include "sys/seccomp.h"

#include <libocispec/oci.h>

#include <errno.h>
#include <string.h>

#ifndef HAVE_SECCOMP

static int compile_profile(const struct plan_seccomp *plan, struct seccomp_area *area,
			   struct crun_error *err)
{
	(void)plan;
	(void)area;
	err_set(err, CODE_SECCOMP_LIBRARY, EOPNOTSUPP,
		"this build has no seccomp support: remove the profile from the configuration, or "
		"use a build with libseccomp");
	return err_at(err, "/linux/seccomp");
}

#else

#include "base/log.h"
#include "host/seccomp_dl.h"
#include "host/seccomp_join.h"
#include "host/seccomp_stub.h"
#include "sys/anon.h"
#include "sys/io.h"

#include <sys/stat.h>

/* libseccomp 2.6. The values are the kernel's AUDIT_ARCH_, so an older library refuses them by itself. */
#ifndef SCMP_ARCH_LOONGARCH64
#define SCMP_ARCH_LOONGARCH64 0xc0000102U
#endif
#ifndef SCMP_ARCH_M68K
#define SCMP_ARCH_M68K 4U
#endif
#ifndef SCMP_ARCH_SH
#define SCMP_ARCH_SH   0x4000002aU
#define SCMP_ARCH_SHEB 42U
#endif

/* SCMP_FLTATR_CTL_OPTIMIZE: system calls in a binary tree, so that a call costs log(n) comparisons instead of n. */
#define OPTIMIZE_TREE 2

#define ARGS_MAX      6

/*
 * Short of memory, libseccomp (2.5.4) may report success for a filter in which rules are missing or go astray. A failed malloc(3) leaves
 * ENOMEM in errno, a successful one does not touch it.
 */
#define WITH_MEMORY(call)                       \
	({                                      \
		int r_;                         \
		errno = 0;                      \
		r_ = (call);                    \
		errno == ENOMEM ? -ENOMEM : r_; \
	})

struct compiler {
	struct seccomp_library lib;
	scmp_filter_ctx ctx;
	uint32_t default_action;
	bool strict, warned;
	bool told; /* what is left out was said */
	uint32_t archs[OCI_SECCOMP_ARCH_LAST +
		       1]; /* tokens: the native one and those that were added */
	size_t archs_len;
};

static const uint32_t arch_tokens[] = {
	[OCI_SECCOMP_ARCH_X86] = SCMP_ARCH_X86,
	[OCI_SECCOMP_ARCH_X86_64] = SCMP_ARCH_X86_64,
	[OCI_SECCOMP_ARCH_X32] = SCMP_ARCH_X32,
	[OCI_SECCOMP_ARCH_ARM] = SCMP_ARCH_ARM,
	[OCI_SECCOMP_ARCH_AARCH64] = SCMP_ARCH_AARCH64,
	[OCI_SECCOMP_ARCH_LOONGARCH64] = SCMP_ARCH_LOONGARCH64,
	[OCI_SECCOMP_ARCH_M68K] = SCMP_ARCH_M68K,
	[OCI_SECCOMP_ARCH_MIPS] = SCMP_ARCH_MIPS,
	[OCI_SECCOMP_ARCH_MIPS64] = SCMP_ARCH_MIPS64,
	[OCI_SECCOMP_ARCH_MIPS64N32] = SCMP_ARCH_MIPS64N32,
	[OCI_SECCOMP_ARCH_MIPSEL] = SCMP_ARCH_MIPSEL,
	[OCI_SECCOMP_ARCH_MIPSEL64] = SCMP_ARCH_MIPSEL64,
	[OCI_SECCOMP_ARCH_MIPSEL64N32] = SCMP_ARCH_MIPSEL64N32,
	[OCI_SECCOMP_ARCH_PPC] = SCMP_ARCH_PPC,
	[OCI_SECCOMP_ARCH_PPC64] = SCMP_ARCH_PPC64,
	[OCI_SECCOMP_ARCH_PPC64LE] = SCMP_ARCH_PPC64LE,
	[OCI_SECCOMP_ARCH_S390] = SCMP_ARCH_S390,
	[OCI_SECCOMP_ARCH_S390X] = SCMP_ARCH_S390X,
	[OCI_SECCOMP_ARCH_SH] = SCMP_ARCH_SH,
	[OCI_SECCOMP_ARCH_SHEB] = SCMP_ARCH_SHEB,
	[OCI_SECCOMP_ARCH_PARISC] = SCMP_ARCH_PARISC,
	[OCI_SECCOMP_ARCH_PARISC64] = SCMP_ARCH_PARISC64,
	[OCI_SECCOMP_ARCH_RISCV64] = SCMP_ARCH_RISCV64,
};
_Static_assert(ARRAY_LEN(arch_tokens) == OCI_SECCOMP_ARCH_LAST + 1, "an architecture is missing");

static const enum scmp_compare operators[] = {
	[OCI_SECCOMP_OPERATOR_NE] = SCMP_CMP_NE,
	[OCI_SECCOMP_OPERATOR_LT] = SCMP_CMP_LT,
	[OCI_SECCOMP_OPERATOR_LE] = SCMP_CMP_LE,
	[OCI_SECCOMP_OPERATOR_EQ] = SCMP_CMP_EQ,
	[OCI_SECCOMP_OPERATOR_GE] = SCMP_CMP_GE,
	[OCI_SECCOMP_OPERATOR_GT] = SCMP_CMP_GT,
	[OCI_SECCOMP_OPERATOR_MASKED_EQ] = SCMP_CMP_MASKED_EQ,
};
_Static_assert(ARRAY_LEN(operators) == OCI_SECCOMP_OPERATOR_LAST + 1, "an operator is missing");

static uint32_t action_of(enum oci_seccomp_action action, bool has_errno, uint32_t errno_ret)
{
	uint32_t value = has_errno ? errno_ret : EPERM;

	switch (action) {
	case OCI_SECCOMP_ACTION_KILL_PROCESS:
		return SCMP_ACT_KILL_PROCESS;
	case OCI_SECCOMP_ACTION_TRAP:
		return SCMP_ACT_TRAP;
	case OCI_SECCOMP_ACTION_ERRNO:
		return SCMP_ACT_ERRNO(value);
	case OCI_SECCOMP_ACTION_TRACE:
		return SCMP_ACT_TRACE(value);
	case OCI_SECCOMP_ACTION_ALLOW:
		return SCMP_ACT_ALLOW;
	case OCI_SECCOMP_ACTION_LOG:
		return SCMP_ACT_LOG;
	case OCI_SECCOMP_ACTION_NOTIFY:
		return SCMP_ACT_NOTIFY;
	case OCI_SECCOMP_ACTION_UNSET:
	case OCI_SECCOMP_ACTION_KILL:
	case OCI_SECCOMP_ACTION_KILL_THREAD:
		break;
	}
	return SCMP_ACT_KILL_THREAD;
}

static struct scmp_arg_cmp condition_of(const struct oci_linux_seccomp_arg *arg)
{
	return (struct scmp_arg_cmp){
		.arg = arg->index,
		.op = operators[arg->op],
		/* For MASKED_EQ: the mask, then what must remain. */
		.datum_a = arg->value,
		.datum_b = arg->value_two,
	};
}

static bool same_argument_twice(const struct oci_linux_syscall *rule)
{
	unsigned seen = 0;

	for (size_t i = 0; i < rule->args_len; i++) {
		unsigned bit = 1U << rule->args[i].index;

		if (seen & bit)
			return true;
		seen |= bit;
	}
	return false;
}

/* One system call of one rule. Returns 0 or a negative errno of the library. */
static int add_call(struct compiler *c, const struct oci_linux_syscall *rule, uint32_t action,
		    int nr)
{
	struct scmp_arg_cmp args[ARGS_MAX];
	int r = 0;

	if (same_argument_twice(rule)) {
		for (size_t i = 0; r == 0 && i < rule->args_len; i++) {
			args[0] = condition_of(&rule->args[i]);
			r = WITH_MEMORY(c->lib.rule_add_array(c->ctx, action, nr, 1, args));
		}
		return r;
	}
	for (size_t i = 0; i < rule->args_len; i++)
		args[i] = condition_of(&rule->args[i]);
	return WITH_MEMORY(
		c->lib.rule_add_array(c->ctx, action, nr, (unsigned)rule->args_len, args));
}

static int add_rule(struct compiler *c, const struct oci_linux_syscall *rule, size_t index,
		    struct crun_error *err)
{
	uint32_t action = action_of(rule->action, rule->has_errno_ret, rule->errno_ret);
	int nr, r;

	for (size_t i = 0; i < rule->names_len; i++) {
		nr = c->lib.resolve_name(rule->names[i]);
		if (nr == __NR_SCMP_ERROR && c->strict) {
			err_set(err, CODE_SECCOMP_SYSCALL, EINVAL,
				"libseccomp knows no system call `%s`, and the annotation " SECCOMP_ANNOTATION_STRICT
				" makes that an error",
				rule->names[i]);
			return err_at(err, "/linux/seccomp/syscalls/%zu/names/%zu", index, i);
		}
		if (nr == __NR_SCMP_ERROR) {
			if (!c->told)
				log_debug("seccomp: unknown system call `%s` is left out",
					  rule->names[i]);
			continue;
		}
		/* It changes nothing, and the library refuses such rules. */
		if (action == c->default_action)
			continue;
		r = add_call(c, rule, action, nr);
		/* A rule that is there already. */
		if (r == 0 || r == -EEXIST)
			continue;
		err_sys_code(err, CODE_SECCOMP_PROFILE, r, "add a seccomp rule for `%s`",
			     rule->names[i]);
		return err_at(err, "/linux/seccomp/syscalls/%zu/names/%zu", index, i);
	}
	return 0;
}

static int add_archs(struct compiler *c, const struct oci_linux_seccomp *profile,
		     struct crun_error *err)
{
	int r;

	/* The native one is there from the start, whether listed or not: without it nothing could run at all. */
	c->archs[c->archs_len++] = c->lib.arch_native();
	for (size_t i = 0; i < profile->architectures_len; i++) {
		enum oci_seccomp_arch arch = profile->architectures[i];

		r = WITH_MEMORY(c->lib.arch_add(c->ctx, arch_tokens[arch]));
		if (r == -EEXIST)
			continue;
		if (r == 0) {
			c->archs[c->archs_len++] = arch_tokens[arch];
			continue;
		}
		/* Not known to this version, or of the other byte order: no program of it can run here. */
		if (r == -EINVAL || r == -EDOM) {
			log_warning("seccomp: libseccomp does not know %s here, it is left out",
				    oci_seccomp_arch_name(arch));
			c->warned = true;
			continue;
		}
		err_sys_code(err, CODE_SECCOMP_PROFILE, r, "add %s to the seccomp filter",
			     oci_seccomp_arch_name(arch));
		return err_at(err, "/linux/seccomp/architectures/%zu", i);
	}
	return 0;
}

static int add_rules(struct compiler *c, const struct oci_linux_seccomp *profile,
		     struct crun_error *err)
{
	for (size_t i = 0; i < profile->syscalls_len; i++) {
		int r = add_rule(c, &profile->syscalls[i], i, err);

		if (r < 0)
			return r;
	}
	c->told = true;
	return 0;
}

/* A new filter, for the native architecture. */
static int begin_filter(struct compiler *c, const struct oci_linux_seccomp *profile,
			struct crun_error *err)
{
	int r;

	errno = 0;
	c->ctx = c->lib.init(c->default_action);
	if (!c->ctx && errno == ENOMEM)
		return err_sys(err, -ENOMEM, "set up the seccomp filter");
	if (!c->ctx) {
		err_set(err, KIND_UNSUPPORTED, EINVAL,
			"libseccomp does not take %s as default action",
			oci_seccomp_action_name(profile->default_action));
		err_code(err, CODE_SECCOMP_PROFILE);
		return err_at(err, "/linux/seccomp/defaultAction");
	}
	/* no_new_privs is process.noNewPrivileges' affair. */
	r = WITH_MEMORY(c->lib.attr_set(c->ctx, SCMP_FLTATR_CTL_NNP, 0));
	if (r < 0)
		return err_sys_code(err, CODE_SECCOMP_PROFILE, r, "set up the seccomp filter");
	r = WITH_MEMORY(c->lib.attr_set(c->ctx, SCMP_FLTATR_CTL_OPTIMIZE, OPTIMIZE_TREE));
	if (r == -ENOMEM)
		return err_sys_code(err, CODE_SECCOMP_PROFILE, r, "set up the seccomp filter");
	if (r < 0)
		log_debug("seccomp: libseccomp does not build trees: %s", err_describe(-r));
	return 0;
}

static void end_filter(struct compiler *c)
{
	if (c->ctx)
		c->lib.release(c->ctx);
	c->ctx = NULL;
}

/* Puts the program into AREA, AT instructions from its beginning, and sets the area's length to where it ends. */
static int export(struct compiler *c, struct seccomp_area *area, size_t at, struct crun_error *err)
{
	_cleanup_close_ int fd = sys_anon_file("seccomp-program");
	const size_t size = sizeof(area->insns) - at * sizeof(area->insns[0]);
	struct stat st;
	ssize_t n;
	int r;

	if (fd < 0)
		return err_sys(err, fd, "make a file for the seccomp program");
	r = WITH_MEMORY(c->lib.export_bpf(c->ctx, fd));
	if (r < 0)
		return err_sys_code(err, CODE_SECCOMP_PROFILE, r, "compile the seccomp filter");
	if (fstat(fd, &st) < 0)
		return err_sys(err, -errno, "fstat of the seccomp program");
	if ((uint64_t)st.st_size > size)
		return err_set(err, CODE_SECCOMP_PROFILE, E2BIG,
			       "the seccomp filter needs %llu instructions, the kernel takes %u: "
			       "use fewer rules or architectures",
			       at + (unsigned long long)st.st_size / sizeof(area->insns[0]),
			       SECCOMP_AREA_MAX);
	if (lseek(fd, 0, SEEK_SET) < 0)
		return err_sys(err, -errno, "lseek of the seccomp program");
	n = io_read_full(fd, area->insns + at, size);
	if (n < 0)
		return err_sys(err, (int)n, "read the seccomp program");
	if (n == 0 || n % (ssize_t)sizeof(area->insns[0]) != 0)
		return err_set(err, KIND_INTERNAL, EIO, "libseccomp wrote %zd bytes of program", n);
	area->len = (uint32_t)(at + (size_t)n / sizeof(area->insns[0]));
	return 0;
}

static bool is_x32(uint32_t arch)
{
	return arch == SCMP_ARCH_X32;
}

/* What the kernel calls it: the numbers alone tell x32 from x86-64. */
static uint32_t audit_arch(uint32_t arch)
{
	return is_x32(arch) ? SCMP_ARCH_X86_64 : arch;
}

/* The highest number that the profile names on the architecture, or -1. Numbers below zero are libseccomp's own. */
static int find_highest(const struct compiler *c, const struct oci_linux_seccomp *profile,
			uint32_t arch)
{
	int highest = -1;

	for (size_t i = 0; i < profile->syscalls_len; i++) {
		const struct oci_linux_syscall *rule = &profile->syscalls[i];

		for (size_t k = 0; k < rule->names_len; k++) {
			int nr = c->lib.resolve_name_arch(arch, rule->names[k]);

			highest = nr > highest ? nr : highest;
		}
	}
	return highest;
}

/* Only for lists of what is allowed: where the default is not an errno, new calls are meant to be let through, or to kill. */
static int add_stub(struct compiler *c, const struct oci_linux_seccomp *profile,
		    struct seccomp_area *area, struct crun_error *err)
{
	struct seccomp_ceiling ceilings[ARRAY_LEN(c->archs)];
	size_t n = 0;

	if (profile->default_action != OCI_SECCOMP_ACTION_ERRNO)
		return 0;
	for (size_t i = 0; i < c->archs_len; i++) {
		bool x32 = is_x32(c->archs[i]);
		int highest = find_highest(c, profile, c->archs[i]);

		if (highest < 0)
			continue;
		ceilings[n++] = (struct seccomp_ceiling){
			.audit_arch = audit_arch(c->archs[i]),
			.x32 = x32,
			.highest = (uint32_t)highest | (x32 ? SECCOMP_STUB_X32_BIT : 0),
		};
	}
	return seccomp_stub_prepend(area, ceilings, n, err);
}

/* The program of the I-th architecture alone. */
static int compile_part(struct compiler *c, const struct oci_linux_seccomp *profile, size_t i,
			struct seccomp_area *area, size_t at, struct crun_error *err)
{
	scmp_filter_ctx whole = c->ctx;
	int r = begin_filter(c, profile, err);

	if (r == 0 && i > 0) {
		r = WITH_MEMORY(c->lib.arch_add(c->ctx, c->archs[i]));
		if (r == 0)
			r = WITH_MEMORY(c->lib.arch_remove(c->ctx, c->archs[0]));
		if (r < 0)
			err_sys_code(err, CODE_SECCOMP_PROFILE, r, "set up the seccomp filter");
	}
	if (r == 0)
		r = add_rules(c, profile, err);
	if (r == 0)
		r = export(c, area, at, err);
	end_filter(c);
	c->ctx = whole;
	return r;
}

/* Each architecture by itself: see seccomp_join.h. */
static int compile_parts(struct compiler *c, const struct oci_linux_seccomp *profile,
			 struct seccomp_area *area, struct crun_error *err)
{
	struct seccomp_part parts[ARRAY_LEN(c->archs)];
	size_t at;

	for (size_t i = 0; i < c->archs_len; i++) {
		parts[i] = (struct seccomp_part){
			.audit_arch = audit_arch(c->archs[i]),
			.x32 = is_x32(c->archs[i]),
		};
	}
	at = seccomp_join_room(parts, c->archs_len);
	for (size_t i = 0; i < c->archs_len; i++) {
		int r = compile_part(c, profile, i, area, at, err);

		if (r < 0)
			return r;
		parts[i].at = at;
		parts[i].len = area->len - at;
		at = area->len;
	}
	seccomp_join(area, parts, c->archs_len);
	return 0;
}

static int compile_whole(struct compiler *c, const struct oci_linux_seccomp *profile,
			 struct seccomp_area *area, struct crun_error *err)
{
	int r = add_rules(c, profile, err);

	return r < 0 ? r : export(c, area, 0, err);
}

static int compile(struct compiler *c, const struct plan_seccomp *plan, struct seccomp_area *area,
		   struct crun_error *err)
{
	const struct oci_linux_seccomp *profile = plan->profile;
	int r = begin_filter(c, profile, err);

	if (r == 0)
		r = add_archs(c, profile, err);
	if (r < 0)
		return r;
	r = c->archs_len > 1 ? compile_parts(c, profile, area, err) : -E2BIG;
	/* What does not fit in parts may as a whole, by some instructions that are shared. */
	if (r == -E2BIG)
		r = compile_whole(c, profile, area, err);
	if (r < 0 || !plan->enosys)
		return r;
	return add_stub(c, profile, area, err);
}

static int compile_profile(const struct plan_seccomp *plan, struct seccomp_area *area,
			   struct crun_error *err)
{
	const struct oci_linux_seccomp *profile = plan->profile;
	struct compiler c = {.strict = plan->strict};
	int r;

	r = seccomp_library_load(&c.lib, err);
	if (r < 0)
		return err_at(err, "/linux/seccomp");
	c.default_action = action_of(profile->default_action, profile->has_default_errno_ret,
				     profile->default_errno_ret);
	r = compile(&c, plan, area, err);
	end_filter(&c);
	area->warned = c.warned;
	return r < 0 ? err_at(err, "/linux/seccomp") : 0;
}

#endif

/* TSYNC is about other threads: the payload has none, and the one that init has beside it must stay free (init/last/filtered.c). */
static const uint32_t flag_bits[] = {
	[OCI_SECCOMP_FLAG_TSYNC] = 0,
	[OCI_SECCOMP_FLAG_LOG] = SECCOMP_FILTER_FLAG_LOG,
	[OCI_SECCOMP_FLAG_SPEC_ALLOW] = SECCOMP_FILTER_FLAG_SPEC_ALLOW,
	[OCI_SECCOMP_FLAG_WAIT_KILLABLE_RECV] = SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV,
};
_Static_assert(ARRAY_LEN(flag_bits) == OCI_SECCOMP_FLAG_LAST + 1, "a flag is missing");

static uint32_t flags_of(const struct plan_seccomp *plan)
{
	uint32_t flags = 0;

	for (size_t i = 0; plan->profile && i < plan->profile->flags_len; i++)
		flags |= flag_bits[plan->profile->flags[i]];
	/* The kernel refuses it where there is nobody to wait for. */
	if (!plan->listener)
		flags &= ~(uint32_t)SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV;
	return flags;
}

void seccomp_set_flags(const struct plan_seccomp *plan, struct seccomp_area *area)
{
	area->flags = flags_of(plan);
	area->listener = plan->listener != NULL;
}

int seccomp_compile(const struct plan_seccomp *plan, struct seccomp_area *area,
		    struct crun_error *err)
{
	if (plan->program) {
		/* check_bpf_program() has seen that it fits. */
		memcpy(area->insns, plan->program, plan->program_len * sizeof(area->insns[0]));
		area->len = (uint32_t)plan->program_len;
	} else {
		int r = compile_profile(plan, area, err);

		if (r < 0)
			return r;
	}
	seccomp_set_flags(plan, area);
	return 0;
}
