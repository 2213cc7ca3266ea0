// SPDX-License-Identifier: Apache-2.0
// sys/deadline.c: waits end in time, by what they wait for, or by a signal.
#include "sys/deadline.h"

#include "base/cleanup.h"
#include "../test.h"

#include <errno.h>
#include <signal.h>
#include <sys/signalfd.h>

#define SHORT_MS 30
#define LONG_MS	 60000

TEST(without_an_end_any_time_is_left)
{
	struct deadline none = deadline_none();

	CHECK_INT(deadline_left(&none), -1);
	CHECK_INT(deadline_left(NULL), -1);
	none = deadline_in(DEADLINE_NEVER);
	CHECK_INT(deadline_left(&none), -1);
	CHECK_INT(none.cancel_fd, FD_NONE);
}

TEST(time_left_is_counted_down_to_the_end)
{
	struct deadline d = deadline_in(LONG_MS);

	CHECK(deadline_left(&d) > LONG_MS / 2);
	CHECK(deadline_left(&d) <= LONG_MS);
	CHECK_INT(deadline_check(&d), 0);
	d = deadline_in(0);
	CHECK_INT(deadline_left(&d), 0);
	CHECK_INT(deadline_check(&d), -ETIMEDOUT);
	CHECK_INT(deadline_check(NULL), 0);
	/* poll(2) takes an int. */
	d = deadline_in(INT64_C(1) << 40);
	CHECK(deadline_left(&d) > 0);
}

TEST(default_counts_without_an_end_only)
{
	struct deadline d = deadline_none(), got;

	d.cancel_fd = 77;
	got = deadline_or(&d, LONG_MS);
	CHECK(deadline_left(&got) > SHORT_MS);
	CHECK_INT(got.cancel_fd, 77);
	CHECK_INT(got.limit, LONG_MS);
	d = deadline_in(SHORT_MS);
	got = deadline_or(&d, LONG_MS);
	CHECK(deadline_left(&got) <= SHORT_MS);
	CHECK_INT(got.limit, SHORT_MS);
	got = deadline_or(NULL, SHORT_MS);
	CHECK(deadline_left(&got) <= SHORT_MS);
	got = deadline_or(NULL, DEADLINE_NEVER);
	CHECK_INT(deadline_left(&got), -1);
}

TEST(within_takes_the_sooner)
{
	struct deadline d = deadline_in(LONG_MS), got;

	d.cancel_fd = 77;
	got = deadline_within(&d, SHORT_MS);
	CHECK(deadline_left(&got) <= SHORT_MS);
	CHECK_INT(got.cancel_fd, 77);
	d = deadline_in(SHORT_MS);
	got = deadline_within(&d, LONG_MS);
	CHECK(deadline_left(&got) <= SHORT_MS);
	got = deadline_within(&d, DEADLINE_NEVER);
	CHECK(deadline_left(&got) <= SHORT_MS);
	d = deadline_none();
	got = deadline_within(&d, DEADLINE_NEVER);
	CHECK_INT(deadline_left(&got), -1);
}

TEST(poll_times_out)
{
	_cleanup_close_ int rd = FD_NONE, wr = FD_NONE;
	struct deadline d = deadline_in(SHORT_MS);
	int64_t begin = clock_ms();
	int fds[2];

	CHECK_INT(pipe(fds), 0);
	rd = fds[0];
	wr = fds[1];
	CHECK_INT(deadline_wait_in(&d, rd), -ETIMEDOUT);
	CHECK(clock_ms() - begin >= SHORT_MS - 1);
	CHECK_INT(write(wr, "x", 1), 1);
	/* What is there already is found also when the time is over. */
	CHECK_INT(deadline_wait_in(&d, rd), 0);
}

TEST(pause_ends_with_the_deadline)
{
	struct deadline d = deadline_in(LONG_MS);
	int64_t begin = clock_ms();

	CHECK_INT(deadline_pause(&d, SHORT_MS), 0);
	CHECK(clock_ms() - begin >= SHORT_MS - 1);
	CHECK_INT(deadline_pause(NULL, 1), 0);
	d = deadline_in(SHORT_MS);
	begin = clock_ms();
	CHECK_INT(deadline_pause(&d, LONG_MS), -ETIMEDOUT);
	CHECK(clock_ms() - begin < LONG_MS / 2);
}

TEST(a_signal_cancels)
{
	_cleanup_close_ int sigfd = FD_NONE;
	struct deadline d = deadline_none();
	struct crun_error err = {0};
	sigset_t set, old;

	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	CHECK_INT(sigprocmask(SIG_BLOCK, &set, &old), 0);
	sigfd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	CHECK(sigfd >= 0);
	d.cancel_fd = sigfd;
	CHECK_INT(raise(SIGTERM), 0);
	CHECK_INT(deadline_poll(&d, NULL, 0), -ECANCELED);
	CHECK_INT(deadline_check(&d), -ECANCELED);
	/* What is ready counts more. */
	CHECK_INT(deadline_wait_in(&d, sigfd), 0);
	/* Not read yet: whoever waits next is told as well. */
	CHECK_INT(deadline_pause(&d, SHORT_MS), -ECANCELED);
	CHECK_INT(deadline_err(&d, -ECANCELED, &err, "waiting for %s", "Godot"), -EINTR);
	CHECK_STR(err.text, "waiting for Godot: interrupted by signal 15");
	CHECK_INT(err.kind, KIND_INTERRUPTED);
	CHECK_INT(err.signal, SIGTERM);
	CHECK_INT(deadline_pause(&d, 1), 0);
	CHECK_INT(deadline_check(&d), 0);
	CHECK_INT(sigprocmask(SIG_SETMASK, &old, NULL), 0);
}

TEST(errors_say_what_was_waited_for_and_how_long)
{
	struct deadline d = deadline_in(5000);
	struct crun_error err;

	CHECK_INT(deadline_err(&d, -ETIMEDOUT, &err, "removing cgroup `%s`", "/a"), -ETIMEDOUT);
	CHECK_STR(err.text, "removing cgroup `/a`: not done after 5 s");
	CHECK_INT(err.kind, KIND_TIMEOUT);
	d = deadline_in(1050);
	CHECK_INT(deadline_err(&d, -ETIMEDOUT, &err, "x"), -ETIMEDOUT);
	CHECK_STR(err.text, "x: not done after 1.050 s");
	CHECK_INT(deadline_err(&d, -ENOENT, &err, "x"), -ENOENT);
	CHECK_STR(err.text, "x: No such file or directory");
	CHECK_INT(err.kind, KIND_SYSTEM);
}

TEST_MAIN()
