// SPDX-License-Identifier: Apache-2.0
// Prints facts about the process it runs in; the integration tests run it as payload.
// Usage: probe SECTION...   Each section prints "== SECTION" and then one fact per line.
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <limits.h>
#include <linux/keyctl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/personality.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/utsname.h>
#include <unistd.h>

static void show_file(const char *path)
{
	char buf[4096];
	ssize_t n;
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0) {
		printf("error %s\n", strerror(errno));
		return;
	}
	fflush(stdout);
	while ((n = read(fd, buf, sizeof(buf))) > 0)
		if (write(1, buf, (size_t)n) != n)
			break;
	close(fd);
}

/* Tried one by one, so that the answer does not depend on a mounted /proc. */
static void show_fds(void)
{
	for (int fd = 0; fd < 4096; fd++) {
		char path[64], target[512];
		ssize_t n;

		if (fcntl(fd, F_GETFD) < 0)
			continue;
		snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
		n = readlink(path, target, sizeof(target) - 1);
		target[n < 0 ? 0 : n] = '\0';
		printf("%d %s\n", fd, target);
	}
}

static void show_ids(void)
{
	uid_t u[3];
	gid_t g[3], list[512];
	int n;

	if (getresuid(&u[0], &u[1], &u[2]) == 0)
		printf("uid %u %u %u\n", u[0], u[1], u[2]);
	if (getresgid(&g[0], &g[1], &g[2]) == 0)
		printf("gid %u %u %u\n", g[0], g[1], g[2]);
	n = getgroups(512, list);
	printf("groups");
	for (int i = 0; i < n; i++)
		printf(" %u", list[i]);
	printf("\n");
}

static void show_session(void)
{
	printf("pid %d\nppid %d\npgid %d\nsid %d\n", getpid(), getppid(), getpgrp(), getsid(0));
	for (int fd = 0; fd < 3; fd++)
		printf("isatty%d %d\n", fd, isatty(fd));
	printf("foreground %d\n", (int)tcgetpgrp(0));
	int fd = open("/dev/tty", O_RDWR | O_CLOEXEC);
	printf("ctty %s\n", fd < 0 ? strerror(errno) : "yes");
	if (fd >= 0)
		close(fd);
	printf("ttyname %s\n", ttyname(0) ? ttyname(0) : "none");
}

static void show_rlimits(void)
{
	static const char *const names[] = {
		"CPU",	   "FSIZE", "DATA",  "STACK",	   "CORE",     "RSS",  "NPROC",	 "NOFILE",
		"MEMLOCK", "AS",    "LOCKS", "SIGPENDING", "MSGQUEUE", "NICE", "RTPRIO", "RTTIME"};

	for (int i = 0; i < 16; i++) {
		struct rlimit r;

		if (getrlimit((__rlimit_resource_t)i, &r) == 0)
			printf("RLIMIT_%s %llu %llu\n", names[i], (unsigned long long)r.rlim_cur,
			       (unsigned long long)r.rlim_max);
	}
}

static void show_signals(void)
{
	sigset_t set;

	sigprocmask(SIG_BLOCK, NULL, &set);
	printf("blocked");
	for (int s = 1; s <= 64; s++)
		if (sigismember(&set, s) == 1)
			printf(" %d", s);
	printf("\nignored");
	for (int s = 1; s <= 64; s++) {
		struct sigaction sa;

		/* The raw call, because the C library hides signals 32 and 33. */
		memset(&sa, 0, sizeof(sa));
		struct {
			void *handler;
			unsigned long flags;
			void *rest;
			unsigned long m;
		} k = {0};
		if (syscall(SYS_rt_sigaction, s, NULL, &k, 8) == 0 && k.handler == (void *)SIG_IGN)
			printf(" %d", s);
	}
	int sig = 0;
	prctl(PR_GET_PDEATHSIG, &sig);
	printf("\npdeathsig %d\n", sig);
}

static void show_keyring(void)
{
	char text[256] = "";
	long id = syscall(SYS_keyctl, KEYCTL_GET_KEYRING_ID, KEY_SPEC_SESSION_KEYRING, 0);

	printf("session %ld\n", id);
	if (syscall(SYS_keyctl, KEYCTL_DESCRIBE, KEY_SPEC_SESSION_KEYRING, text,
		    sizeof(text) - 1) >= 0)
		printf("describe %s\n", text);
}

static void show_winsize(void)
{
	struct winsize w;

	for (int fd = 0; fd < 3; fd++)
		if (ioctl(fd, TIOCGWINSZ, &w) == 0)
			printf("%d %u %u\n", fd, w.ws_row, w.ws_col);
}

static void show_stat(const char *path)
{
	struct stat st;

	if (lstat(path, &st) < 0)
		printf("%s error %s\n", path, strerror(errno));
	else
		printf("%s %o %u %u %llu %u:%u\n", path, st.st_mode, st.st_uid, st.st_gid,
		       (unsigned long long)st.st_size, (unsigned)(st.st_rdev >> 8 & 0xfff),
		       (unsigned)(st.st_rdev & 0xff));
}

static void show_umask(void)
{
	mode_t m = umask(0);

	umask(m);
	printf("%04o\n", m);
}

static void show_cwd(void)
{
	char buf[4096];

	printf("%s\n", getcwd(buf, sizeof(buf)) ? buf : strerror(errno));
}

static void show_hostname(void)
{
	struct utsname u;

	uname(&u);
	printf("%s\n", u.nodename);
}

static void show_domainname(void)
{
	struct utsname u;

	uname(&u);
	printf("%s\n", u.domainname);
}

static void show_personality(void)
{
	printf("%x\n", (unsigned)personality(0xffffffff));
}

static void show_dumpable(void)
{
	printf("%d\n", prctl(PR_GET_DUMPABLE));
}

static void show_securebits(void)
{
	printf("%d\n", prctl(PR_GET_SECUREBITS));
}

static void show_env(void)
{
	extern char **environ;

	for (char **e = environ; *e; e++)
		printf("%s\n", *e);
}

static void show_nice(void)
{
	printf("%d\n", getpriority(PRIO_PROCESS, 0));
}

static void show_affinity(void)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	sched_getaffinity(0, sizeof(set), &set);
	printf("%d\n", CPU_COUNT(&set));
}

static void show_status(void)
{
	show_file("/proc/self/status");
}

static void show_mounts(void)
{
	show_file("/proc/self/mountinfo");
}

static void show_cgroup(void)
{
	show_file("/proc/self/cgroup");
}

static void show_oom(void)
{
	show_file("/proc/self/oom_score_adj");
}

static void show_sysctl(const char *name)
{
	char path[512];

	snprintf(path, sizeof(path), "/proc/sys/%s", name);
	show_file(path);
}

static void show_namespaces(void)
{
	static const char *const names[] = {"cgroup", "ipc",  "mnt",  "net",
					    "pid",    "time", "user", "uts"};

	for (int i = 0; i < 8; i++) {
		char path[64], target[128];
		ssize_t n;

		snprintf(path, sizeof(path), "/proc/self/ns/%s", names[i]);
		n = readlink(path, target, sizeof(target) - 1);
		target[n < 0 ? 0 : n] = '\0';
		printf("%s %s\n", names[i], target);
	}
}

static void show_dir(const char *path)
{
	DIR *d = opendir(path);
	struct dirent *e;

	if (!d) {
		printf("error %s\n", strerror(errno));
		return;
	}
	while ((e = readdir(d)) != NULL)
		if (strcmp(e->d_name, ".") && strcmp(e->d_name, ".."))
			printf("%s\n", e->d_name);
	closedir(d);
}

static int number(const char *text)
{
	char *end;
	long value = strtol(text, &end, 10);

	if (*text == '\0' || *end || value < 0 || value > INT_MAX) {
		fprintf(stderr, "probe: `%s` is no number\n", text);
		exit(99);
	}
	return (int)value;
}

/* Bytes written blindly, for tests that count what arrives at the other end. */
static void spew(const char *count)
{
	char block[1000];
	long left = number(count);

	fflush(stdout);
	memset(block, 'x', sizeof(block));
	block[sizeof(block) - 1] = '\n';
	while (left > 0) {
		size_t want = left < (long)sizeof(block) ? (size_t)left : sizeof(block);
		ssize_t n = write(1, block, want);

		if (n <= 0)
			_exit(3);
		left -= n;
	}
}

/* The errno that a system call without arguments ends with, by its number. */
static void show_syscall(const char *nr)
{
	errno = 0;
	(void)syscall(number(nr), 0, 0, 0, 0, 0, 0);
	printf("%d\n", errno);
}

/* As sd_notify(3): sends TEXT, in which '|' stands for the end of a line, to $NOTIFY_SOCKET. */
static void notify(const char *text)
{
	const char *path = getenv("NOTIFY_SOCKET");
	struct sockaddr_un addr = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	char message[4096];

	snprintf(message, sizeof(message), "%s", text);
	for (char *c = message; *c; c++)
		*c = *c == '|' ? '\n' : *c;
	snprintf(addr.sun_path, sizeof(addr.sun_path), "%s", path ? path : "");
	if (fd >= 0 && sendto(fd, message, strlen(message), 0, (struct sockaddr *)&addr,
			      sizeof(addr)) == (ssize_t)strlen(message))
		printf("sent\n");
	else
		printf("error %s\n", strerror(errno));
	close(fd);
}

static const struct {
	const char *name;
	void (*show)(void);
} plain[] = {
	{"fds", show_fds},	     {"ids", show_ids},
	{"session", show_session},   {"rlimits", show_rlimits},
	{"signals", show_signals},   {"keyring", show_keyring},
	{"winsize", show_winsize},   {"namespaces", show_namespaces},
	{"status", show_status},     {"mounts", show_mounts},
	{"cgroup", show_cgroup},     {"oom", show_oom},
	{"umask", show_umask},	     {"cwd", show_cwd},
	{"env", show_env},	     {"hostname", show_hostname},
	{"nice", show_nice},	     {"domainname", show_domainname},
	{"affinity", show_affinity}, {"personality", show_personality},
	{"dumpable", show_dumpable}, {"securebits", show_securebits},
};

/* Sections that take a value after a colon. */
static const struct {
	const char *name;
	void (*show)(const char *value);
} with_value[] = {
	{"sysctl:", show_sysctl}, {"file:", show_file}, {"stat:", show_stat},
	{"dir:", show_dir},	  {"spew:", spew},	{"syscall:", show_syscall},
	{"notify:", notify},
};

static void show_section(const char *arg)
{
	printf("== %s\n", arg);
	for (size_t i = 0; i < sizeof(plain) / sizeof(plain[0]); i++)
		if (!strcmp(arg, plain[i].name))
			plain[i].show();
	for (size_t i = 0; i < sizeof(with_value) / sizeof(with_value[0]); i++) {
		size_t n = strlen(with_value[i].name);

		if (!strncmp(arg, with_value[i].name, n))
			with_value[i].show(arg + n);
	}
	fflush(stdout);
}

static void exit_41(int sig)
{
	(void)sig;
	_exit(41);
}

/* Ends with status 41 when signal N comes; no shell, whose own handling of SIGINT would be part of the test. */
static void await_signal(const char *n)
{
	struct sigaction action = {.sa_handler = exit_41};

	sigaction(number(n), &action, NULL);
	printf("ready\n");
	fflush(stdout);
	for (;;)
		pause();
}

int main(int argc, char **argv)
{
	setvbuf(stdout, NULL, _IOFBF, 65536);
	for (int i = 1; i < argc; i++) {
		/* "exit:N" ends at once, "pause" waits to be killed, "trap:N" for signal N, "crash:N" dies of signal N. */
		if (!strncmp(argv[i], "exit:", 5))
			exit(number(argv[i] + 5));
		if (!strncmp(argv[i], "crash:", 6)) {
			struct sigaction dfl = {.sa_handler = SIG_DFL};

			sigaction(number(argv[i] + 6), &dfl, NULL);
			raise(number(argv[i] + 6));
		}
		if (!strncmp(argv[i], "trap:", 5))
			await_signal(argv[i] + 5);
		if (!strcmp(argv[i], "pause"))
			for (;;)
				pause();
		show_section(argv[i]);
	}
	return 0;
}
