// SPDX-License-Identifier: Apache-2.0
// Tests of the process to try things in: what comes back from it, however it ends, and that nothing else does.
#include "spawn/probe.h"

#include "base/cleanup.h"
#include "sys/kernel.h"
#include "sys/mount.h"

#include "../test.h"

#include <errno.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static int says(const void *arg, char text[PROBE_TEXT])
{
	const int *r = arg;

	snprintf(text, PROBE_TEXT, "said");
	return *r;
}

static int run(int (*fn)(const void *, char *), const void *arg, unsigned flags, char *text)
{
	const struct probe p = {
		.flags = flags, .cgroup_fd = FD_NONE, .limit_ms = 300, .run = fn, .arg = arg};

	return probe_run(&p, text);
}

TEST(values_and_words_come_back)
{
	char text[PROBE_TEXT];

	CHECK_INT(run(says, &(int){5}, 0, text), 5);
	CHECK_STR(text, "said");
	CHECK_INT(run(says, &(int){-EACCES}, 0, text), -EACCES);
	CHECK_STR(text, "said");
}

static int hangs(const void *arg, char text[PROBE_TEXT])
{
	(void)arg;
	(void)text;
	pause();
	return 0;
}

TEST(what_hangs_is_killed)
{
	char text[PROBE_TEXT];

	CHECK_INT(run(hangs, NULL, 0, text), -ETIMEDOUT);
	CHECK_STR(text, "no answer within 300 ms");
	CHECK_INT(waitpid(-1, NULL, WNOHANG), -1);
	CHECK_INT(errno, ECHILD);
}

static int reports_and_hangs(const void *arg, char text[PROBE_TEXT])
{
	const int *fd = arg;
	pid_t self = getpid();

	if (write(*fd, &self, sizeof(self)) != sizeof(self))
		return -EIO;
	return hangs(NULL, text);
}

/* Its end of file: the pipe's last writer is gone. */
TEST(it_dies_with_who_made_it)
{
	const struct probe p = {.cgroup_fd = FD_NONE, .limit_ms = 60000, .run = reports_and_hangs};
	char text[PROBE_TEXT], byte;
	pid_t maker, pid;
	int fds[2];

	CHECK_INT(pipe(fds), 0);
	maker = fork();
	if (maker == 0) {
		struct probe q = p;

		q.arg = &fds[1];
		close(fds[0]);
		_exit(probe_run(&q, text) == 0);
	}
	close(fds[1]);
	CHECK_INT(read(fds[0], &pid, sizeof(pid)), sizeof(pid));
	CHECK_INT(kill(maker, SIGKILL), 0);
	CHECK_INT(waitpid(maker, NULL, 0), maker);
	alarm(60);
	CHECK_INT(read(fds[0], &byte, 1), 0);
	alarm(0);
	close(fds[0]);
}

static int dies(const void *arg, char text[PROBE_TEXT])
{
	snprintf(text, PROBE_TEXT, "never read");
	return arg ? 0 : kill(getpid(), SIGSYS);
}

TEST(what_is_killed_does_not_kill_us)
{
	char text[PROBE_TEXT];
	int r = run(dies, NULL, 0, text);

	CHECK_INT(r, -ECHILD);
	CHECK_STR(text, "killed by signal 31");
}

static int is_root_and_mounts(const void *arg, char text[PROBE_TEXT])
{
	(void)arg;
	if (geteuid() != 0 || getegid() != 0)
		return -EINVAL;
	snprintf(text, PROBE_TEXT, "mount");
	return sys_mount("tmpfs", "/tmp", "tmpfs", 0, NULL);
}

/* The device of /tmp: another one if something was mounted on it. */
static dev_t device_of_tmp(void)
{
	struct stat st;

	return stat("/tmp", &st) == 0 ? st.st_dev : 0;
}

TEST(namespaces_are_the_childs_own)
{
	dev_t before = device_of_tmp();
	char text[PROBE_TEXT];
	int r = run(is_root_and_mounts, NULL, CLONE_NEWUSER | CLONE_NEWNS, text);

	if (r < 0 && strcmp(text, "mount") != 0)
		SKIP("no user namespaces");
	CHECK_INT(r, 0);
	CHECK(device_of_tmp() == before);
}

TEST_MAIN()
