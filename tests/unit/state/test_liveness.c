// SPDX-License-Identifier: Apache-2.0
// Which process a recorded pid is: itself, a zombie, somebody else, or nobody.
#include "state/liveness.h"

#include "../test.h"
#include "base/cleanup.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

static pid_t sleeper(void)
{
	pid_t pid = fork();

	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		for (;;)
			pause();
	}
	return pid;
}

/* Kills PID and waits until it is a zombie, without reaping it. */
static void make_zombie(pid_t pid)
{
	siginfo_t info;

	kill(pid, SIGKILL);
	waitid(P_PID, (id_t)pid, &info, WEXITED | WNOWAIT);
}

TEST(we_are_alive_and_start_times_grow)
{
	uint64_t ours, theirs;
	bool dead = true;
	pid_t pid = sleeper();

	CHECK(pid > 0);
	CHECK_INT(process_start_time(getpid(), &ours, &dead), 0);
	CHECK(!dead && ours > 0);
	CHECK_INT(process_start_time(pid, &theirs, &dead), 0);
	CHECK(!dead && theirs >= ours);
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
}

TEST(a_living_process_gives_a_pidfd_that_is_closed_on_exec)
{
	uint64_t time;
	bool dead;
	pid_t pid = sleeper();
	int fd;

	CHECK_INT(process_start_time(pid, &time, &dead), 0);
	fd = process_open(pid, time, NULL);
	CHECK(fd >= 0 && (fcntl(fd, F_GETFD) & FD_CLOEXEC));
	close(fd);
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
}

TEST(an_execve_is_seen)
{
	uint64_t time;
	bool dead, executed = true;
	pid_t pid = sleeper();
	int fd, born[2];

	CHECK_INT(process_start_time(pid, &time, &dead), 0);
	fd = process_open(pid, time, &executed);
	CHECK(fd >= 0 && !executed);
	close(fd);
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	CHECK_INT(pipe2(born, O_CLOEXEC), 0);
	pid = fork();
	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		execlp("sleep", "sleep", "1000", NULL);
		_exit(127);
	}
	close(born[1]);
	/* Until the execve closes the pipe. */
	CHECK_INT(read(born[0], &(char){0}, 1), 0);
	close(born[0]);
	CHECK_INT(process_start_time(pid, &time, &dead), 0);
	fd = process_open(pid, time, &executed);
	CHECK(fd >= 0 && executed);
	close(fd);
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
}

TEST(another_start_time_is_another_process)
{
	uint64_t time;
	bool dead;
	pid_t pid = sleeper();

	CHECK_INT(process_start_time(pid, &time, &dead), 0);
	CHECK_INT(process_open(pid, time + 1, NULL), -ESRCH);
	CHECK_INT(process_open(pid, time - 1, NULL), -ESRCH);
	CHECK_INT(process_open(pid, 0, NULL), -ESRCH);
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
}

TEST(a_zombie_is_dead)
{
	uint64_t time;
	bool dead = false;
	pid_t pid = sleeper();
	int r, r_open;

	CHECK_INT(process_start_time(pid, &time, &dead), 0);
	make_zombie(pid);
	r = process_start_time(pid, &time, &dead);
	r_open = process_open(pid, time, NULL);
	waitpid(pid, NULL, 0);
	CHECK_INT(r, 0);
	CHECK(dead);
	CHECK_INT(r_open, -ESRCH);
}

TEST(a_reaped_process_is_gone)
{
	uint64_t time;
	bool dead;
	pid_t pid = sleeper();

	CHECK_INT(process_start_time(pid, &time, &dead), 0);
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	CHECK_INT(process_start_time(pid, &time, &dead), -ESRCH);
	CHECK_INT(process_open(pid, time, NULL), -ESRCH);
}

TEST(numbers_that_are_no_process)
{
	uint64_t time;
	bool dead;

	CHECK_INT(process_start_time(0, &time, &dead), -ESRCH);
	CHECK_INT(process_start_time(-1, &time, &dead), -ESRCH);
	CHECK_INT(process_open(0, 1, NULL), -ESRCH);
	CHECK_INT(process_open(-1, 1, NULL), -ESRCH);
}

TEST(names_with_brackets_and_blanks_do_not_confuse_it)
{
	static const char *const names[] = {") Z 1 (", "a b) c", "((", "))", ")\n(", ""};
	char before[16] = "";
	uint64_t time, again;
	bool dead;

	prctl(PR_GET_NAME, before);
	CHECK_INT(process_start_time(getpid(), &time, &dead), 0);
	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		prctl(PR_SET_NAME, names[i]);
		CHECK_INT(process_start_time(getpid(), &again, &dead), 0);
		CHECK(again == time && !dead);
	}
	prctl(PR_SET_NAME, before);
}

static void *stay(void *unused)
{
	(void)unused;
	for (;;)
		pause();
	return NULL;
}

TEST(a_process_whose_main_thread_ended_is_alive)
{
	uint64_t time;
	bool dead = false;
	pid_t pid = fork();
	int fd;

	if (pid == 0) {
		pthread_t thread;

		prctl(PR_SET_PDEATHSIG, SIGKILL);
		if (pthread_create(&thread, NULL, stay, NULL) != 0)
			_exit(1);
		pthread_exit(NULL);
	}
	for (int i = 0; i < 6000 && !dead; i++) {
		CHECK_INT(process_start_time(pid, &time, &dead), 0);
		poll(NULL, 0, 10);
	}
	CHECK(dead);
	fd = process_open(pid, time, NULL);
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	CHECK(fd >= 0);
	close(fd);
}

TEST_MAIN()
