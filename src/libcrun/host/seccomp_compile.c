// SPDX-License-Identifier: Apache-2.0
// linux.seccomp turned into a BPF program: see seccomp_compile.h.
#include "host/seccomp_compile.h"

#include <errno.h>

#ifndef HAVE_SECCOMP

int seccomp_compile(const struct oci_linux_seccomp *profile, struct seccomp_area *area,
		    struct crun_error *err)
{
	(void)profile;
	(void)area;
	err_set(err, KIND_UNSUPPORTED, EOPNOTSUPP,
		"this build has no seccomp support: remove the profile from the configuration, or "
		"use a build with libseccomp");
	return err_at(err, "/linux/seccomp");
}

#else

#include "base/cleanup.h"
#include "base/log.h"
#include "host/seccomp_dl.h"
#include "sys/anon.h"
#include "sys/io.h"
#include "sys/seccomp.h"

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

struct compiler {
	struct seccomp_library lib;
	scmp_filter_ctx ctx;
	uint32_t default_action;
	bool notifies;
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

/* TSYNC is about other threads: init has none. */
static const uint32_t flag_bits[] = {
	[OCI_SECCOMP_FLAG_TSYNC] = 0,
	[OCI_SECCOMP_FLAG_LOG] = SECCOMP_FILTER_FLAG_LOG,
	[OCI_SECCOMP_FLAG_SPEC_ALLOW] = SECCOMP_FILTER_FLAG_SPEC_ALLOW,
	[OCI_SECCOMP_FLAG_WAIT_KILLABLE_RECV] = SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV,
};
_Static_assert(ARRAY_LEN(flag_bits) == OCI_SECCOMP_FLAG_LAST + 1, "a flag is missing");

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
			r = c->lib.rule_add_array(c->ctx, action, nr, 1, args);
		}
		return r;
	}
	for (size_t i = 0; i < rule->args_len; i++)
		args[i] = condition_of(&rule->args[i]);
	return c->lib.rule_add_array(c->ctx, action, nr, (unsigned)rule->args_len, args);
}

static int add_rule(struct compiler *c, const struct oci_linux_syscall *rule, size_t index,
		    struct crun_error *err)
{
	uint32_t action = action_of(rule->action, rule->has_errno_ret, rule->errno_ret);
	int nr, r;

	/* It changes nothing, and the library refuses such rules. */
	if (action == c->default_action)
		return 0;
	c->notifies |= rule->action == OCI_SECCOMP_ACTION_NOTIFY;
	for (size_t i = 0; i < rule->names_len; i++) {
		nr = c->lib.resolve_name(rule->names[i]);
		if (nr == __NR_SCMP_ERROR) {
			log_debug("seccomp: unknown system call `%s` is left out", rule->names[i]);
			continue;
		}
		r = add_call(c, rule, action, nr);
		/* A rule that is there already. */
		if (r == 0 || r == -EEXIST)
			continue;
		err_sys(err, r, "add a seccomp rule for `%s`", rule->names[i]);
		return err_at(err, "/linux/seccomp/syscalls/%zu/names/%zu", index, i);
	}
	return 0;
}

static int add_archs(struct compiler *c, const struct oci_linux_seccomp *profile,
		     struct crun_error *err)
{
	int r;

	/* The native one is there from the start, whether listed or not: without it nothing could run at all. */
	for (size_t i = 0; i < profile->architectures_len; i++) {
		enum oci_seccomp_arch arch = profile->architectures[i];

		r = c->lib.arch_add(c->ctx, arch_tokens[arch]);
		if (r == 0 || r == -EEXIST)
			continue;
		/* Not known to this version, or of the other byte order: no program of it can run here. */
		if (r == -EINVAL || r == -EDOM) {
			log_warning("seccomp: libseccomp does not know %s here, it is left out",
				    oci_seccomp_arch_name(arch));
			continue;
		}
		err_sys(err, r, "add %s to the seccomp filter", oci_seccomp_arch_name(arch));
		return err_at(err, "/linux/seccomp/architectures/%zu", i);
	}
	return 0;
}

static int set_attributes(struct compiler *c, struct crun_error *err)
{
	int r;

	/* no_new_privs is process.noNewPrivileges' affair. */
	r = c->lib.attr_set(c->ctx, SCMP_FLTATR_CTL_NNP, 0);
	if (r < 0)
		return err_sys(err, r, "set up the seccomp filter");
	r = c->lib.attr_set(c->ctx, SCMP_FLTATR_CTL_OPTIMIZE, OPTIMIZE_TREE);
	if (r < 0)
		log_debug("seccomp: libseccomp does not build trees: %s", err_describe(-r));
	return 0;
}

static int export(struct compiler *c, struct seccomp_area *area, struct crun_error *err)
{
	_cleanup_close_ int fd = sys_memfd_create("seccomp-program", MFD_NOEXEC_SEAL);
	struct stat st;
	ssize_t n;
	int r;

	if (fd < 0)
		return err_sys(err, fd, "make a file for the seccomp program");
	r = c->lib.export_bpf(c->ctx, fd);
	if (r < 0)
		return err_sys(err, r, "compile the seccomp filter");
	if (fstat(fd, &st) < 0)
		return err_sys(err, -errno, "fstat of the seccomp program");
	if ((uint64_t)st.st_size > sizeof(area->insns))
		return err_set(err, KIND_SPEC, E2BIG,
			       "the seccomp filter needs %llu instructions, the kernel takes %u: "
			       "use fewer rules or architectures",
			       (unsigned long long)st.st_size / sizeof(area->insns[0]),
			       SECCOMP_AREA_MAX);
	if (lseek(fd, 0, SEEK_SET) < 0)
		return err_sys(err, -errno, "lseek of the seccomp program");
	n = io_read_full(fd, area->insns, sizeof(area->insns));
	if (n < 0)
		return err_sys(err, (int)n, "read the seccomp program");
	if (n == 0 || n % (ssize_t)sizeof(area->insns[0]) != 0)
		return err_set(err, KIND_INTERNAL, EIO, "libseccomp wrote %zd bytes of program", n);
	area->len = (uint32_t)((size_t)n / sizeof(area->insns[0]));
	return 0;
}

static uint32_t flags_of(const struct oci_linux_seccomp *profile, bool notifies)
{
	uint32_t flags = 0;

	for (size_t i = 0; i < profile->flags_len; i++)
		flags |= flag_bits[profile->flags[i]];
	/* The kernel refuses it where there is nobody to wait for. */
	if (!notifies)
		flags &= ~(uint32_t)SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV;
	return flags;
}

static int compile(struct compiler *c, const struct oci_linux_seccomp *profile,
		   struct seccomp_area *area, struct crun_error *err)
{
	int r;

	r = set_attributes(c, err);
	if (r < 0)
		return r;
	r = add_archs(c, profile, err);
	if (r < 0)
		return r;
	for (size_t i = 0; i < profile->syscalls_len; i++) {
		r = add_rule(c, &profile->syscalls[i], i, err);
		if (r < 0)
			return r;
	}
	r = export(c, area, err);
	if (r < 0)
		return r;
	area->listener = c->notifies;
	area->flags = flags_of(profile, c->notifies);
	return 0;
}

int seccomp_compile(const struct oci_linux_seccomp *profile, struct seccomp_area *area,
		    struct crun_error *err)
{
	struct compiler c = {0};
	int r;

	r = seccomp_library_load(&c.lib, err);
	if (r < 0)
		return err_at(err, "/linux/seccomp");
	c.default_action = action_of(profile->default_action, profile->has_default_errno_ret,
				     profile->default_errno_ret);
	c.notifies = profile->default_action == OCI_SECCOMP_ACTION_NOTIFY;
	c.ctx = c.lib.init(c.default_action);
	if (!c.ctx) {
		err_set(err, KIND_UNSUPPORTED, EINVAL,
			"libseccomp does not take %s as default action",
			oci_seccomp_action_name(profile->default_action));
		return err_at(err, "/linux/seccomp/defaultAction");
	}
	r = compile(&c, profile, area, err);
	c.lib.release(c.ctx);
	return r < 0 ? err_at(err, "/linux/seccomp") : 0;
}

#endif
