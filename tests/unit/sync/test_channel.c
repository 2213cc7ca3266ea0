// SPDX-License-Identifier: Apache-2.0
// The channel: every kind arrives once with its fd, and whatever is not expected is refused by name without leaking.
#include "sync/channel.h"

#include "base/cleanup.h"
#include "base/log.h"

#include "../test.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

/* A deadline as a value. */
#define IN_MS(ms) (&(struct deadline){.at = clock_ms() + (ms), .cancel_fd = -1})

static struct crun_error err;
static struct channel host, init;

static void open_pair(void)
{
	memset(&err, 0, sizeof(err));
	if (channel_pair(&host, &init, &err) < 0) {
		fputs(err.text, stderr);
		abort();
	}
}

static void close_pair(void)
{
	channel_close(&host);
	channel_close(&init);
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

/* Sends raw bytes with N fds. */
static void send_raw(const void *data, size_t len, const int *fds, size_t n)
{
	struct iovec iov = {.iov_base = (void *)data, .iov_len = len};
	union {
		struct cmsghdr align;
		char buf[CMSG_SPACE(8 * sizeof(int))];
	} control = {0};
	struct msghdr mh = {.msg_iov = &iov, .msg_iovlen = 1};

	if (n) {
		struct cmsghdr *c;

		mh.msg_control = control.buf;
		mh.msg_controllen = CMSG_SPACE(n * sizeof(int));
		c = CMSG_FIRSTHDR(&mh);
		c->cmsg_level = SOL_SOCKET;
		c->cmsg_type = SCM_RIGHTS;
		c->cmsg_len = CMSG_LEN(n * sizeof(int));
		memcpy(CMSG_DATA(c), fds, n * sizeof(int));
	}
	if (sendmsg(init.fd, &mh, MSG_NOSIGNAL) < 0)
		perror("sendmsg");
}

static struct {
	int n, level;
	char text[2048];
} logged;

static void keep_log(void *data, enum crun_log_level level, const char *text)
{
	(void)data;
	logged.n++;
	logged.level = level;
	snprintf(logged.text, sizeof(logged.text), "%s", text);
}

static const enum message_kind plain[] = {MSG_GO,     MSG_PAUSED, MSG_RESUME,
					  MSG_FILTER, MSG_READY,  MSG_START};
static const char *const plain_names[] = {"GO", "PAUSED", "RESUME", "FILTER", "READY", "START"};

TEST(both_ends_are_closed_on_exec)
{
	open_pair();
	CHECK(fcntl(host.fd, F_GETFD) & FD_CLOEXEC);
	CHECK(fcntl(init.fd, F_GETFD) & FD_CLOEXEC);
	close_pair();
	CHECK_INT(host.fd, FD_NONE);
	close_pair();
}

TEST(each_kind_arrives_once_in_order)
{
	open_pair();
	for (size_t i = 0; i < ARRAY_LEN(plain); i++)
		CHECK_INT(channel_send(&init, plain[i], FD_NONE, &err), 0);
	for (size_t i = 0; i < ARRAY_LEN(plain); i++) {
		int fd = 77;

		CHECK_INT(channel_expect(&host, plain[i], NULL, &fd, &err), 0);
		CHECK_INT(fd, FD_NONE);
	}
	CHECK_INT(channel_expect(&host, MSG_GO, IN_MS(0), NULL, &err), -ETIMEDOUT);
	close_pair();
}

TEST(each_pair_of_kinds_names_both)
{
	char want[128];

	for (size_t sent = 0; sent < ARRAY_LEN(plain); sent++) {
		for (size_t expected = 0; expected < ARRAY_LEN(plain); expected++) {
			if (sent == expected)
				continue;
			open_pair();
			CHECK_INT(channel_send(&init, plain[sent], FD_NONE, &err), 0);
			CHECK_INT(channel_expect(&host, plain[expected], NULL, NULL, &err),
				  -EPROTO);
			snprintf(want, sizeof(want), "expected %s from the init process, got %s",
				 plain_names[expected], plain_names[sent]);
			CHECK_STR(err.text, want);
			CHECK_INT(err.kind, KIND_INTERNAL);
			close_pair();
		}
	}
}

TEST(an_fd_is_passed_once)
{
	int before = open_fds(), got = FD_NONE, fd;
	struct stat a, b;

	open_pair();
	fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
	CHECK_INT(channel_send(&init, MSG_READY, fd, &err), 0);
	CHECK_INT(channel_expect(&host, MSG_READY, NULL, &got, &err), 0);
	CHECK(got >= 0 && got != fd);
	CHECK(fstat(fd, &a) == 0 && fstat(got, &b) == 0);
	CHECK(a.st_ino == b.st_ino && a.st_dev == b.st_dev);
	CHECK(fcntl(got, F_GETFD) & FD_CLOEXEC);
	CHECK_INT(open_fds(), before + 4);
	close(got);
	close(fd);
	close_pair();
	CHECK_INT(open_fds(), before);
}

/* Nobody asked, the wrong message, a log line, a failure, the end: the fd is closed each time. */
TEST(an_fd_that_is_not_taken_is_closed)
{
	uint32_t log_message_[3] = {MSG_LOG, 0, 0};
	int before = open_fds();

	for (int way = 0; way < 5; way++) {
		int fd = open("/dev/null", O_RDONLY | O_CLOEXEC), got = 77;

		open_pair();
		if (way == 2)
			send_raw(log_message_, sizeof(log_message_), &fd, 1);
		CHECK_INT(channel_send(&init, MSG_READY, fd, &err), 0);
		close(fd);
		if (way == 0)
			CHECK_INT(channel_expect(&host, MSG_READY, NULL, NULL, &err), 0);
		else if (way == 1)
			CHECK_INT(channel_expect(&host, MSG_GO, NULL, &got, &err), -EPROTO);
		else if (way == 2)
			CHECK_INT(channel_expect(&host, MSG_READY, NULL, NULL, &err), 0);
		else if (way == 3)
			CHECK_INT(channel_expect_eof(&host, NULL, &err), -EPROTO);
		/* 4: nobody reads */
		CHECK_INT(got, 77);
		close_pair();
		CHECK_INT(open_fds(), before);
	}
}

/* The control buffer's padding has room for two. */
TEST(of_many_fds_none_leaks)
{
	int before = open_fds();

	for (size_t n = 1; n <= 8; n++) {
		int fds[8], got = FD_NONE;
		uint32_t message[2] = {MSG_READY, 0};

		for (size_t i = 0; i < n; i++)
			fds[i] = open("/dev/null", O_RDONLY | O_CLOEXEC);
		open_pair();
		send_raw(message, sizeof(message), fds, n);
		for (size_t i = 0; i < n; i++)
			close(fds[i]);
		CHECK_INT(channel_expect(&host, MSG_READY, NULL, &got, &err), 0);
		CHECK(got >= 0);
		close(got);
		close_pair();
		CHECK_INT(open_fds(), before);
	}
}

TEST(a_message_without_room_for_its_fd)
{
	int fd = open("/dev/null", O_RDONLY | O_CLOEXEC), got = 77;
	struct rlimit limit, none;
	int r;

	open_pair();
	CHECK_INT(channel_send(&init, MSG_READY, fd, &err), 0);
	getrlimit(RLIMIT_NOFILE, &limit);
	none = limit;
	none.rlim_cur = 3;
	setrlimit(RLIMIT_NOFILE, &none);
	r = channel_expect(&host, MSG_READY, NULL, &got, &err);
	setrlimit(RLIMIT_NOFILE, &limit);
	CHECK_INT(r, 0);
	CHECK_INT(got, FD_NONE);
	close(fd);
	close_pair();
}

TEST(the_end_is_named)
{
	open_pair();
	channel_close(&init);
	CHECK_INT(channel_expect(&host, MSG_READY, NULL, NULL, &err), -EPIPE);
	CHECK_INT(err.kind, KIND_INTERNAL);
	CHECK(strstr(err.text, "read from the init process"));
	CHECK(strstr(err.text, "READY"));
	CHECK_INT(channel_expect_eof(&host, NULL, &err), 0);
	CHECK_INT(channel_send(&host, MSG_GO, FD_NONE, &err), -EPIPE);
	CHECK(strstr(err.text, "send GO to the init process"));
	close_pair();
}

TEST(the_end_after_unread_messages_of_ours)
{
	open_pair();
	CHECK_INT(channel_send(&host, MSG_GO, FD_NONE, &err), 0);
	channel_close(&init);
	CHECK_INT(channel_expect(&host, MSG_READY, NULL, NULL, &err), -EPIPE);
	CHECK(strstr(err.text, "read from the init process"));
	close_pair();
	open_pair();
	CHECK_INT(channel_send(&host, MSG_GO, FD_NONE, &err), 0);
	channel_close(&init);
	CHECK_INT(channel_expect_eof(&host, NULL, &err), 0);
	close_pair();
}

TEST(what_was_said_before_the_end_is_heard)
{
	struct crun_error failure = {0};

	open_pair();
	err_set(&failure, KIND_HOOK, EINTR, "hook failed");
	CHECK_INT(channel_send_error(&init, &failure), 0);
	channel_close(&init);
	CHECK_INT(channel_send(&host, MSG_GO, FD_NONE, &err), -EPIPE);
	CHECK_INT(channel_expect_eof(&host, NULL, &err), -EINTR);
	CHECK_STR(err.text, "hook failed");
	close_pair();
}

TEST(a_failure_travels_whole)
{
	struct crun_error failure = {0};

	open_pair();
	err_sys(&failure, -EACCES, "open `/x`");
	err_in(&failure, "mount to `/y`");
	err_at(&failure, "/mounts/7");
	CHECK_INT(channel_send_error(&init, &failure), 0);
	CHECK_INT(channel_expect(&host, MSG_READY, NULL, NULL, &err), -EACCES);
	CHECK(memcmp(&err, &failure, sizeof(err)) == 0);
	CHECK_INT(channel_send_error(&init, &failure), 0);
	CHECK_INT(channel_expect_eof(&host, NULL, &err), -EACCES);
	CHECK(memcmp(&err, &failure, sizeof(err)) == 0);
	close_pair();
}

/* A failure without an errno would look like a success to the caller; one without an end would be read beyond. */
TEST(a_broken_failure_is_a_failure)
{
	struct crun_error failure;

	open_pair();
	memset(&failure, 'x', sizeof(failure));
	failure.errnum = 0;
	CHECK_INT(channel_send_error(&init, &failure), 0);
	CHECK_INT(channel_expect(&host, MSG_READY, NULL, NULL, &err), -EPROTO);
	CHECK_INT(strlen(err.text), sizeof(err.text) - 1);
	CHECK_INT(strlen(err.at), sizeof(err.at) - 1);
	failure.errnum = INT32_MIN;
	CHECK_INT(channel_send_error(&init, &failure), 0);
	CHECK_INT(channel_expect(&host, MSG_READY, NULL, NULL, &err), -EPROTO);
	close_pair();
}

TEST(log_lines_are_passed_on)
{
	char long_text[4000];

	memset(&logged, 0, sizeof(logged));
	log_set_sink(keep_log, NULL, LOG_LEVEL_DEBUG);
	open_pair();
	CHECK_INT(channel_send_log(&init, LOG_LEVEL_WARNING, "careful"), 0);
	CHECK_INT(channel_send_log(&init, LOG_LEVEL_DEBUG, "detail"), 0);
	CHECK_INT(channel_send_log(&init, LOG_LEVEL_DEBUG, ""), 0);
	CHECK_INT(channel_send(&init, MSG_READY, FD_NONE, &err), 0);
	CHECK_INT(channel_expect(&host, MSG_READY, NULL, NULL, &err), 0);
	CHECK_INT(logged.n, 3);
	CHECK_STR(logged.text, "");
	CHECK_INT(logged.level, LOG_LEVEL_DEBUG);

	memset(long_text, 'l', sizeof(long_text) - 1);
	long_text[sizeof(long_text) - 1] = '\0';
	CHECK_INT(channel_send_log(&init, LOG_LEVEL_WARNING, long_text), 0);
	CHECK_INT(channel_send_log(&init, LOG_LEVEL_WARNING, "100 %s %n"), 0);
	channel_close(&init);
	CHECK_INT(channel_expect_eof(&host, NULL, &err), 0);
	CHECK_INT(logged.n, 5);
	CHECK_STR(logged.text, "100 %s %n");
	log_set_sink(NULL, NULL, LOG_LEVEL_ERROR);
	close_pair();
}

/* A text without its end must not show what happened to be in our memory. */
TEST(a_log_line_without_its_end)
{
	struct {
		uint32_t kind;
		int32_t level;
		char text[3];
	} message = {MSG_LOG, LOG_LEVEL_WARNING, {'a', 'b', 'c'}};

	memset(&logged, 0, sizeof(logged));
	log_set_sink(keep_log, NULL, LOG_LEVEL_DEBUG);
	open_pair();
	CHECK_INT(channel_send_log(&init, LOG_LEVEL_WARNING, "something longer"), 0);
	send_raw(&message, offsetof(typeof(message), text) + 3, NULL, 0);
	CHECK_INT(channel_send(&init, MSG_READY, FD_NONE, &err), 0);
	CHECK_INT(channel_expect(&host, MSG_READY, NULL, NULL, &err), 0);
	CHECK_STR(logged.text, "abc");
	log_set_sink(NULL, NULL, LOG_LEVEL_ERROR);
	close_pair();
}

TEST(garbage_is_refused)
{
	static char big[8192];

	for (size_t len = 1; len < sizeof(big); len += len < 16 ? 1 : 509) {
		for (int fill = 0; fill < 2; fill++) {
			memset(big, fill ? 0xee : 0, sizeof(big));
			open_pair();
			send_raw(big, len, NULL, 0);
			CHECK_INT(channel_expect(&host, MSG_GO, NULL, NULL, &err), -EPROTO);
			CHECK_STR(err.text, "expected GO from the init process, got garbage");
			send_raw(big, len, NULL, 0);
			CHECK_INT(channel_expect_eof(&host, NULL, &err), -EPROTO);
			CHECK_STR(err.text, "unexpected garbage from the init process");
			close_pair();
		}
	}
}

TEST(short_messages_are_no_messages)
{
	for (uint32_t kind = MSG_GO; kind < MSG_KIND_MAX; kind++) {
		uint32_t message[2] = {kind, 0};

		for (size_t len = 1; len < sizeof(message); len++) {
			open_pair();
			send_raw(message, len, NULL, 0);
			CHECK_INT(channel_expect(&host, (enum message_kind)kind, NULL, NULL, &err),
				  -EPROTO);
			close_pair();
		}
	}
}

/* A failure of another length comes from another version: no field of it can be trusted. */
TEST(a_cut_failure_is_named)
{
	char message[8 + sizeof(struct crun_error)] = {0};
	uint32_t kind = MSG_FAILED;

	memcpy(message, &kind, sizeof(kind));
	open_pair();
	send_raw(message, sizeof(message) - 1, NULL, 0);
	CHECK_INT(channel_expect(&host, MSG_READY, NULL, NULL, &err), -EPROTO);
	CHECK_STR(err.text, "expected READY from the init process, got FAILED");
	close_pair();
}

static long elapsed_ms(const struct timespec *since)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (now.tv_sec - since->tv_sec) * 1000 + (now.tv_nsec - since->tv_nsec) / 1000000;
}

TEST(a_deadline_passes)
{
	struct timespec start;

	open_pair();
	clock_gettime(CLOCK_MONOTONIC, &start);
	CHECK_INT(channel_expect(&host, MSG_READY, IN_MS(30), NULL, &err), -ETIMEDOUT);
	CHECK(elapsed_ms(&start) >= 29);
	CHECK_INT(err.kind, KIND_TIMEOUT);
	CHECK_STR(err.text, "waiting for the init process: not done after 0 s");
	CHECK_INT(channel_send(&init, MSG_READY, FD_NONE, &err), 0);
	CHECK_INT(channel_expect(&host, MSG_READY, IN_MS(0), NULL, &err), 0);
	close_pair();
}

/* Log lines do not extend the deadline, and a signal does not shorten it. */
static void on_alarm(int sig)
{
	(void)sig;
	(void)channel_send_log(&init, LOG_LEVEL_DEBUG, "still here");
}

TEST(a_deadline_passes_whatever_comes)
{
	struct sigaction sa = {.sa_handler = on_alarm}, old;
	struct timespec start;
	timer_t timer;
	struct itimerspec every = {{0, 5000000}, {0, 5000000}};

	open_pair();
	sigaction(SIGALRM, &sa, &old);
	CHECK_INT(timer_create(CLOCK_MONOTONIC, NULL, &timer), 0);
	timer_settime(timer, 0, &every, NULL);
	clock_gettime(CLOCK_MONOTONIC, &start);
	CHECK_INT(channel_expect(&host, MSG_READY, IN_MS(60), NULL, &err), -ETIMEDOUT);
	timer_delete(timer);
	sigaction(SIGALRM, &old, NULL);
	CHECK(elapsed_ms(&start) >= 59);
	CHECK(elapsed_ms(&start) < 5000);
	close_pair();
}

/* The kernel says first that what we sent was not read. */
TEST(the_last_word_of_a_peer_that_left_our_message_unread)
{
	struct crun_error why, heard;

	open_pair();
	CHECK_INT(channel_send(&host, MSG_GO, FD_NONE, &err), 0);
	err_set(&why, CODE_HOOK_TIMEOUT, ETIMEDOUT, "the hook took too long");
	CHECK_INT(channel_send_log(&init, LOG_LEVEL_DEBUG, "giving up"), 0);
	CHECK_INT(channel_send_error(&init, &why), 0);
	channel_close(&init);
	CHECK_INT(channel_expect(&host, MSG_READY, NULL, NULL, &heard), -ETIMEDOUT);
	CHECK_STR(heard.text, why.text);
	CHECK(host.heard_failure);
	CHECK_INT(channel_expect_eof(&host, NULL, &heard), 0);
	close_pair();
}

/* Nothing but the reset: no word, and no endless asking. */
TEST(a_peer_that_left_our_message_unread_and_said_nothing)
{
	open_pair();
	CHECK_INT(channel_send(&host, MSG_GO, FD_NONE, &err), 0);
	channel_close(&init);
	CHECK_INT(channel_expect(&host, MSG_READY, NULL, NULL, &err), -EPIPE);
	CHECK(err.code == CODE_INIT_DIED && !host.heard_failure);
	close_pair();
}

TEST(a_dead_peer_raises_no_signal)
{
	struct sigaction fatal = {.sa_handler = SIG_DFL};

	sigaction(SIGPIPE, &fatal, NULL);
	open_pair();
	channel_close(&init);
	CHECK_INT(channel_send(&host, MSG_GO, FD_NONE, &err), -EPIPE);
	CHECK_INT(channel_send_log(&host, LOG_LEVEL_DEBUG, "x"), -EPIPE);
	CHECK_INT(channel_send_error(&host, &err), -EPIPE);
	close_pair();
}

TEST(a_closed_channel_says_so)
{
	struct channel none = {.fd = FD_NONE, .peer = "nobody"};

	CHECK_INT(channel_send(&none, MSG_GO, FD_NONE, &err), -EBADF);
	CHECK_INT(channel_expect(&none, MSG_GO, NULL, NULL, &err), -EBADF);
	CHECK_INT(channel_expect_eof(&none, NULL, &err), -EBADF);
}

TEST_MAIN()
