// SPDX-License-Identifier: Apache-2.0
// Runs a program on a kernel that lacks system calls: "without [--errno EPERM|EACCES|EDQUOT] [--user UID:GID] CALL,... PROGRAM ARGS...".
#include <errno.h>
#include <grp.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

/* The same on every architecture since 5.0 ("unified numbers"), and missing from older headers. */
#define NR_PIDFD_SEND_SIGNAL 424
#define NR_OPEN_TREE	     428
#define NR_MOVE_MOUNT	     429
#define NR_FSOPEN	     430
#define NR_FSCONFIG	     431
#define NR_FSMOUNT	     432
#define NR_FSPICK	     433
#define NR_PIDFD_OPEN	     434
#define NR_CLONE3	     435
#define NR_CLOSE_RANGE	     436
#define NR_OPENAT2	     437
#define NR_PIDFD_GETFD	     438
#define NR_FACCESSAT2	     439
#define NR_MOUNT_SETATTR     442
#define NR_FCHMODAT2	     452
#define NR_STATMOUNT	     457
#define NR_LISTMOUNT	     458
#define NR_OPEN_TREE_ATTR    467

#define MOUNT_API	     NR_OPEN_TREE, NR_MOVE_MOUNT, NR_FSOPEN, NR_FSCONFIG, NR_FSMOUNT, NR_FSPICK
#define SINCE_6_1	     NR_STATMOUNT, NR_LISTMOUNT, NR_OPEN_TREE_ATTR, NR_FCHMODAT2
#define SINCE_5_10	     SINCE_6_1, NR_MOUNT_SETATTR
#define SINCE_5_4	     SINCE_5_10, NR_OPENAT2, NR_PIDFD_GETFD, NR_FACCESSAT2, NR_CLOSE_RANGE

#if defined(__x86_64__)
#define ARCH AUDIT_ARCH_X86_64
#elif defined(__aarch64__)
#define ARCH AUDIT_ARCH_AARCH64
#elif defined(__riscv) && __riscv_xlen == 64
#define ARCH AUDIT_ARCH_RISCV64
#elif defined(__s390x__)
#define ARCH AUDIT_ARCH_S390X
#elif defined(__powerpc64__) && defined(__LITTLE_ENDIAN__)
#define ARCH AUDIT_ARCH_PPC64LE
#endif

/* A name stands for one call, for calls that came together, or for all that came after a kernel. Lists end with 0. */
static const struct name {
	const char *name;
	int calls[24];
} names[] = {
	{"openat2", {NR_OPENAT2}},
	{"clone3", {NR_CLONE3}},
	{"close_range", {NR_CLOSE_RANGE}},
	{"faccessat2", {NR_FACCESSAT2}},
	{"fchmodat2", {NR_FCHMODAT2}},
	{"mount_setattr", {NR_MOUNT_SETATTR, NR_OPEN_TREE_ATTR}},
	{"pidfd_open", {NR_PIDFD_OPEN}},
	{"pidfd_send_signal", {NR_PIDFD_SEND_SIGNAL}},
	{"pidfd", {NR_PIDFD_OPEN, NR_PIDFD_SEND_SIGNAL, NR_PIDFD_GETFD}},
	{"signals", {NR_PIDFD_SEND_SIGNAL, SYS_kill}},
	{"statmount", {NR_STATMOUNT, NR_LISTMOUNT}},
	{"statx", {SYS_statx}},
	{"memfd_create", {SYS_memfd_create}},
	{"fsopen", {NR_FSOPEN}},
	{"move_mount", {NR_MOVE_MOUNT}},
	{"open_tree", {NR_OPEN_TREE}},
	{"mount_api", {MOUNT_API}},
	{"mount", {SYS_mount}},
	{"unshare", {SYS_unshare}},
	{"keyctl", {SYS_keyctl}},
	{"bpf", {SYS_bpf}},
	{"seccomp", {SYS_seccomp}},
	{"userfaultfd", {SYS_userfaultfd}},
	{"linux-6.1", {SINCE_6_1}},
	{"linux-5.10", {SINCE_5_10}},
	{"linux-5.4", {SINCE_5_4}},
	{"linux-5.1", {SINCE_5_4, MOUNT_API, NR_PIDFD_OPEN, NR_CLONE3}},
};

static struct sock_filter program[512];
static unsigned short len;

static void add(struct sock_filter insn)
{
	program[len++] = insn;
}

static void add_calls(const char *wanted, unsigned error)
{
	const struct name *end = names + sizeof(names) / sizeof(names[0]);
	const struct name *n = names;

	while (n < end && strcmp(n->name, wanted) != 0)
		n++;
	if (n == end) {
		fprintf(stderr, "without: unknown name '%s'; known are:", wanted);
		for (n = names; n < end; n++)
			fprintf(stderr, " %s", n->name);
		fprintf(stderr, "\n");
		exit(125);
	}
	for (const int *nr = n->calls; *nr; nr++) {
		add((struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (unsigned)*nr, 0, 1));
		add((struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | error));
	}
}

static void load(char *list, unsigned error)
{
	struct sock_fprog fprog = {.filter = program};

	add((struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS,
					 offsetof(struct seccomp_data, arch)));
	add((struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, ARCH, 1, 0));
	add((struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW));
	add((struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS,
					 offsetof(struct seccomp_data, nr)));
	while (list)
		add_calls(strsep(&list, ","), error);
	add((struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW));
	fprog.len = len;
	if (prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &fprog) == 0)
		return;
	/* An ordinary user; setuid programs such as newuidmap(1) do not work then. */
	prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
	if (prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &fprog) < 0) {
		perror("without: load the filter");
		exit(125);
	}
}

/* Whether our root is UID itself, in a user namespace of its own (unshare -r). */
static int is_root_for_itself(unsigned long uid)
{
	FILE *f = fopen("/proc/self/uid_map", "re");
	unsigned long inside, outside, count;
	int fields = f ? fscanf(f, "%lu %lu %lu", &inside, &outside, &count) : 0;

	if (f)
		fclose(f);
	return fields == 3 && inside == 0 && outside == uid && count == 1;
}

static void become(const char *user)
{
	char *colon;
	uid_t uid = (uid_t)strtoul(user, &colon, 10);

	if (geteuid() != 0 || is_root_for_itself(uid))
		return;
	if (*colon != ':' || setgroups(0, NULL) < 0 ||
	    setgid((gid_t)strtoul(colon + 1, NULL, 10)) < 0 || setuid(uid) < 0) {
		perror("without: become the user");
		exit(125);
	}
}

int main(int argc, char **argv)
{
	unsigned error = ENOSYS;
	const char *user = NULL;
	int i = 1;

	for (; i + 1 < argc && argv[i][0] == '-'; i += 2) {
		if (strcmp(argv[i], "--errno") == 0)
			error = strcmp(argv[i + 1], "EPERM") == 0    ? EPERM
				: strcmp(argv[i + 1], "EACCES") == 0 ? EACCES
				: strcmp(argv[i + 1], "EDQUOT") == 0 ? EDQUOT
								     : ENOSYS;
		else if (strcmp(argv[i], "--user") == 0)
			user = argv[i + 1];
	}
	if (i + 2 > argc) {
		fprintf(stderr,
			"usage: without [--errno EPERM|EACCES|EDQUOT] [--user UID:GID] CALL,... PROGRAM "
			"ARGS...\n");
		return 125;
	}
	load(argv[i], error);
	if (user)
		become(user);
	execv(argv[i + 1], argv + i + 1);
	perror("without: execute the program");
	return 125;
}
