// SPDX-License-Identifier: Apache-2.0
// The self-audit finds what is wrong with a process: each child is made as the plan says, then in one respect otherwise.
#include "base/cleanup.h"
#include "base/str.h"
#include "init/last/audit.h"
#include "sys/cred.h"
#include "sys/keyring.h"
#include "sys/wall.h"

#include "../state/tempdir.h"
#include "../test.h"

#include <fcntl.h>
#include <linux/filter.h>
#include <linux/mount.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <stddef.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static struct launch_plan plan;
static struct channel channel;
static struct oci_config config;
static struct last last;
static struct crun_error err;
static gid_t groups[64];
static char found[sizeof(err.text)];

/* The plan of what this process is anyway. */
static void plan_present_state(void)
{
	struct sys_caps caps;
	int n = getgroups(64, groups);

	plan = (struct launch_plan){.config = &config, .facts.last_cap = 40};
	plan.process.uid = getuid();
	plan.process.gid = getgid();
	plan.process.groups = groups;
	plan.process.groups_len = n < 0 ? 0 : (size_t)n;
	plan.process.set_groups = true;
	plan.process.umask = 022;
	plan.process.has_caps = true;
	if (sys_capget(&caps) == 0) {
		plan.process.caps.permitted = caps.permitted;
		plan.process.caps.effective = caps.effective;
		plan.process.caps.inheritable = caps.inheritable;
	}
	for (int cap = 0; cap <= 40; cap++) {
		if (sys_capbset_read(cap) == 1)
			plan.process.caps.bounding |= UINT64_C(1) << cap;
		if (prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_IS_SET, cap, 0, 0) == 1)
			plan.process.caps.ambient |= UINT64_C(1) << cap;
	}
	last = (struct last){
		.plan = &plan,
		.channel = &channel,
		.label_fd = FD_NONE,
		.status_fd = FD_NONE,
	};
	channel.fd = 3;
}

static void handle_sigpipe(void (*how)(int))
{
	const struct sigaction action = {.sa_handler = how};

	sigaction(SIGPIPE, &action, NULL);
}

static int audit(void)
{
	int r = audit_fds(&last, &err);

	if (r == 0)
		r = audit_credentials(&plan, &err);
	return r == 0 ? audit_process(&plan, &err) : r;
}

/* What the audit says of a child in which CHANGE was called; "" for nothing. The result is in `found`. */
static const char *after(void (*change)(void))
{
	int fds[2], status;
	ssize_t n;
	pid_t pid;

	if (pipe2(fds, O_CLOEXEC) < 0)
		return "no pipe";
	pid = fork();
	if (pid == 0) {
		int report;

		/* Our own end in the place of the channel, and nothing else. */
		report = dup2(fds[1], 3);
		syscall(SYS_close_range, 4, ~0U, 0);
		umask(022);
		handle_sigpipe(SIG_DFL);
		prctl(PR_SET_DUMPABLE, 0);
		if (chdir("/") < 0)
			_exit(9);
		plan_present_state();
		change();
		if (audit() < 0 && write(report, err.text, strlen(err.text)) < 0)
			_exit(9);
		_exit(err.code == CODE_SELF_AUDIT || !err.text[0] ? 0 : 8);
	}
	close(fds[1]);
	n = read(fds[0], found, sizeof(found) - 1);
	found[n < 0 ? 0 : n] = '\0';
	close(fds[0]);
	waitpid(pid, &status, 0);
	if (status != 0)
		snprintf(found, sizeof(found), "the child ended with status %#x", (unsigned)status);
	return found;
}

static void nothing(void)
{
}

TEST(nothing_is_wrong)
{
	CHECK_STR(after(nothing), "");
}

static void open_fd(void)
{
	(void)!dup2(0, 7);
}

/* poll(2) does not see it. */
static void open_path(void)
{
	int fd = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);

	(void)!dup2(fd, 9);
	close(fd);
}

static void preserve(void)
{
	plan.process.preserve_fds = 5;
	open_fd();
}

/* The number of a descriptor may be above the limit that came into force later. */
static void open_high_fd_and_lower(rlim_t limit)
{
	struct rlimit now;

	getrlimit(RLIMIT_NOFILE, &now);
	(void)!dup2(0, 1020);
	now.rlim_cur = limit;
	setrlimit(RLIMIT_NOFILE, &now);
}

static void high_fd_and_limit(void)
{
	open_high_fd_and_lower(10);
}

static void high_fd_and_no_limit(void)
{
	open_high_fd_and_lower(0);
}

static void very_high_fd(void)
{
	struct rlimit now;

	getrlimit(RLIMIT_NOFILE, &now);
	now.rlim_cur = now.rlim_max;
	setrlimit(RLIMIT_NOFILE, &now);
	(void)!dup2(0, 3000);
}

TEST(open_file_with_a_high_number)
{
	struct rlimit now;

	CHECK_INT(getrlimit(RLIMIT_NOFILE, &now), 0);
	CHECK_STR(after(high_fd_and_limit), "self-audit: file descriptor 1020 is open");
	CHECK_STR(after(high_fd_and_no_limit), "self-audit: file descriptor 1020 is open");
	if (now.rlim_max > 3000)
		CHECK_STR(after(very_high_fd), "self-audit: file descriptor 3000 is open");
}

TEST(open_file)
{
	CHECK_STR(after(open_fd), "self-audit: file descriptor 7 is open");
	CHECK_STR(after(open_path), "self-audit: file descriptor 9 is open");
	CHECK_STR(after(preserve), "");
}

static void other_uid(void)
{
	plan.process.uid++;
}

static void other_gid(void)
{
	plan.process.gid++;
}

static void one_group_more(void)
{
	gid_t more[] = {4242};

	if (syscall(SYS_setgroups, 1, more) < 0)
		_exit(7);
}

static void fsuid(void)
{
	syscall(SYS_setfsuid, 4242);
}

TEST(ids)
{
	char text[80];

	snprintf(text, sizeof(text), "self-audit: a user id is %u, not %u", getuid(), getuid() + 1);
	CHECK_STR(after(other_uid), text);
	snprintf(text, sizeof(text), "self-audit: a group id is %u, not %u", getgid(),
		 getgid() + 1);
	CHECK_STR(after(other_gid), text);
	if (getuid() != 0)
		return;
	CHECK_STR(after(one_group_more), "self-audit: we are in group 4242");
	CHECK_STR(after(fsuid), "self-audit: the ids for access to files are not 0:0");
}

static void more_permitted(void)
{
	plan.process.caps.permitted &= ~UINT64_C(1);
	plan.process.caps.effective &= ~UINT64_C(1);
}

static void more_effective(void)
{
	plan.process.caps.effective &= ~UINT64_C(1);
}

static void more_bounding(void)
{
	plan.process.caps.bounding &= ~UINT64_C(1);
}

static void inheritable(void)
{
	struct sys_caps caps;

	if (sys_capget(&caps) < 0)
		_exit(7);
	caps.inheritable |= 1;
	if (sys_capset(&caps) < 0)
		_exit(7);
}

static void ambient(void)
{
	inheritable();
	plan.process.caps.inheritable |= 1;
	if (sys_ambient_raise(0) < 0)
		_exit(7);
}

/* For the last step only: seccomp(2) without no_new_privs. */
static void admin_for_seccomp(void)
{
	plan.process.caps.permitted &= ~(UINT64_C(1) << 21);
	plan.process.caps.effective &= ~(UINT64_C(1) << 21);
	plan.sync_filter = true;
}

TEST(capabilities)
{
	struct sys_caps caps;

	if (sys_capget(&caps) < 0 || !(caps.permitted & 1))
		return; /* an ordinary user has none to begin with */
	CHECK(str_after(after(more_permitted), "self-audit: permitted capabilities are "));
	CHECK(str_after(after(more_effective), "self-audit: effective capabilities are "));
	CHECK_STR(after(more_bounding), "self-audit: capability 0 is in the bounding set");
	CHECK(str_after(after(inheritable), "self-audit: inheritable capabilities are 0x1, not "));
	CHECK_STR(after(ambient), "self-audit: capability 0 is ambient");
	CHECK_STR(after(admin_for_seccomp), "");
}

static void keep_caps(void)
{
	prctl(PR_SET_KEEPCAPS, 1);
}

static void wants_no_new_privs(void)
{
	plan.process.no_new_privs = true;
}

static void has_no_new_privs(void)
{
	wants_no_new_privs();
	prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
}

static void dumpable(void)
{
	prctl(PR_SET_DUMPABLE, 1);
}

TEST(what_else_gives_power)
{
	CHECK_STR(after(keep_caps), "self-audit: securebits are set");
	CHECK_STR(after(wants_no_new_privs), "self-audit: no_new_privs is not set");
	CHECK_STR(after(has_no_new_privs), "");
	CHECK_STR(after(dumpable), "self-audit: we are dumpable: the container could trace us");
}

static void other_umask(void)
{
	umask(0);
}

static void blocked(void)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	sigprocmask(SIG_BLOCK, &set, NULL);
}

static void ignored(void)
{
	handle_sigpipe(SIG_IGN);
}

static void limited(void)
{
	static const struct plan_rlimit limit = {
		.resource = RLIMIT_CORE, .name = "RLIMIT_CORE", .soft = 1, .hard = 2};

	plan.process.rlimits = &limit;
	plan.process.rlimits_len = 1;
}

/* As if a descriptor of the host had been entered. */
static void outside_of_the_root(void)
{
	char dir[] = "/tmp/crun-audit-XXXXXX";

	if (!mkdtemp(dir) || chdir("/tmp") < 0 || chroot(dir) < 0 || rmdir(dir + 5) < 0)
		_exit(7);
}

TEST(process)
{
	CHECK_STR(after(other_umask), "self-audit: the umask is 0000, not 0022");
	CHECK_STR(after(blocked), "self-audit: signal 10 is blocked");
	CHECK_STR(after(ignored), "self-audit: SIGPIPE is not as it is by default");
	CHECK(str_after(after(limited), "self-audit: RLIMIT_CORE is "));
	if (getuid() == 0)
		CHECK_STR(after(outside_of_the_root),
			  "self-audit: the working directory is not below the container's root");
}

static int file_with(const char *text)
{
	int fd = memfd_create("text", MFD_CLOEXEC);

	if (fd < 0 || write(fd, text, strlen(text)) < 0)
		abort();
	return fd;
}

static int audit_label_that_is(const char *apparmor, const char *selinux, const char *now)
{
	static struct oci_process process;
	_cleanup_close_ int fd = file_with(now);

	process = (struct oci_process){.apparmor_profile = apparmor, .selinux_label = selinux};
	config = (struct oci_config){.process = &process};
	plan = (struct launch_plan){.config = &config, .wants_label = true};
	plan.facts.apparmor = apparmor;
	plan.facts.selinux = selinux;
	return audit_label(&plan, fd, &err);
}

TEST(label)
{
	CHECK_INT(audit_label_that_is("crun-default", NULL, "crun-default (enforce)\n"), 0);
	CHECK_INT(audit_label_that_is("crun-default", NULL, "unconfined\n"), -EPERM);
	CHECK_INT(err.code, CODE_SELF_AUDIT);
	CHECK_STR(err.text, "self-audit: the label is `unconfined`, not `crun-default`");
	CHECK_INT(audit_label_that_is("crun-default", NULL, ""), -EPERM);
	CHECK_INT(audit_label_that_is(NULL, "u:r:t:s0:c2,c1", "u:r:t:s0:c1,c2"), 0);
	CHECK_INT(audit_label_that_is(NULL, "u:r:t:s0:c2,c1", "u:r:t:s0"), -EPERM);
	CHECK_STR(err.text, "self-audit: the label is `u:r:t:s0`, not `u:r:t:s0:c2,c1`");
	/* It was never opened. */
	CHECK_INT(audit_label(&plan, FD_NONE, &err), -EBADF);
	plan.wants_label = false;
	CHECK_INT(audit_label(&plan, FD_NONE, &err), 0);
}

TEST(keyring)
{
	int32_t first = sys_keyring_join(NULL), second;

	if (first < 0)
		SKIP("keyctl is not available");
	CHECK_INT(audit_keyring(first, &err), 0);
	CHECK_INT(audit_keyring(0, &err), 0);
	second = sys_keyring_join(NULL);
	CHECK(second > 0);
	CHECK_INT(audit_keyring(first, &err), -EPERM);
	CHECK_INT(err.code, CODE_SELF_AUDIT);
	CHECK(str_after(err.text, "self-audit: the session keyring is "));
	CHECK_INT(audit_keyring(second, &err), 0);
}

/* The numbers in a status whose list of groups has LEN bytes. */
static struct audit_filters filters_behind(size_t len, const char *lines)
{
	char *text = calloc(1, len + strlen(lines) + 64);
	struct audit_filters found_filters;
	size_t n;
	int fd;

	if (!text)
		abort();
	n = (size_t)snprintf(text, 64, "Name:\tx\nGroups:\t");
	memset(text + n, '7', len);
	memcpy(text + n + len, lines, strlen(lines));
	fd = file_with(text);
	if (audit_filters_read(fd, &found_filters) < 0)
		found_filters = (struct audit_filters){-2, -2};
	close(fd);
	free(text);
	return found_filters;
}

TEST(numbers_of_filters)
{
	static const char lines[] = "\nNoNewPrivs:\t1\nSeccomp:\t2\nSeccomp_filters:\t13\nX:\t4\n";
	struct audit_filters got;

	/* Wherever the end of what is read at once comes to lie. */
	for (size_t len = 4000; len < 4200; len++) {
		got = filters_behind(len, lines);
		CHECK_INT(got.mode, 2);
		CHECK_INT(got.count, 13);
	}
	got = filters_behind(800000, lines);
	CHECK_INT(got.mode, 2);
	CHECK_INT(got.count, 13);
	/* Before Linux 5.9. */
	got = filters_behind(10, "\nSeccomp:\t0\n");
	CHECK_INT(got.mode, 0);
	CHECK_INT(got.count, -1);
	got = filters_behind(10, "\n");
	CHECK_INT(got.mode, -2);
	CHECK_INT(audit_filters_read(FD_NONE, &got), -EBADF);
}

static int compare_filters(long before, long mode, long now)
{
	return audit_filters(&(struct audit_filters){0, before}, &(struct audit_filters){mode, now},
			     &err);
}

TEST(filters)
{
	CHECK_INT(compare_filters(0, 2, 1), 0);
	CHECK_INT(compare_filters(3, 2, 4), 0);
	CHECK_INT(compare_filters(-1, 2, -1), 0);
	CHECK_INT(compare_filters(3, 2, 3), -EPERM);
	CHECK_INT(err.code, CODE_SELF_AUDIT);
	CHECK_STR(err.text, "self-audit: 3 seccomp filters are in force, not 4");
	CHECK_INT(compare_filters(0, 0, 0), -EPERM);
	CHECK_STR(err.text, "self-audit: the seccomp mode is 0, not 2: no filter is in force");
}

/* Allows exit_group(2) alone, which is how the child tells that it came through. */
static void filter_for_the_end(struct seccomp_area *area)
{
	const struct sock_filter insns[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_exit_group, 1, 0),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};

	memcpy(area->insns, insns, sizeof(insns));
	area->len = ARRAY_LEN(insns);
}

/* What the thread that looks says of a child whose status is that in FILE, or "" when it lets it through; else "status ...". */
static const char *load_and_look(const char *file)
{
	static struct seccomp_area area;
	struct channel host, init;
	int status;
	pid_t pid;

	if (channel_pair(&host, &init, &err) < 0)
		return "no channel";
	filter_for_the_end(&area);
	fflush(stdout);
	pid = fork();
	if (pid == 0) {
		channel_close(&host);
		plan_present_state();
		last.channel = &init;
		last.seccomp = &area;
		last.status_fd =
			file ? file_with(file) : open("/proc/self/status", O_RDONLY | O_CLOEXEC);
		prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
		/* Not _exit: before a call that does not return sanitizers make calls of their own. */
		for (int r = audit_load_filter(&last, &err);;)
			syscall(SYS_exit_group, r == 0 ? 42 : 43);
	}
	channel_close(&init);
	found[0] = '\0';
	if (channel_expect_eof(&host, NULL, &err) < 0)
		snprintf(found, sizeof(found), "%s", err.text);
	channel_close(&host);
	waitpid(pid, &status, 0);
	if (WEXITSTATUS(status) != (found[0] ? 1 : 42) || WIFSIGNALED(status))
		snprintf(found, sizeof(found), "status %#x", (unsigned)status);
	return found;
}

TEST(a_filter_that_is_in_force)
{
	struct wall wall;
	bool walled = sys_wall_make(&wall) == 0;

	sys_wall_done(&wall);
	CHECK_STR(load_and_look(NULL), "");
	/* Nobody can look without one. */
	if (!walled)
		SKIP("no userfaultfd(2) for us, which Linux has since 5.11");
	/* As if the load had done nothing. */
	CHECK_STR(load_and_look("Name:\tx\nSeccomp:\t0\nSeccomp_filters:\t0\n"),
		  "self-audit: the seccomp mode is 0, not 2: no filter is in force");
	CHECK_STR(load_and_look("Name:\tx\nSeccomp:\t2\nSeccomp_filters:\t1\n"),
		  "self-audit: 1 seccomp filters are in force, not 2");
	/* What cannot be told is no difference. */
	CHECK_STR(load_and_look("Name:\tx\n"), "");
}

/* A directory that nobody has mounted anything on: no flag is set, and nothing is masked. */
TEST(mounts)
{
	struct tempdir dir = tempdir_make();
	const char *const path[] = {"/x"};
	const struct mount_op ops[] = {{.destination = "/x", .attr_set = MOUNT_ATTR_RDONLY},
				       {.destination = "/x"}};
	int root = open(dir.path, O_PATH | O_DIRECTORY | O_CLOEXEC);

	config = (struct oci_config){0};
	plan = (struct launch_plan){.config = &config};
	CHECK_INT(audit_mounts(&plan, root, &err), 0);
	plan.masked_paths = plan.readonly_paths = path;
	plan.masked_paths_len = 1;
	/* What is not there need not be hidden. */
	CHECK_INT(audit_mounts(&plan, root, &err), 0);
	CHECK_INT(mkdirat(root, "x", 0755), 0);
	CHECK_INT(audit_mounts(&plan, root, &err), -EPERM);
	CHECK_INT(err.code, CODE_SELF_AUDIT);
	CHECK_STR(err.text,
		  "self-audit: masked path `/x`: it is not as the configuration wants it");
	plan.masked_paths_len = 0;
	plan.readonly_paths_len = 1;
	CHECK_INT(audit_mounts(&plan, root, &err), -EPERM);
	CHECK(str_after(err.text, "self-audit: read-only path `/x`: "));
	plan.readonly_paths_len = 0;
	plan.mounts = ops;
	plan.mounts_len = 1;
	CHECK_INT(audit_mounts(&plan, root, &err), -EPERM);
	CHECK(str_after(err.text, "self-audit: mount to `/x`: "));
	/* Something else lies on it. */
	plan.mounts_len = 2;
	CHECK_INT(audit_mounts(&plan, root, &err), 0);
	plan.root_readonly = true;
	CHECK_INT(audit_mounts(&plan, root, &err), -EPERM);
	CHECK(str_after(err.text, "self-audit: root filesystem `/`: "));
	CHECK_INT(unlinkat(root, "x", AT_REMOVEDIR), 0);
	close(root);
	tempdir_remove(&dir);
}

TEST_MAIN()
