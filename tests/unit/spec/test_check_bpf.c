// SPDX-License-Identifier: Apache-2.0
// Programs that seccomp takes or refuses: our verdict must be the kernel's.
#include "spec/check_bpf.h"

#include "sys/seccomp.h"

#include "../test.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

static struct crun_error err;
static uint64_t packed[BPF_MAXINSNS + 1];

static int verdict(const struct sock_filter *insns, size_t len)
{
	memcpy(packed, insns, len * sizeof(insns[0]));
	memset(&err, 0, sizeof(err));
	return check_bpf_program(packed, len, &err);
}

/* What the kernel says. The program must let exit_group pass: only its load is asked about, in a child that ends by a signal otherwise. */
static int kernels_verdict(const struct sock_filter *insns, size_t len)
{
	int pair[2], r = -EIO;
	pid_t pid;

	if (pipe2(pair, O_CLOEXEC) < 0)
		return -errno;
	pid = fork();
	if (pid == 0) {
		/* A second filter on top would hide nothing: the load itself fails or not. */
		r = prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
		r = sys_seccomp_load(insns, (unsigned short)len, 0);
		(void)!write(pair[1], &r, sizeof(r));
		_exit(0);
	}
	close(pair[1]);
	if (read(pair[0], &r, sizeof(r)) != sizeof(r))
		r = -EIO;
	close(pair[0]);
	waitpid(pid, NULL, 0);
	return r;
}

#define ALLOW BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW)

#define SAME(want, ...)                                        \
	do {                                                   \
		const struct sock_filter p_[] = {__VA_ARGS__}; \
		size_t n_ = sizeof(p_) / sizeof(p_[0]);        \
		CHECK_INT(verdict(p_, n_), (want));            \
		CHECK_INT(kernels_verdict(p_, n_), (want));    \
	} while (0)

TEST(good_programs)
{
	SAME(0, ALLOW);
	SAME(0, BPF_STMT(BPF_LD | BPF_W | BPF_ABS, 60), ALLOW);
	SAME(0, BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 0xffff, 1, 0), ALLOW, ALLOW);
	SAME(0, BPF_JUMP(BPF_JMP | BPF_JSET | BPF_X, 0, 0, 0), ALLOW);
	SAME(0, BPF_JUMP(BPF_JMP | BPF_JA, 1, 0, 0), ALLOW, ALLOW);
	SAME(0, BPF_STMT(BPF_ST, 15), BPF_STMT(BPF_LD | BPF_MEM, 15), ALLOW);
	SAME(0, BPF_STMT(BPF_LD | BPF_IMM, SECCOMP_RET_ALLOW), BPF_STMT(BPF_RET | BPF_A, 0));
	SAME(0, BPF_STMT(BPF_ALU | BPF_DIV | BPF_K, 2), BPF_STMT(BPF_ALU | BPF_RSH | BPF_K, 31),
	     BPF_STMT(BPF_MISC | BPF_TAX, 0), BPF_STMT(BPF_ALU | BPF_NEG, 0), ALLOW);
}

TEST(bad_programs)
{
	SAME(-EINVAL, BPF_STMT(BPF_LD | BPF_W | BPF_ABS, 0));
	SAME(-EINVAL, BPF_STMT(BPF_LD | BPF_W | BPF_ABS, 64), ALLOW);
	SAME(-EINVAL, BPF_STMT(BPF_LD | BPF_W | BPF_ABS, 2), ALLOW);
	SAME(-EINVAL, BPF_STMT(BPF_LD | BPF_B | BPF_ABS, 0), ALLOW);
	SAME(-EINVAL, BPF_STMT(BPF_LD | BPF_W | BPF_IND, 0), ALLOW);
	SAME(-EINVAL, BPF_STMT(BPF_LD | BPF_MEM, 16), ALLOW);
	SAME(-EINVAL, BPF_STMT(BPF_STX, 16), ALLOW);
	SAME(-EINVAL, BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 0, 1, 0), ALLOW);
	SAME(-EINVAL, BPF_JUMP(BPF_JMP | BPF_JGE | BPF_X, 0, 0, 255), ALLOW);
	SAME(-EINVAL, BPF_JUMP(BPF_JMP | BPF_JA, 1, 0, 0), ALLOW);
	SAME(-EINVAL, BPF_JUMP(BPF_JMP | BPF_JA, 0xffffffff, 0, 0), ALLOW);
	SAME(-EINVAL, BPF_STMT(BPF_ALU | BPF_DIV | BPF_K, 0), ALLOW);
	SAME(-EINVAL, BPF_STMT(BPF_ALU | BPF_LSH | BPF_K, 32), ALLOW);
	SAME(-EINVAL, BPF_STMT(BPF_ALU | BPF_MOD | BPF_K, 3), ALLOW);
	SAME(-EINVAL, BPF_STMT(0xffff, 0), ALLOW);
}

TEST(lengths)
{
	static struct sock_filter many[BPF_MAXINSNS + 1];

	for (size_t i = 0; i <= BPF_MAXINSNS; i++)
		many[i] = (struct sock_filter)ALLOW;
	CHECK_INT(verdict(many, 0), -EINVAL);
	CHECK_INT(verdict(many, BPF_MAXINSNS), 0);
	CHECK_INT(verdict(many, BPF_MAXINSNS + 1), -EINVAL);
}

TEST(who_notifies)
{
	const struct sock_filter yes[] = {BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_USER_NOTIF), ALLOW};
	const struct sock_filter no[] = {BPF_STMT(BPF_LD | BPF_IMM, SECCOMP_RET_USER_NOTIF), ALLOW};

	CHECK_INT(verdict(yes, 2), 0);
	CHECK(bpf_program_notifies(packed, 2));
	CHECK(!bpf_program_notifies(packed + 1, 1));
	CHECK_INT(verdict(no, 2), 0);
	CHECK(!bpf_program_notifies(packed, 2));
}

TEST_MAIN()
