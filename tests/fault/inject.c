// SPDX-License-Identifier: Apache-2.0
// Runs a program, and makes one system call of one of its processes fail, or the process die there; see usage() and README.md.
#include <elf.h>
#include <errno.h>
#include <grp.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>

#define PROCESSES      256
#define PATH_SIZE      32
#define PHASE_SIZE     40
#define CODE_RANGES    16
#define STOPPED_FOR_US 150000

/* The dynamic loader's calls before main() are nobody's, and those that a sanitizer makes for itself never are the program's. */
enum owner { LOADER, SANITIZER };

enum action { ACT_NOTHING, ACT_RETURN, ACT_KILL, ACT_STOP };

struct process {
	pid_t pid;
	char path[PATH_SIZE]; /* "0" is the program, "0.2" the second process that it makes */
	char phase[PHASE_SIZE];
	unsigned children;
	bool known;  /* where it comes from */
	bool begun;  /* past the dynamic loader's own calls */
	bool faulty; /* this call's result is to be replaced */
	bool inside; /* between the entry of a call and its end */
	uint64_t nr;
};

static struct {
	struct process list[PROCESSES];
	size_t len;
	/* What was asked for. */
	const char *path, *phase;
	uint64_t nr, number;
	enum action action;
	long value;
	bool run_it; /* the call takes place, and its result is replaced */
	FILE *record;
	/* What happened. */
	uint64_t seen;
	bool fired;
	pid_t main_pid;
	int main_status;
	struct code_range {
		uint64_t begin, end;
		enum owner owner;
	} code[CODE_RANGES];
	size_t code_len;
	bool sanitizers_noted;
} all;

static pid_t stopped;

static void fail(const char *what)
{
	fprintf(stderr, "inject: %s: %s\n", what, strerror(errno));
	exit(125);
}

/* ---- processes ---- */

static struct process *find(pid_t pid)
{
	for (size_t i = 0; i < all.len; i++)
		if (all.list[i].pid == pid)
			return &all.list[i];
	return NULL;
}

static struct process *find_or_add(pid_t pid)
{
	struct process *p = find(pid);

	if (p)
		return p;
	p = find(0);
	if (!p) {
		if (all.len == PROCESSES) {
			errno = E2BIG;
			fail("processes");
		}
		p = &all.list[all.len++];
	}
	*p = (struct process){.pid = pid};
	return p;
}

static void forget(pid_t pid)
{
	struct process *p = find(pid);

	if (p)
		*p = (struct process){0};
}

/* The kernel may report the child's first stop before the parent's event, or after. */
static void name_child(struct process *parent, pid_t pid)
{
	struct process *child = find_or_add(pid);

	if (child->known)
		return;
	child->known = child->begun = true;
	snprintf(child->phase, sizeof(child->phase), "birth");
	if (snprintf(child->path, sizeof(child->path), "%s.%u", parent->path, ++parent->children) >=
	    (int)sizeof(child->path)) {
		errno = ENAMETOOLONG;
		fail("processes of processes");
	}
}

/* ---- the loader, and sanitizers ---- */

static void note_code(pid_t pid, enum owner owner)
{
	char path[64], line[512], first[512] = "";
	FILE *maps;

	snprintf(path, sizeof(path), "/proc/%d/maps", (int)pid);
	maps = fopen(path, "re");
	while (maps && fgets(line, sizeof(line), maps)) {
		char *after, *name = strchr(line, '/');
		unsigned long long begin = strtoull(line, &after, 16), end;
		bool is_theirs;

		if (*after != '-' || !name)
			continue;
		end = strtoull(after + 1, &after, 16);
		name[strcspn(name, "\n")] = '\0';
		if (!first[0])
			snprintf(first, sizeof(first), "%s", name);
		is_theirs = strstr(name, "/libasan.so") || strstr(name, "/libubsan.so");
		/* Right after the execve nothing is mapped but the program and its loader. */
		if (owner == LOADER)
			is_theirs = strcmp(name, first) != 0;
		if (!is_theirs || strncmp(after, " r-x", 4) != 0 || all.code_len == CODE_RANGES)
			continue;
		all.code[all.code_len++] = (struct code_range){begin, end, owner};
	}
	if (maps)
		fclose(maps);
}

static bool is_code_of(enum owner owner, uint64_t address)
{
	for (size_t i = 0; i < all.code_len; i++)
		if (all.code[i].owner == owner && address >= all.code[i].begin &&
		    address < all.code[i].end)
			return true;
	return false;
}

/* Whether it is the program, or a library in its name, that makes this call. */
static bool is_programs(struct process *p, uint64_t address)
{
	if (!p->begun && is_code_of(LOADER, address))
		return false;
	/* The loader has mapped what the program needs before it runs any of it. */
	if (!all.sanitizers_noted)
		note_code(p->pid, SANITIZER);
	all.sanitizers_noted = true;
	if (is_code_of(SANITIZER, address))
		return false;
	p->begun = true;
	return true;
}

/* ---- phases ---- */

static void read_memory(pid_t pid, uint64_t address, char *buf, size_t size)
{
	struct iovec ours = {buf, size}, theirs = {(void *)(uintptr_t)address, size};

	/* A read that would go past the end of the mapping returns what there is. */
	if (size && process_vm_readv(pid, &ours, 1, &theirs, 1, 0) < 0)
		memset(buf, 0, size);
}

/* What the runtime logs is how we know where it is: "host: PHASE", "host: exec PHASE", "init: DOMAIN.PHASE", "undo: PHASE". */
static void look_for_phase(struct process *p, const char *text, size_t len)
{
	static const char *const words[] = {"host: ", "undo: ", "init: "};

	for (size_t w = 0; w < sizeof(words) / sizeof(words[0]); w++) {
		const char *at = memmem(text, len, words[w], 6);
		bool host = strcmp(p->path, "0") == 0;
		size_t n = 0;

		/* The host side passes on what init says. */
		if (!at || host == (w == 2))
			continue;
		at += 6;
		if (text + len - at > 5 && memcmp(at, "exec ", 5) == 0)
			at += 5;
		while (at + n < text + len && n < PHASE_SIZE - 6 && at[n] > ' ' && at[n] != '"')
			n++;
		if (at + n < text + len && at[n] == ' ')
			continue;
		snprintf(p->phase, sizeof(p->phase), "%s%.*s", w == 1 ? "undo." : "", (int)n, at);
		return;
	}
}

static void follow_phase(struct process *p, uint64_t nr, const uint64_t *args)
{
	char text[256] = "";
	struct msghdr message;
	struct iovec parts[4] = {0};
	size_t len = 0;

	if (nr == SYS_write || nr == SYS_sendto) {
		len = args[2] < sizeof(text) ? args[2] : sizeof(text);
		read_memory(p->pid, args[1], text, len);
		look_for_phase(p, text, len);
		return;
	}
	if (nr == SYS_sendmsg) {
		read_memory(p->pid, args[1], (char *)&message, sizeof(message));
	} else if (nr == SYS_writev) {
		message.msg_iov = (void *)(uintptr_t)args[1];
		message.msg_iovlen = args[2];
	} else {
		return;
	}
	if (message.msg_iovlen > 4)
		message.msg_iovlen = 4;
	read_memory(p->pid, (uintptr_t)message.msg_iov, (char *)parts,
		    message.msg_iovlen * sizeof(parts[0]));
	for (size_t i = 0; i < message.msg_iovlen; i++) {
		size_t part = parts[i].iov_len;

		if (part > sizeof(text) - len)
			part = sizeof(text) - len;
		read_memory(p->pid, (uintptr_t)parts[i].iov_base, text + len, part);
		len += part;
	}
	look_for_phase(p, text, len);
}

/* ---- the fault ---- */

static void skip_call(pid_t pid)
{
#if defined(__x86_64__)
	if (ptrace(PTRACE_POKEUSER, pid, offsetof(struct user_regs_struct, orig_rax), -1L) < 0)
		fail("skip a call");
#elif defined(__aarch64__)
	int none = -1;
	struct iovec io = {&none, sizeof(none)};

	if (ptrace(PTRACE_SETREGSET, pid, NT_ARM_SYSTEM_CALL, &io) < 0)
		fail("skip a call");
#else
	(void)pid;
	errno = ENOSYS;
	fail("skip a call");
#endif
}

static void set_result(pid_t pid, long value)
{
#if defined(__x86_64__)
	if (ptrace(PTRACE_POKEUSER, pid, offsetof(struct user_regs_struct, rax), value) < 0)
		fail("set a result");
#elif defined(__aarch64__)
	struct user_regs_struct regs;
	struct iovec io = {&regs, sizeof(regs)};

	if (ptrace(PTRACE_GETREGSET, pid, NT_PRSTATUS, &io) < 0)
		fail("read a result");
	regs.regs[0] = (unsigned long long)value;
	if (ptrace(PTRACE_SETREGSET, pid, NT_PRSTATUS, &io) < 0)
		fail("set a result");
#else
	(void)pid, (void)value;
#endif
}

static void go_on_after_stop(int number)
{
	(void)number;
	kill(stopped, SIGCONT);
}

static void inflict(struct process *p)
{
	all.fired = true;
	if (all.action == ACT_KILL) {
		kill(p->pid, SIGKILL);
	} else if (all.action == ACT_STOP) {
		struct itimerval soon = {.it_value = {.tv_usec = STOPPED_FOR_US}};

		stopped = p->pid;
		kill(p->pid, SIGSTOP);
		setitimer(ITIMER_REAL, &soon, NULL);
	} else {
		if (!all.run_it)
			skip_call(p->pid);
		p->faulty = true;
	}
}

static void call_begins(struct process *p, const struct __ptrace_syscall_info *info)
{
	p->inside = true;
	p->nr = info->entry.nr;
	if (!is_programs(p, info->instruction_pointer))
		return;
	if (all.path && !all.fired && p->nr == all.nr && strcmp(p->path, all.path) == 0 &&
	    strcmp(p->phase, all.phase) == 0 && ++all.seen == all.number)
		inflict(p);
	/* The record writes the phase in which the call began. */
	if (all.record)
		fprintf(all.record, "%s\t%s\t%llu", p->path, p->phase, (unsigned long long)p->nr);
	follow_phase(p, p->nr, (const uint64_t *)info->entry.args);
	if (all.record)
		fputc('\n', all.record);
}

/* Whether the process is to be let go, for there is nothing more to do with it. */
static bool at_call(struct process *p)
{
	struct __ptrace_syscall_info info;

	if (ptrace(PTRACE_GET_SYSCALL_INFO, p->pid, sizeof(info), &info) <= 0)
		return false;
	if (info.op == PTRACE_SYSCALL_INFO_ENTRY) {
		call_begins(p, &info);
		return all.fired && !p->faulty;
	}
	if (info.op == PTRACE_SYSCALL_INFO_EXIT && p->faulty) {
		set_result(p->pid, all.value);
		p->faulty = false;
	}
	return all.fired;
}

/* ---- the loop ---- */

/* A runtime that cannot be protected in another way executes a copy of itself, in memory. */
static bool is_program_itself(const struct process *p)
{
	char link[64], name[32] = "";

	snprintf(link, sizeof(link), "/proc/%d/exe", (int)p->pid);
	return p->pid == all.main_pid &&
	       (!p->begun ||
		(readlink(link, name, sizeof(name) - 1) > 0 && strncmp(name, "/memfd:", 7) == 0));
}

/* Returns the signal to be passed on, or -1 when the process is to be let go. */
static int handle_stop(struct process *p, int status)
{
	unsigned long child = 0;
	int event = status >> 16, number = WSTOPSIG(status);

	switch (event) {
	case PTRACE_EVENT_FORK:
	case PTRACE_EVENT_VFORK:
	case PTRACE_EVENT_CLONE:
		if (ptrace(PTRACE_GETEVENTMSG, p->pid, 0, &child) == 0)
			name_child(p, (pid_t)child);
		return all.fired && !p->faulty ? -1 : 0;
	case PTRACE_EVENT_EXEC:
		if (all.fired || !is_program_itself(p))
			return -1;
		p->begun = all.sanitizers_noted = false;
		all.code_len = 0;
		note_code(p->pid, LOADER);
		return 0;
	case PTRACE_EVENT_STOP:
		return all.fired && !p->faulty ? -1 : 0;
	default:
		break;
	}
	if (number == (SIGTRAP | 0x80))
		return at_call(p) ? -1 : 0;
	return all.fired && !p->faulty ? -1 - number : number;
}

/* Between the two stops of a call that does not take place: let go there, it would fail with ENOSYS. */
static bool is_busy(void)
{
	for (size_t i = 0; i < all.len; i++)
		if (all.list[i].faulty)
			return true;
	return false;
}

static void watch(void)
{
	bool main_ended = false;

	while (!main_ended || is_busy()) {
		struct process *p;
		int status, number;
		pid_t pid = waitpid(-1, &status, __WALL);

		if (pid < 0 && errno == EINTR)
			continue;
		if (pid < 0 && main_ended)
			return;
		if (pid < 0)
			fail("wait");
		if (WIFEXITED(status) || WIFSIGNALED(status)) {
			forget(pid);
			if (pid != all.main_pid)
				continue;
			all.main_status = status;
			/* The kernel lets go of what is left when we end. */
			main_ended = true;
			continue;
		}
		p = find_or_add(pid);
		number = handle_stop(p, status);
		if (number < 0) {
			if (ptrace(PTRACE_DETACH, pid, 0, (long)(-1 - number)) < 0 &&
			    errno != ESRCH)
				fail("let go");
			if (pid != all.main_pid)
				forget(pid);
		} else if (ptrace(PTRACE_SYSCALL, pid, 0, (long)number) < 0 && errno != ESRCH) {
			fail("go on");
		}
	}
}

/* ---- the beginning ---- */

static void usage(void)
{
	fputs("usage: inject [--user UID:GID] [--record FILE] [--report FILE]\n"
	      "              [--fault PROCESS PHASE CALL N ACTION] PROGRAM [ARGUMENT...]\n"
	      "CALL is a number; ACTION is an errno (27), result:27 to replace the result of a call that takes\n"
	      "place, eof, kill or stop.\n",
	      stderr);
	exit(125);
}

static void read_action(const char *text)
{
	all.action = ACT_RETURN;
	if (strcmp(text, "kill") == 0)
		all.action = ACT_KILL;
	else if (strcmp(text, "stop") == 0)
		all.action = ACT_STOP;
	else if (strncmp(text, "result:", 7) == 0)
		all.run_it = true, all.value = -strtol(text + 7, NULL, 10);
	else if (strcmp(text, "eof") != 0)
		all.value = -strtol(text, NULL, 10);
}

static void become_user(const char *text)
{
	char *end;
	gid_t gid;
	uid_t uid = (uid_t)strtoul(text, &end, 10);

	if (*end != ':')
		usage();
	gid = (gid_t)strtoul(end + 1, NULL, 10);
	if (setgroups(0, NULL) < 0 || setresgid(gid, gid, gid) < 0 || setresuid(uid, uid, uid) < 0)
		fail("become another user");
}

static void start(char **argv, const char *user)
{
	const long options = PTRACE_O_TRACESYSGOOD | PTRACE_O_TRACEFORK | PTRACE_O_TRACEVFORK |
			     PTRACE_O_TRACECLONE | PTRACE_O_TRACEEXEC;
	struct process *p;
	int gate[2];
	char byte = 0;

	if (pipe(gate) < 0)
		fail("pipe");
	all.main_pid = fork();
	if (all.main_pid < 0)
		fail("fork");
	if (all.main_pid == 0) {
		close(gate[1]);
		if (read(gate[0], &byte, 1) != 1)
			_exit(125);
		close(gate[0]);
		if (user)
			become_user(user);
		execvp(argv[0], argv);
		fail(argv[0]);
	}
	close(gate[0]);
	p = find_or_add(all.main_pid);
	p->known = true;
	snprintf(p->path, sizeof(p->path), "0");
	snprintf(p->phase, sizeof(p->phase), "begin");
	if (ptrace(PTRACE_SEIZE, all.main_pid, 0, options) < 0)
		fail("trace");
	if (write(gate[1], &byte, 1) != 1)
		fail("pipe");
	close(gate[1]);
}

static void report(const char *path)
{
	FILE *out = path ? fopen(path, "we") : NULL;

	if (path && !out)
		fail(path);
	if (out) {
		fprintf(out, "%s\n", all.fired ? "fired" : "not reached");
		fclose(out);
	}
	if (WIFSIGNALED(all.main_status))
		exit(128 + WTERMSIG(all.main_status));
	exit(WEXITSTATUS(all.main_status));
}

int main(int argc, char **argv)
{
	const char *user = NULL, *reported = NULL;
	struct sigaction on_alarm = {.sa_handler = go_on_after_stop};
	int i = 1;

	for (; i < argc && strncmp(argv[i], "--", 2) == 0; i += 2) {
		if (i + 1 >= argc)
			usage();
		if (strcmp(argv[i], "--user") == 0) {
			user = argv[i + 1];
		} else if (strcmp(argv[i], "--report") == 0) {
			reported = argv[i + 1];
		} else if (strcmp(argv[i], "--record") == 0) {
			all.record = fopen(argv[i + 1], "we");
			if (!all.record)
				fail(argv[i + 1]);
		} else if (strcmp(argv[i], "--fault") == 0 && i + 5 < argc) {
			all.path = argv[i + 1];
			all.phase = argv[i + 2];
			all.nr = strtoull(argv[i + 3], NULL, 10);
			all.number = strtoull(argv[i + 4], NULL, 10);
			read_action(argv[i + 5]);
			i += 4;
		} else {
			usage();
		}
	}
	if (i >= argc)
		usage();
	sigaction(SIGALRM, &on_alarm, NULL);
	start(argv + i, user);
	watch();
	if (stopped)
		kill(stopped, SIGCONT);
	report(reported);
}
