// SPDX-License-Identifier: Apache-2.0
// Handles of processes where pidfd_open(2) and pidfd_send_signal(2) are missing.
#include "sys/pidfd.h"

#include "base/cleanup.h"

#include "../test.h"
#include "../without.h"

#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>

static pid_t sleeper(void)
{
	pid_t pid = fork();

	if (pid == 0) {
		pause();
		_exit(0);
	}
	return pid;
}

TEST(an_end_is_seen_before_anybody_reaps_it)
{
	const struct deadline soon = deadline_in(30), later = deadline_in(60000);
	pid_t pid = sleeper();
	_cleanup_close_ int fd = sys_pidfd_open(pid);

	CHECK(fd >= 0);
	CHECK_INT(sys_pidfd_wait(&soon, fd), -ETIMEDOUT);
	CHECK_INT(sys_pidfd_send_signal(fd, SIGKILL), 0);
	CHECK_INT(sys_pidfd_wait(&later, fd), 0);
	CHECK_INT(waitpid(pid, NULL, 0), pid);
	CHECK_INT(sys_pidfd_wait(&later, fd), 0);
	CHECK_INT(sys_pidfd_send_signal(fd, SIGKILL), -ESRCH);
}

TEST(who_cannot_look_does_not_take_it_for_dead)
{
	const struct deadline later = deadline_in(60000);
	struct rlimit old, none;
	pid_t pid = sleeper();
	_cleanup_close_ int fd = sys_pidfd_open(pid);

	CHECK(fd >= 0);
	CHECK_INT(getrlimit(RLIMIT_NOFILE, &old), 0);
	none = old;
	none.rlim_cur = 0;
	CHECK_INT(setrlimit(RLIMIT_NOFILE, &none), 0);
	CHECK_INT(sys_pidfd_wait(&later, fd), -EMFILE);
	CHECK_INT(setrlimit(RLIMIT_NOFILE, &old), 0);
	kill(pid, SIGKILL);
	CHECK_INT(waitpid(pid, NULL, 0), pid);
}

int main(void)
{
	without_call(SYS_pidfd_open);
	without_call(SYS_pidfd_send_signal);
	return test_run_all();
}
