// SPDX-License-Identifier: Apache-2.0
// Counts what a runtime does, exactly: processes, threads, messages between its processes, system calls. See bench/counts.
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

enum { MAX_TASKS = 4096, MAX_PARTS = 8 };

struct task {
	pid_t pid;
	bool past_loader; /* or past what the C library of a static program does */
};

/* Of the dynamic loader, whose calls before main() depend on the machine's libraries. */
static struct {
	uint64_t begin, end;
} loader[MAX_PARTS];

static struct {
	struct task tasks[MAX_TASKS];
	int n_tasks, n_loader;
	pid_t main_pid;
	int main_status;
	bool begun; /* the program is there */
	bool whole; /* programs that other processes execute count, too */
	unsigned long processes, threads, messages, loads, calls;
} all;

static void __attribute__((noreturn)) die(const char *what)
{
	fprintf(stderr, "count: %s: %s\n", what, strerror(errno));
	exit(125);
}

static struct task *find(pid_t pid)
{
	for (int i = 0; i < all.n_tasks; i++)
		if (all.tasks[i].pid == pid)
			return &all.tasks[i];
	return NULL;
}

static bool is_thread(pid_t pid)
{
	char path[64], line[128];
	FILE *status;
	long leader = pid;

	snprintf(path, sizeof(path), "/proc/%d/status", (int)pid);
	status = fopen(path, "re");
	while (status && fgets(line, sizeof(line), status))
		if (!strncmp(line, "Tgid:", 5))
			leader = strtol(line + 5, NULL, 10);
	if (status)
		fclose(status);
	return leader != pid;
}

static struct task *add(pid_t pid)
{
	struct task *t = find(pid);

	if (t)
		return t;
	t = find(0);
	if (!t) {
		if (all.n_tasks == MAX_TASKS) {
			errno = E2BIG;
			die("processes");
		}
		t = &all.tasks[all.n_tasks++];
	}
	*t = (struct task){.pid = pid, .past_loader = true};
	if (is_thread(pid))
		all.threads++;
	else
		all.processes++;
	return t;
}

static void note_loader(pid_t pid)
{
	char path[64], line[512], first[512] = "";
	FILE *maps;

	snprintf(path, sizeof(path), "/proc/%d/maps", (int)pid);
	maps = fopen(path, "re");
	all.n_loader = 0;
	while (maps && fgets(line, sizeof(line), maps)) {
		char *after, *name = strchr(line, '/');
		unsigned long long begin = strtoull(line, &after, 16), end;

		if (*after != '-' || !name)
			continue;
		end = strtoull(after + 1, &after, 16);
		name[strcspn(name, "\n")] = '\0';
		if (!first[0])
			snprintf(first, sizeof(first), "%s", name);
		/* At this moment nothing is mapped but the program and its loader. */
		if (!strcmp(name, first) || strncmp(after, " r-x", 4) || all.n_loader == MAX_PARTS)
			continue;
		loader[all.n_loader].begin = begin;
		loader[all.n_loader++].end = end;
	}
	if (maps)
		fclose(maps);
}

static bool in_loader(uint64_t address)
{
	for (int i = 0; i < all.n_loader; i++)
		if (address >= loader[i].begin && address < loader[i].end)
			return true;
	return false;
}

/* Without a loader: what the C library of a static program does before main(), by what it is. */
static bool is_start(uint64_t call)
{
	static const int calls[] = {
		SYS_brk,	SYS_set_tid_address, SYS_set_robust_list, SYS_prlimit64,
		SYS_getrandom,	SYS_readlinkat,	     SYS_mprotect,
#ifdef SYS_arch_prctl
		SYS_arch_prctl,
#endif
#ifdef SYS_readlink
		SYS_readlink,
#endif
#ifdef SYS_rseq
		SYS_rseq,
#endif
	};

	for (size_t i = 0; i < sizeof(calls) / sizeof(calls[0]); i++)
		if (call == (uint64_t)calls[i])
			return true;
	return false;
}

/* A datagram to another process: to the kernel, by netlink, is none. Where we may not look it is taken for one. */
static bool is_message(pid_t pid, uint64_t nr, int fd)
{
	int domain = AF_UNIX, pidfd, copy;
	socklen_t size = sizeof(domain);

	if (nr != SYS_sendmsg && nr != SYS_sendto)
		return false;
	pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
	copy = pidfd < 0 ? -1 : (int)syscall(SYS_pidfd_getfd, pidfd, fd, 0);
	if (copy >= 0 && getsockopt(copy, SOL_SOCKET, SO_DOMAIN, &domain, &size) < 0)
		domain = AF_UNIX;
	if (copy >= 0)
		close(copy);
	if (pidfd >= 0)
		close(pidfd);
	return domain == AF_UNIX;
}

static void at_call(struct task *t)
{
	struct __ptrace_syscall_info info;

	if (ptrace(PTRACE_GET_SYSCALL_INFO, t->pid, sizeof(info), &info) <= 0 ||
	    info.op != PTRACE_SYSCALL_INFO_ENTRY || !all.begun)
		return;
	if (!t->past_loader &&
	    !(all.n_loader ? in_loader(info.instruction_pointer) : is_start(info.entry.nr)))
		t->past_loader = true;
	if (!t->past_loader) {
		all.loads++;
		return;
	}
	all.calls++;
	if (is_message(t->pid, info.entry.nr, (int)info.entry.args[0]))
		all.messages++;
}

/* Returns the signal to be passed on, or -1 when the process is to be let go. */
static int at_stop(struct task *t, int status)
{
	int event = status >> 16, number = WSTOPSIG(status);
	unsigned long child = 0;

	switch (event) {
	case PTRACE_EVENT_FORK:
	case PTRACE_EVENT_VFORK:
	case PTRACE_EVENT_CLONE:
		if (ptrace(PTRACE_GETEVENTMSG, t->pid, 0, &child) == 0)
			add((pid_t)child);
		return 0;
	case PTRACE_EVENT_EXEC:
		if (t->pid != all.main_pid && !all.whole)
			return -1;
		all.begun = true;
		note_loader(t->pid);
		t->past_loader = false;
		return 0;
	case PTRACE_EVENT_STOP:
		return 0;
	default:
		break;
	}
	if (number != (SIGTRAP | 0x80))
		return number;
	at_call(t);
	return 0;
}

/* Up to the end of the last process, for what `create` leaves behind goes on when `start` comes. */
static void watch(void)
{
	for (;;) {
		int status, number;
		struct task *t;
		pid_t pid = waitpid(-1, &status, __WALL);

		if (pid < 0 && errno == EINTR)
			continue;
		if (pid < 0 && errno == ECHILD)
			return;
		if (pid < 0)
			die("wait");
		if (WIFEXITED(status) || WIFSIGNALED(status)) {
			t = find(pid);
			if (t)
				t->pid = 0;
			if (pid == all.main_pid)
				all.main_status = status;
			continue;
		}
		t = add(pid);
		number = at_stop(t, status);
		if (number < 0) {
			ptrace(PTRACE_DETACH, pid, 0, 0L);
			t->pid = 0;
		} else if (ptrace(PTRACE_SYSCALL, pid, 0, (long)number) < 0 && errno != ESRCH) {
			die("go on");
		}
	}
}

static void start(char **argv)
{
	const long options = PTRACE_O_TRACESYSGOOD | PTRACE_O_TRACEFORK | PTRACE_O_TRACEVFORK |
			     PTRACE_O_TRACECLONE | PTRACE_O_TRACEEXEC;
	int gate[2];
	char byte = 0;

	if (pipe2(gate, O_CLOEXEC) < 0)
		die("pipe");
	all.main_pid = fork();
	if (all.main_pid < 0)
		die("fork");
	if (all.main_pid == 0) {
		close(gate[1]);
		if (read(gate[0], &byte, 1) != 1)
			_exit(125);
		execv(argv[0], argv);
		die(argv[0]);
	}
	close(gate[0]);
	add(all.main_pid);
	if (ptrace(PTRACE_SEIZE, all.main_pid, 0, options) < 0)
		die("trace");
	if (write(gate[1], &byte, 1) != 1)
		die("pipe");
	close(gate[1]);
}

int main(int argc, char **argv)
{
	const int head = argc > 1 && !strcmp(argv[1], "--whole") ? 2 : 1;
	FILE *out;

	if (argc < head + 2) {
		fputs("usage: count [--whole] FILE PROGRAM [ARGUMENT...]\n"
		      "Runs PROGRAM (a path) and writes to FILE: processes, threads, messages between them, system\n"
		      "calls of the dynamic loader, other system calls. A process that PROGRAM makes is followed up\n"
		      "to its execve or, with --whole, to its end.\n",
		      stderr);
		return 125;
	}
	all.whole = head == 2;
	out = fopen(argv[head], "we");
	if (!out)
		die(argv[head]);
	start(argv + head + 1);
	watch();
	fprintf(out, "%lu %lu %lu %lu %lu\n", all.processes, all.threads, all.messages, all.loads,
		all.calls);
	if (fclose(out) != 0)
		die(argv[head]);
	return WIFEXITED(all.main_status) ? WEXITSTATUS(all.main_status) : 125;
}
