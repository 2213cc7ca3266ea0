// SPDX-License-Identifier: Apache-2.0
// The instant of birth on the real kernel: new namespaces, joined ones, whose child init is, and what errors say. Needs root.
#include "spawn/spawn.h"

#include "base/cleanup.h"
#include "spawn/helper.h"
#include "sys/file.h"
#include "sys/pidfd.h"
#include "sys/process.h"

#include "../test.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static struct crun_error err;

/* What the child saw, in memory that survives the fork. */
struct report {
	pid_t pid, ppid;
	ino_t ns[NS_COUNT];
	uid_t uid;
	int dumpable;
	bool done;
};

static struct report *report;
static int hold[2] = {-1, -1}; /* the child ends when the write end is closed */

static ino_t ns_inode(const char *who, int i)
{
	char path[64];
	struct stat st = {0};

	snprintf(path, sizeof(path), "/proc/%s/ns/%s", who, ns_table[i].name);
	return stat(path, &st) < 0 ? 0 : st.st_ino;
}

/* Runs in init. /proc is the host's and "self" means nothing in another pid namespace: the parent looks at the namespaces. */
static void child(void *arg)
{
	char c;

	report->pid = getpid();
	report->ppid = getppid();
	report->uid = geteuid();
	report->dumpable = prctl(PR_GET_DUMPABLE);
	report->done = true;
	close(hold[1]);
	(void)!read(hold[0], &c, 1);
	_exit(arg ? *(int *)arg : 0);
}

static bool setup(void)
{
	report = mmap(NULL, sizeof(*report), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1,
		      0);
	return report != MAP_FAILED && pipe2(hold, O_CLOEXEC) == 0;
}

static void teardown(void)
{
	munmap(report, sizeof(*report));
	for (int i = 0; i < 2; i++) {
		if (hold[i] >= 0)
			close(hold[i]);
		hold[i] = -1;
	}
}

static int children(void)
{
	char path[64], text[256] = "";
	int fd, n = 0;
	ssize_t len;

	snprintf(path, sizeof(path), "/proc/self/task/%d/children", getpid());
	fd = open(path, O_RDONLY | O_CLOEXEC);
	len = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);
	close_fd(&fd);
	for (ssize_t i = 0; i < len; i++)
		n += text[i] == ' ';
	return len < 0 ? -1 : n;
}

static int open_fds(void)
{
	DIR *d = opendir("/proc/self/fd");
	int n = 0;

	while (readdir(d))
		n++;
	closedir(d);
	return n;
}

static bool pidfd_names(int pidfd, pid_t pid)
{
	char path[64], want[64], line[256];
	bool found = false;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", pidfd);
	snprintf(want, sizeof(want), "Pid:\t%d\n", pid);
	f = fopen(path, "re");
	while (f && fgets(line, sizeof(line), f))
		found = found || strcmp(line, want) == 0;
	if (f)
		fclose(f);
	return found;
}

/* Lets the child go and reaps it; true when it ended with STATUS. */
static bool finish(pid_t pid, int pidfd, int status)
{
	int got = 0;

	close(hold[1]);
	hold[1] = -1;
	if (sys_waitpid(pid, &got, 0) != pid)
		return false;
	close(pidfd);
	return WIFEXITED(got) && WEXITSTATUS(got) == status;
}

static const char *why_not(void)
{
	static int able = -1;

	if (geteuid() != 0)
		return "needs root";
	if (able < 0) {
		pid_t pid = fork();
		int status = 1;

		if (pid == 0)
			_exit(sys_unshare(CLONE_NEWPID | CLONE_NEWNET) < 0);
		able = sys_waitpid(pid, &status, 0) == pid && status == 0;
	}
	return able ? NULL : "namespaces cannot be made here";
}

#define NEED_NAMESPACES()                        \
	do {                                     \
		const char *reason_ = why_not(); \
		if (reason_)                     \
			SKIP(reason_);           \
	} while (0)

/* Spawns with BIRTH and checks what holds of every birth; returns the pid, with the child held. */
static pid_t spawn_held(const struct birth *birth, const int *ns_fds, int *status, int *pidfd)
{
	struct spawn_request req = {
		.birth = birth,
		.ns_fds = ns_fds,
		.cgroup_fd = FD_NONE,
		.child = child,
		.arg = status,
	};

	return spawn_init(&req, pidfd, &err);
}

TEST(new_namespaces)
{
	struct birth birth = {.clone_flags = CLONE_NEWPID | CLONE_NEWNET | CLONE_NEWNS |
					     CLONE_NEWIPC | CLONE_NEWUTS | CLONE_NEWCGROUP};
	int status = 7, pidfd = FD_NONE, fds = open_fds(), none = children();
	char who[16];
	pid_t pid;

	NEED_NAMESPACES();
	CHECK(setup());
	pid = spawn_held(&birth, NULL, &status, &pidfd);
	if (pid < 0)
		TEST_FAIL("%s", err.text);
	CHECK_INT(children(), none + 1);
	CHECK(pidfd_names(pidfd, pid));
	CHECK(fcntl(pidfd, F_GETFD) & FD_CLOEXEC);
	snprintf(who, sizeof(who), "%d", pid);
	for (int i = 0; i < NS_COUNT; i++) {
		bool same = ns_inode(who, i) == ns_inode("self", i);

		CHECK_INT(same, i == NS_USER || i == NS_TIME);
	}
	CHECK(finish(pid, pidfd, status));
	CHECK(report->done);
	CHECK_INT(report->pid, 1);
	CHECK_INT(report->ppid, 0);
	teardown();
	CHECK_INT(children(), none);
	CHECK_INT(open_fds(), fds);
}

/* A process to be joined: it lives in namespaces of its own until the returned pipe is closed. */
static pid_t make_host(int flags, int *ret_pipe)
{
	struct sys_clone_args args = {.flags = (unsigned)flags, .exit_signal = SIGCHLD};
	int p[2];
	pid_t pid;

	if (pipe2(p, O_CLOEXEC) < 0)
		return -errno;
	pid = sys_clone3(&args);
	if (pid == 0) {
		char c;

		prctl(PR_SET_PDEATHSIG, SIGKILL);
		dup2(p[0], 0);
		/* The write ends of others would keep them from their end. */
		sys_close_range(3, ~0U, 0);
		(void)!read(0, &c, 1);
		_exit(0);
	}
	close(p[0]);
	*ret_pipe = p[1];
	return pid;
}

static void end_host(pid_t pid, int pipe_fd)
{
	close(pipe_fd);
	sys_waitpid(pid, NULL, 0);
}

static bool map_root(pid_t pid)
{
	static const char *const files[] = {"uid_map", "gid_map"};

	for (size_t i = 0; i < ARRAY_LEN(files); i++) {
		char path[64];
		int fd;
		bool ok;

		snprintf(path, sizeof(path), "/proc/%d/%s", pid, files[i]);
		fd = open(path, O_WRONLY | O_CLOEXEC);
		ok = fd >= 0 && write(fd, "0 0 65536\n", 10) == 10;
		close_fd(&fd);
		if (!ok)
			return false;
	}
	return true;
}

static int open_ns(pid_t pid, int i)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/ns/%s", pid, ns_table[i].name);
	return open(path, O_RDONLY | O_CLOEXEC);
}

/* Joins the namespaces in JOIN of a process that has HOST_FLAGS of its own, besides CLONE_FLAGS new ones. */
static void check_join(int host_flags, unsigned join, int clone_flags)
{
	struct birth birth = {.join_before = join, .clone_flags = clone_flags};
	int ns_fds[NS_COUNT], status = 3, pidfd = FD_NONE, host_pipe = -1;
	int fds = open_fds(), none = children();
	char who[16], host_name[16];
	pid_t host, pid;

	CHECK(setup());
	host = make_host(host_flags, &host_pipe);
	CHECK(host > 0);
	if (host_flags & CLONE_NEWUSER)
		CHECK(map_root(host));
	for (int i = 0; i < NS_COUNT; i++)
		ns_fds[i] = join & (1U << i) ? open_ns(host, i) : FD_NONE;
	pid = spawn_held(&birth, ns_fds, &status, &pidfd);
	if (pid < 0)
		TEST_FAIL("%s", err.text);
	/* The helper has gone and left no zombie: the host process and init are our only children. */
	CHECK_INT(children(), none + 2);
	CHECK(pidfd_names(pidfd, pid));
	CHECK(fcntl(pidfd, F_GETFD) & FD_CLOEXEC);
	snprintf(who, sizeof(who), "%d", pid);
	snprintf(host_name, sizeof(host_name), "%d", host);
	for (int i = 0; i < NS_COUNT; i++) {
		if (join & (1U << i))
			CHECK_INT(ns_inode(who, i), ns_inode(host_name, i));
		else if (clone_flags & ns_table[i].flag)
			CHECK(ns_inode(who, i) != ns_inode("self", i));
		else
			CHECK_INT(ns_inode(who, i), ns_inode("self", i));
		close_fd(&ns_fds[i]);
	}
	CHECK(finish(pid, pidfd, status));
	CHECK(report->done);
	if (join & (1U << NS_PID))
		CHECK_INT(report->pid, 2);
	/* Its neighbours must not ptrace it; we stay as we were. */
	CHECK_INT(report->dumpable, clone_flags & CLONE_NEWUSER ? 1 : 0);
	CHECK_INT(prctl(PR_GET_DUMPABLE), 1);
	end_host(host, host_pipe);
	teardown();
	CHECK_INT(children(), none);
	CHECK_INT(open_fds(), fds);
}

#define BIT(i) (1U << (i))

TEST(join_user_pid_and_net)
{
	NEED_NAMESPACES();
	check_join(CLONE_NEWUSER | CLONE_NEWPID | CLONE_NEWNET,
		   BIT(NS_USER) | BIT(NS_PID) | BIT(NS_NET), 0);
}

TEST(join_pid)
{
	NEED_NAMESPACES();
	check_join(CLONE_NEWPID, BIT(NS_PID), CLONE_NEWNS | CLONE_NEWIPC);
}

TEST(join_user_and_make_the_rest)
{
	NEED_NAMESPACES();
	check_join(CLONE_NEWUSER, BIT(NS_USER),
		   CLONE_NEWPID | CLONE_NEWNS | CLONE_NEWNET | CLONE_NEWUTS);
}

/* Owned by our user namespace: they must be entered before the joined user namespace takes the power over them away. */
TEST(join_user_and_what_it_does_not_own)
{
	struct birth birth = {.join_before = BIT(NS_USER) | BIT(NS_NET) | BIT(NS_CGROUP)};
	int ns_fds[NS_COUNT], user_pipe = -1, net_pipe = -1, status = 0, pidfd = FD_NONE;
	pid_t user, net, pid;
	char who[16];

	NEED_NAMESPACES();
	CHECK(setup());
	for (int i = 0; i < NS_COUNT; i++)
		ns_fds[i] = FD_NONE;
	user = make_host(CLONE_NEWUSER, &user_pipe);
	net = make_host(CLONE_NEWNET | CLONE_NEWCGROUP, &net_pipe);
	CHECK(user > 0 && net > 0 && map_root(user));
	ns_fds[NS_USER] = open_ns(user, NS_USER);
	ns_fds[NS_NET] = open_ns(net, NS_NET);
	ns_fds[NS_CGROUP] = open_ns(net, NS_CGROUP);
	pid = spawn_held(&birth, ns_fds, &status, &pidfd);
	if (pid < 0)
		TEST_FAIL("%s", err.text);
	snprintf(who, sizeof(who), "%d", pid);
	CHECK(ns_inode(who, NS_NET) != ns_inode("self", NS_NET));
	CHECK(ns_inode(who, NS_CGROUP) != ns_inode("self", NS_CGROUP));
	CHECK(ns_inode(who, NS_USER) != ns_inode("self", NS_USER));
	CHECK(finish(pid, pidfd, status));
	for (int i = 0; i < NS_COUNT; i++)
		close_fd(&ns_fds[i]);
	end_host(user, user_pipe);
	end_host(net, net_pipe);
	teardown();
}

TEST(a_new_user_namespace_beside_joined_ones)
{
	NEED_NAMESPACES();
	check_join(CLONE_NEWNET | CLONE_NEWIPC | CLONE_NEWUTS | CLONE_NEWPID,
		   BIT(NS_NET) | BIT(NS_IPC) | BIT(NS_UTS) | BIT(NS_PID), CLONE_NEWUSER);
}

/* init ends when its parent, which is us and not the helper, says so: PR_SET_PDEATHSIG and waitpid depend on it. */
TEST(init_is_our_own_child)
{
	struct birth birth = {.join_before = BIT(NS_NET)};
	int ns_fds[NS_COUNT], host_pipe = -1, status = 0, pidfd = FD_NONE;
	pid_t host, pid;

	NEED_NAMESPACES();
	CHECK(setup());
	host = make_host(CLONE_NEWNET, &host_pipe);
	CHECK(host > 0);
	for (int i = 0; i < NS_COUNT; i++)
		ns_fds[i] = i == NS_NET ? open_ns(host, i) : FD_NONE;
	pid = spawn_held(&birth, ns_fds, &status, &pidfd);
	CHECK(pid > 0);
	CHECK_INT(sys_pidfd_send_signal(pidfd, 0), 0);
	CHECK(finish(pid, pidfd, 0));
	CHECK_INT(report->ppid, getpid());
	CHECK_INT(report->pid, pid);
	close(ns_fds[NS_NET]);
	end_host(host, host_pipe);
	teardown();
}

/* ---- errors ---- */

static void check_refused(const struct birth *birth, const int *ns_fds, int r, const char *text)
{
	int pidfd = FD_NONE, none = children(), fds = open_fds();

	CHECK(setup());
	memset(&err, 0, sizeof(err));
	CHECK_INT(spawn_held(birth, ns_fds, NULL, &pidfd), r);
	CHECK(!report->done);
	teardown();
	CHECK_INT(children(), none);
	CHECK_INT(open_fds(), fds);
	if (!strstr(err.text, text))
		TEST_FAIL("\"%s\" does not say \"%s\"", err.text, text);
}

TEST(a_file_that_is_no_namespace_is_named)
{
	int ns_fds[NS_COUNT] = {[0 ... NS_COUNT - 1] = FD_NONE};
	struct birth birth = {0};

	NEED_NAMESPACES();
	ns_fds[NS_PID] = open("/dev/null", O_RDONLY | O_CLOEXEC);
	birth.join_before = BIT(NS_PID);
	check_refused(&birth, ns_fds, -EINVAL, "join the pid namespace: Invalid argument");
	/* A namespace, but of another type than it was said to be. */
	close_fd(&ns_fds[NS_PID]);
	ns_fds[NS_NET] = open("/proc/self/ns/uts", O_RDONLY | O_CLOEXEC);
	birth.join_before = BIT(NS_NET);
	check_refused(&birth, ns_fds, -EINVAL, "join the network namespace: Invalid argument");
	close_fd(&ns_fds[NS_NET]);
	birth.join_before = BIT(NS_IPC);
	check_refused(&birth, ns_fds, -EBADF, "join the ipc namespace: Bad file descriptor");
}

TEST(a_user_namespace_that_cannot_be_entered_is_named)
{
	int ns_fds[NS_COUNT] = {[0 ... NS_COUNT - 1] = FD_NONE};
	struct birth birth = {.join_before = BIT(NS_USER)};
	int fd;

	NEED_NAMESPACES();
	fd = open("/proc/self/ns/uts", O_RDONLY | O_CLOEXEC);
	ns_fds[NS_USER] = fd;
	check_refused(&birth, ns_fds, -EINVAL, "join the user namespace");
	close(fd);
}

TEST(an_unknown_flag_is_explained)
{
	/* CLONE_NEWNS and CLONE_FS contradict each other: EINVAL, as from a kernel that lacks a namespace. */
	struct birth birth = {.clone_flags = CLONE_NEWNS | CLONE_FS};

	check_refused(&birth, NULL, -EINVAL, "this kernel lacks one of the namespaces");
	CHECK_INT(err.kind, KIND_UNSUPPORTED);
}

TEST(a_cgroup_that_is_none_is_refused)
{
	struct birth birth = {0};
	struct spawn_request req = {.birth = &birth, .child = child, .cgroup_fd = -1};
	int pidfd = FD_NONE;

	CHECK(setup());
	req.cgroup_fd = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
	CHECK(spawn_init(&req, &pidfd, &err) < 0);
	CHECK(strstr(err.text, "clone3"));
	CHECK_INT(pidfd, FD_NONE);
	close(req.cgroup_fd);
	teardown();
}

TEST_MAIN()
