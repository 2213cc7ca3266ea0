// SPDX-License-Identifier: Apache-2.0
// Profiles compiled, loaded into a process, and asked what they let it do.
#include "host/seccomp_compile.h"

#include "init/seccomp_load.h"
#include "spec/check_seccomp.h"

#include "../test.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static struct crun_error err;
static struct seccomp_area *area;

static bool strict, enosys;

static int compile_text(const char *text, size_t len)
{
	struct plan_seccomp plan = {.strict = strict, .enosys = enosys};
	struct oci_arena arena = {0};
	struct oci_parse_error why;
	struct oci_config *config;
	int r;

	memset(&err, 0, sizeof(err));
	memset(area, 0, sizeof(*area));
	r = oci_config_parse("test", text, len, &arena, &config, &why);
	if (r < 0) {
		printf("# %s\n", why.text);
		return r;
	}
	r = check_seccomp(config->linux->seccomp, &err);
	plan.profile = config->linux->seccomp;
	plan.listener = plan.profile->listener_path;
	if (r == 0)
		r = seccomp_compile(&plan, area, &err);
	oci_arena_free(&arena);
	if (r < 0)
		printf("# %s (%s)\n", err.text, err.at);
	return r;
}

static int compile(const char *seccomp)
{
	char text[4096];
	int n = snprintf(text, sizeof(text),
			 "{\"ociVersion\": \"1.0.0\", \"root\": {\"path\": \"r\"}, \"linux\": "
			 "{\"seccomp\": {%s}}}",
			 seccomp);

	return compile_text(text, (size_t)n);
}

static int compile_sample(void)
{
	static char text[64 * 1024];
	char path[4096];
	const char *top = getenv("top_srcdir");
	ssize_t n;
	int fd;

	snprintf(path, sizeof(path), "%s/tests/unit/host/seccomp_profile.json", top ? top : ".");
	fd = open(path, O_RDONLY | O_CLOEXEC);
	n = fd < 0 ? -1 : read(fd, text, sizeof(text));
	close(fd);
	return n < 0 ? -errno : compile_text(text, (size_t)n);
}

/* Runs CHECKS under the compiled filter. Returns its value, -SIGNAL when it was killed, -1000 if the filter failed. */
static int under_filter(int (*checks)(void))
{
	int status = 0;
	pid_t pid;

	fflush(stdout);
	pid = fork();
	if (pid == 0) {
		if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
			_exit(99);
		if (init_seccomp_load(area, &err) < 0)
			_exit(98);
		syscall(SYS_exit_group, checks());
	}
	if (waitpid(pid, &status, 0) < 0)
		return -1000;
	if (WIFSIGNALED(status))
		return -WTERMSIG(status);
	return WEXITSTATUS(status) >= 98 ? -1000 : WEXITSTATUS(status);
}

/* True when the call failed with the errno E, 0 meaning that it succeeded. */
static bool gives(long r, int e)
{
	return e == 0 ? r >= 0 : r < 0 && errno == e;
}

static int check_sample(void)
{
	if (!gives(syscall(SYS_getppid), 0))
		return 1;
	if (!gives(mount("none", "/nonexistent", "tmpfs", 0, NULL), EPERM))
		return 2;
	if (!gives(syscall(SYS_unshare, 0), EPERM))
		return 3;
	if (!gives(syscall(SYS_clone3, NULL, 0), ENOSYS))
		return 4;
	/* Neither allowed nor named: the default. */
	if (!gives(syscall(SYS_keyctl, 0, 0, 0, 0, 0), EPERM))
		return 5;
	if (!gives(syscall(SYS_personality, 0xffffffffUL), 0))
		return 6;
	if (!gives(syscall(SYS_personality, 0x40000UL), EPERM))
		return 7;
	/* No new namespace, but a new process. */
	if (!gives(syscall(SYS_clone, (unsigned long)(CLONE_NEWUTS | SIGCHLD), NULL), EPERM))
		return 8;
	switch (fork()) {
	case -1:
		return 9;
	case 0:
		syscall(SYS_exit_group, 0);
	}
	return 0;
}

TEST(a_profile_like_the_engines)
{
	CHECK_INT(compile_sample(), 0);
	CHECK(area->len > 100 && area->len <= SECCOMP_AREA_MAX);
	CHECK_INT(area->flags, 1 << 1); /* LOG */
	CHECK_INT(area->listener, 0);
#ifdef __x86_64__
	CHECK_INT(under_filter(check_sample), 0);
#else
	SKIP("the sample is written for x86-64");
#endif
}

#ifdef __x86_64__
/* The call getpid of the 32 bit ABI, by its own gate. */
static int call_i386_getpid(void)
{
	long r = 20;

	__asm__ volatile("int $0x80" : "+a"(r) : : "memory", "r8", "r9", "r10", "r11");
	return r > 0 ? 0 : 1;
}

TEST(other_architectures_are_closed_unless_listed)
{
	CHECK_INT(compile("\"defaultAction\": \"SCMP_ACT_ALLOW\", \"architectures\": "
			  "[\"SCMP_ARCH_X86_64\"]"),
		  0);
	CHECK_INT(under_filter(call_i386_getpid), -SIGSYS);
	CHECK_INT(compile("\"defaultAction\": \"SCMP_ACT_ALLOW\", \"architectures\": "
			  "[\"SCMP_ARCH_X86_64\", \"SCMP_ARCH_X86\"]"),
		  0);
	if (under_filter(call_i386_getpid) == -SIGSEGV)
		SKIP("this kernel runs no 32 bit programs");
	CHECK_INT(under_filter(call_i386_getpid), 0);
}
#endif

TEST(every_architecture_is_accepted)
{
	char list[1024] = "", text[1200];

	for (int i = 1; i <= OCI_SECCOMP_ARCH_LAST; i++) {
		snprintf(list + strlen(list), sizeof(list) - strlen(list), "%s\"%s\"",
			 i > 1 ? ", " : "", oci_seccomp_arch_name((enum oci_seccomp_arch)i));
	}
	snprintf(text, sizeof(text),
		 "\"defaultAction\": \"SCMP_ACT_ALLOW\", \"architectures\": [%s]", list);
	CHECK_INT(compile(text), 0);
}

#define ALLOW		  "\"defaultAction\": \"SCMP_ACT_ALLOW\", "
#define RULE(name, rest)  "{\"names\": [\"" name "\"], " rest "}"
#define DENY(n)		  "\"action\": \"SCMP_ACT_ERRNO\", \"errnoRet\": " #n
#define ARG(i, op, value) "{\"index\": " #i ", \"op\": \"SCMP_CMP_" op "\", \"value\": " #value "}"

/* fcntl(-1, n): EBADF when it is let through. */
static int fcntl_answer(long command)
{
	return gives(syscall(SYS_fcntl, -1, command, 0), EBADF) ? 0 : errno;
}

static int tried_commands[3], expected_answers[3];

static int check_commands(void)
{
	for (int i = 0; i < 3; i++) {
		if (fcntl_answer(tried_commands[i]) != expected_answers[i])
			return i + 1;
	}
	return 0;
}

static int try_operator(const char *op, const char *value, int a, int b, int c)
{
	char text[512];

	snprintf(text, sizeof(text),
		 ALLOW "\"syscalls\": [{\"names\": [\"fcntl\"], " DENY(
			 77) ", \"args\": "
			     "[{\"index\": 1, \"op\": \"SCMP_CMP_%s\", %s}]}]",
		 op, value);
	if (compile(text) < 0)
		return -1;
	for (int i = 0; i < 3; i++)
		tried_commands[i] = i + 1;
	expected_answers[0] = a ? 77 : 0;
	expected_answers[1] = b ? 77 : 0;
	expected_answers[2] = c ? 77 : 0;
	return under_filter(check_commands);
}

TEST(operators)
{
	/* Commands 1, 2 and 3 against 2. */
	CHECK_INT(try_operator("EQ", "\"value\": 2", 0, 1, 0), 0);
	CHECK_INT(try_operator("NE", "\"value\": 2", 1, 0, 1), 0);
	CHECK_INT(try_operator("LT", "\"value\": 2", 1, 0, 0), 0);
	CHECK_INT(try_operator("LE", "\"value\": 2", 1, 1, 0), 0);
	CHECK_INT(try_operator("GE", "\"value\": 2", 0, 1, 1), 0);
	CHECK_INT(try_operator("GT", "\"value\": 2", 0, 0, 1), 0);
	CHECK_INT(try_operator("MASKED_EQ", "\"value\": 2, \"valueTwo\": 2", 0, 1, 1), 0);
	CHECK_INT(try_operator("MASKED_EQ", "\"value\": 2, \"valueTwo\": 0", 1, 0, 0), 0);
}

static int check_two_args(void)
{
	/* Both must hold: argument 1 is 3 and argument 2 is 9. */
	if (!gives(syscall(SYS_fcntl, -1, 3, 9), 77))
		return 1;
	if (!gives(syscall(SYS_fcntl, -1, 3, 8), EBADF))
		return 2;
	return gives(syscall(SYS_fcntl, -1, 1, 9), EBADF) ? 0 : 3;
}

TEST(conditions_on_different_arguments_must_all_hold)
{
	CHECK_INT(compile(ALLOW "\"syscalls\": [" RULE(
			  "fcntl",
			  DENY(77) ", \"args\": [" ARG(1, "EQ", 3) ", " ARG(2, "EQ", 9) "]") "]"),
		  0);
	CHECK_INT(under_filter(check_two_args), 0);
}

static int check_same_arg(void)
{
	if (!gives(syscall(SYS_fcntl, -1, 1, 0), 77) || !gives(syscall(SYS_fcntl, -1, 3, 0), 77))
		return 1;
	return gives(syscall(SYS_fcntl, -1, 2, 0), EBADF) ? 0 : 2;
}

TEST(conditions_on_the_same_argument_are_alternatives)
{
	CHECK_INT(compile(ALLOW "\"syscalls\": [" RULE(
			  "fcntl",
			  DENY(77) ", \"args\": [" ARG(1, "EQ", 1) ", " ARG(1, "EQ", 3) "]") "]"),
		  0);
	CHECK_INT(under_filter(check_same_arg), 0);
}

static int call_getppid(void)
{
	return gives(syscall(SYS_getppid), 0) ? 0 : errno;
}

TEST(actions)
{
	CHECK_INT(compile(ALLOW
			  "\"syscalls\": [" RULE("getppid", "\"action\": \"SCMP_ACT_ERRNO\"") "]"),
		  0);
	CHECK_INT(under_filter(call_getppid), EPERM);
	CHECK_INT(compile(ALLOW
			  "\"syscalls\": [" RULE("getppid", "\"action\": \"SCMP_ACT_KILL\"") "]"),
		  0);
	CHECK_INT(under_filter(call_getppid), -SIGSYS);
	CHECK_INT(compile(ALLOW "\"syscalls\": [" RULE(
			  "getppid", "\"action\": \"SCMP_ACT_KILL_PROCESS\"") "]"),
		  0);
	CHECK_INT(under_filter(call_getppid), -SIGSYS);
	CHECK_INT(compile(ALLOW
			  "\"syscalls\": [" RULE("getppid", "\"action\": \"SCMP_ACT_TRAP\"") "]"),
		  0);
	CHECK_INT(under_filter(call_getppid), -SIGSYS);
	/* Without a tracer the call does not exist. */
	CHECK_INT(compile(ALLOW
			  "\"syscalls\": [" RULE("getppid", "\"action\": \"SCMP_ACT_TRACE\"") "]"),
		  0);
	CHECK_INT(under_filter(call_getppid), ENOSYS);
	CHECK_INT(compile(ALLOW
			  "\"syscalls\": [" RULE("getppid", "\"action\": \"SCMP_ACT_LOG\"") "]"),
		  0);
	CHECK_INT(under_filter(call_getppid), 0);
}

TEST(default_action_and_rules_that_repeat_it)
{
	CHECK_INT(
		compile("\"defaultAction\": \"SCMP_ACT_ERRNO\", \"defaultErrnoRet\": 38, "
			"\"syscalls\": [" RULE("exit_group", "\"action\": \"SCMP_ACT_ALLOW\"") ", " RULE(
				"getppid", DENY(38)) ", " RULE("no_such_call", DENY(1)) "]"),
		0);
	CHECK_INT(under_filter(call_getppid), ENOSYS);
}

TEST(the_same_rule_twice)
{
	CHECK_INT(compile(ALLOW "\"syscalls\": [" RULE("getppid", DENY(77)) ", " RULE(
			  "getppid", DENY(77)) "]"),
		  0);
	CHECK_INT(under_filter(call_getppid), 77);
}

TEST(flags)
{
	CHECK_INT(compile("\"defaultAction\": \"SCMP_ACT_ALLOW\", \"flags\": "
			  "[\"SECCOMP_FILTER_FLAG_TSYNC\", \"SECCOMP_FILTER_FLAG_SPEC_ALLOW\", "
			  "\"SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV\"]"),
		  0);
	CHECK_INT(area->flags, 1 << 2); /* SPEC_ALLOW */
	CHECK_INT(under_filter(call_getppid), 0);
}

TEST(a_listener_is_handed_out)
{
	int status = 0;
	pid_t pid;

	CHECK_INT(compile(ALLOW "\"listenerPath\": \"/run/x\", \"syscalls\": [" RULE(
			  "getppid", "\"action\": \"SCMP_ACT_NOTIFY\"") "]"),
		  0);
	CHECK_INT(area->listener, 1);
	pid = fork();
	if (pid == 0) {
		int fd;

		prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
		fd = init_seccomp_load(area, &err);
		_exit(fd > 2 && fcntl(fd, F_GETFD) == FD_CLOEXEC ? 0 : 1);
	}
	CHECK_INT(waitpid(pid, &status, 0), pid);
	CHECK_INT(status, 0);
}

TEST(strict_profiles_name_nothing_unknown)
{
	strict = true;
	CHECK_INT(compile(ALLOW "\"syscalls\": [" RULE("no_such_call", DENY(1)) "]"), -EINVAL);
	CHECK_STR(err.at, "/linux/seccomp/syscalls/0/names/0");
	/* In a rule that changes nothing too. */
	CHECK_INT(compile(ALLOW "\"syscalls\": [" RULE("no_such_call",
						       "\"action\": \"SCMP_ACT_ALLOW\"") "]"),
		  -EINVAL);
	CHECK_INT(compile(ALLOW "\"syscalls\": [" RULE("getppid", DENY(1)) "]"), 0);
	strict = false;
}

/* A made-up program is asked what it answers to a system call, without one being made. */
static uint32_t answer_of(uint32_t arch, uint32_t nr)
{
	uint32_t acc = 0;

	for (uint32_t pc = 0; pc < area->len; pc++) {
		struct sock_filter i;

		memcpy(&i, &area->insns[pc], sizeof(i));
		switch (i.code) {
		case BPF_LD | BPF_W | BPF_ABS:
			acc = i.k == 0 ? nr : i.k == 4 ? arch : 0;
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
	return 0;
}

#define NO_CALL (SECCOMP_RET_ERRNO | ENOSYS)
#define REFUSED (SECCOMP_RET_ERRNO | EPERM)
#define OTHER_ARCHS \
	"[\"SCMP_ARCH_X86_64\", \"SCMP_ARCH_X86\", \"SCMP_ARCH_X32\", \"SCMP_ARCH_AARCH64\"]"

/* Named: getppid (110, 64 on i386, 173 on aarch64), openat2 (437 everywhere). */
static int compile_list(const char *default_action, const char *newest)
{
	char text[1024];

	snprintf(text, sizeof(text),
		 "\"defaultAction\": \"%s\", \"architectures\": " OTHER_ARCHS
		 ", \"syscalls\": [{\"names\": [\"getppid\", \"%s\"], \"action\": "
		 "\"SCMP_ACT_ALLOW\"}]",
		 default_action, newest);
	return compile(text);
}

#ifdef __x86_64__
TEST(calls_newer_than_the_profile_do_not_exist)
{
	static const struct {
		uint32_t arch, newest, getppid;
	} cases[] = {
		{AUDIT_ARCH_X86_64, 437, 110},
		{AUDIT_ARCH_I386, 437, 64},
		{AUDIT_ARCH_X86_64, 0x40000000 + 437, 0x40000000 + 110},
		{AUDIT_ARCH_AARCH64, 437, 173},
	};

	enosys = true;
	CHECK_INT(compile_list("SCMP_ACT_ERRNO", "openat2"), 0);
	for (size_t i = 0; i < 4; i++) {
		CHECK_INT(answer_of(cases[i].arch, cases[i].newest + 1), NO_CALL);
		CHECK_INT(answer_of(cases[i].arch, cases[i].newest + 1000), NO_CALL);
		CHECK_INT(answer_of(cases[i].arch, cases[i].newest), SECCOMP_RET_ALLOW);
		CHECK_INT(answer_of(cases[i].arch, cases[i].newest - 1), REFUSED);
		CHECK_INT(answer_of(cases[i].arch, cases[i].getppid), SECCOMP_RET_ALLOW);
	}
	/* Each architecture has a ceiling of its own: getppid is the newest that is named. */
	CHECK_INT(compile_list("SCMP_ACT_ERRNO", "getppid"), 0);
	CHECK_INT(answer_of(AUDIT_ARCH_X86_64, 111), NO_CALL);
	CHECK_INT(answer_of(AUDIT_ARCH_X86_64, 109), REFUSED);
	CHECK_INT(answer_of(AUDIT_ARCH_I386, 65), NO_CALL);
	CHECK_INT(answer_of(AUDIT_ARCH_AARCH64, 173), SECCOMP_RET_ALLOW);
	CHECK_INT(answer_of(AUDIT_ARCH_AARCH64, 172), REFUSED);
	/* An architecture that is not listed is killed as before, whatever the number. */
	CHECK_INT(answer_of(AUDIT_ARCH_S390X, 5000), SECCOMP_RET_KILL_THREAD);
	enosys = false;
}

TEST(without_being_asked_or_without_a_list_nothing_is_answered_so)
{
	CHECK_INT(compile_list("SCMP_ACT_ERRNO", "openat2"), 0);
	CHECK_INT(answer_of(AUDIT_ARCH_X86_64, 438), REFUSED);
	enosys = true;
	CHECK_INT(compile_list("SCMP_ACT_LOG", "openat2"), 0);
	CHECK_INT(answer_of(AUDIT_ARCH_X86_64, 438), SECCOMP_RET_LOG);
	CHECK_INT(compile_list("SCMP_ACT_KILL_PROCESS", "openat2"), 0);
	CHECK_INT(answer_of(AUDIT_ARCH_X86_64, 438), SECCOMP_RET_KILL_PROCESS);
	enosys = false;
}
#endif

TEST(every_architecture_is_in_the_program)
{
	/* A filter for one architecture answers it; those that libseccomp does not know are left out. */
	static const struct {
		const char *name;
		uint32_t arch;
	} known[] = {
		{"X86", AUDIT_ARCH_I386},
		{"X86_64", AUDIT_ARCH_X86_64},
		{"ARM", AUDIT_ARCH_ARM},
		{"AARCH64", AUDIT_ARCH_AARCH64},
		{"MIPSEL", AUDIT_ARCH_MIPSEL},
		{"MIPSEL64", AUDIT_ARCH_MIPSEL64},
		{"MIPSEL64N32", AUDIT_ARCH_MIPSEL64N32},
		{"PPC64LE", AUDIT_ARCH_PPC64LE},
		{"RISCV64", AUDIT_ARCH_RISCV64},
		{"MIPS", AUDIT_ARCH_MIPS},
		{"MIPS64", AUDIT_ARCH_MIPS64},
		{"MIPS64N32", AUDIT_ARCH_MIPS64N32},
		{"PPC", AUDIT_ARCH_PPC},
		{"PPC64", AUDIT_ARCH_PPC64},
		{"S390", AUDIT_ARCH_S390},
		{"S390X", AUDIT_ARCH_S390X},
		{"PARISC", AUDIT_ARCH_PARISC},
		{"PARISC64", AUDIT_ARCH_PARISC64},
	};

	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
		char text[256];
		/* libseccomp makes no program for both byte orders. */
		bool same_order = !(known[i].arch & __AUDIT_ARCH_LE) ==
				  (__BYTE_ORDER__ == __ORDER_BIG_ENDIAN__);

		snprintf(text, sizeof(text),
			 "\"defaultAction\": \"SCMP_ACT_ALLOW\", \"architectures\": "
			 "[\"SCMP_ARCH_%s\"], \"syscalls\": [" RULE("getpid", DENY(77)) "]",
			 known[i].name);
		CHECK_INT(compile(text), 0);
		if (answer_of(known[i].arch, 0xfff) !=
		    (same_order ? SECCOMP_RET_ALLOW : SECCOMP_RET_KILL_THREAD))
			TEST_FAIL("%s", known[i].name);
	}
}

TEST(too_large_is_an_error)
{
	static char text[256 * 1024];
	size_t n = 0;

	n += (size_t)snprintf(text, sizeof(text),
			      "{\"ociVersion\": \"1.0.0\", \"root\": {\"path\": \"r\"}, \"linux\": "
			      "{\"seccomp\": {" ALLOW "\"syscalls\": [");
	for (int i = 0; i < 1500; i++)
		n += (size_t)snprintf(text + n, sizeof(text) - n,
				      "%s{\"names\": [\"fcntl\"], \"action\": \"SCMP_ACT_KILL\", "
				      "\"args\": [{\"index\": 2, \"op\": \"SCMP_CMP_EQ\", "
				      "\"value\": %llu}]}",
				      i ? ", " : "",
				      (unsigned long long)(i + 1) << 32 | (unsigned)i);
	n += (size_t)snprintf(text + n, sizeof(text) - n, "]}}}");
	CHECK_INT(compile_text(text, n), -E2BIG);
	CHECK_INT(err.kind, KIND_SPEC);
}

TEST(an_area_that_is_no_program_is_refused)
{
	memset(area, 0, sizeof(*area));
	CHECK(init_seccomp_load(area, &err) < 0);
	CHECK_INT(err.kind, KIND_INTERNAL);
	area->len = SECCOMP_AREA_MAX + 1;
	CHECK(init_seccomp_load(area, &err) < 0);
	CHECK_INT(err.kind, KIND_INTERNAL);
}

int main(void)
{
	area = mmap(NULL, sizeof(*area), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	return area == MAP_FAILED ? 1 : test_run_all();
}
