// SPDX-License-Identifier: Apache-2.0
// The self-audit finds what is wrong with a process: each child is made as the plan says, then in one respect otherwise.
#include "base/str.h"
#include "init/last/audit.h"
#include "sys/cred.h"

#include "../state/tempdir.h"
#include "../test.h"

#include <fcntl.h>
#include <linux/mount.h>
#include <signal.h>
#include <stdlib.h>
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
	last = (struct last){.plan = &plan, .channel = &channel};
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
