// SPDX-License-Identifier: Apache-2.0
// The proxied terminal step by step: every kind of stream that a caller may give us, and what is left as it was.
#include "host/terminal.h"

#include "../test.h"
#include "ptys.h"

#include <sys/stat.h>

/* Polls and steps until COND or a deadline. */
#define STEP_UNTIL(t, cond)                                                      \
	({                                                                       \
		int left_ = 2000;                                                \
		while (!(cond) && left_-- > 0) {                                 \
			struct pollfd fds_[TERMINAL_POLLFDS];                    \
			int wait_ = terminal_poll((t), fds_);                    \
			CHECK(poll(fds_, TERMINAL_POLLFDS, wait_ ? 5 : 0) >= 0); \
			terminal_step((t), fds_);                                \
		}                                                                \
		left_ > 0;                                                       \
	})

/* The payload's side is a raw terminal, so that bytes are what they are. */
static int open_payload(int *master, int *slave)
{
	struct termios attrs;

	if (pty_pair(master, slave) < 0 || sys_tty_get_attrs(*slave, &attrs) < 0)
		return -1;
	cfmakeraw(&attrs);
	return sys_tty_set_attrs(*slave, &attrs);
}

static bool has_input(int fd)
{
	return wait_in(fd, 0) > 0;
}

static bool reads(int fd, const char *text)
{
	char data[256] = "";
	ssize_t n = wait_in(fd, 30000) > 0 ? read(fd, data, sizeof(data) - 1) : -1;

	return n == (ssize_t)strlen(text) && memcmp(data, text, strlen(text)) == 0;
}

/* Both ways over IN (its far end: IN_FAR) and OUT (OUT_FAR). */
static void check_streams(int in, int in_far, int out, int out_far)
{
	_cleanup_terminal_ struct terminal t = {0};
	_cleanup_close_ int slave = FD_NONE;
	struct crun_error err = {0};
	int master, stdio[3] = {in, out, out};
	int in_flags = fcntl(in, F_GETFL), out_flags = fcntl(out, F_GETFL);

	CHECK_INT(open_payload(&master, &slave), 0);
	CHECK_INT(terminal_begin(&t, master, stdio, false, &err), 0);
	CHECK_INT(write(slave, "to the user", 11), 11);
	CHECK(STEP_UNTIL(&t, has_input(out_far)));
	CHECK(reads(out_far, "to the user"));
	CHECK_INT(write(in_far, "to the payload", 14), 14);
	CHECK(STEP_UNTIL(&t, has_input(slave)));
	CHECK(reads(slave, "to the payload"));
	/* The descriptions are shared with other processes: they must not become non-blocking. */
	CHECK_INT(fcntl(in, F_GETFL), in_flags);
	CHECK_INT(fcntl(out, F_GETFL), out_flags);
	CHECK_INT(write(slave, "last", 4), 4);
	terminal_payload_ended(&t);
	CHECK(STEP_UNTIL(&t, terminal_drained(&t)));
	CHECK(reads(out_far, "last"));
	terminal_done(&t);
	CHECK(fcntl(in, F_GETFD) >= 0 && fcntl(out, F_GETFD) >= 0); /* borrowed */
}

TEST(pipes)
{
	int in[2], out[2];

	CHECK_INT(pipe2(in, O_CLOEXEC), 0);
	CHECK_INT(pipe2(out, O_CLOEXEC), 0);
	check_streams(in[0], in[1], out[1], out[0]);
	for (int i = 0; i < 2; i++) {
		close(in[i]);
		close(out[i]);
	}
}

TEST(sockets)
{
	int pair[2];

	CHECK_INT(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
	check_streams(pair[0], pair[1], pair[0], pair[1]);
	close(pair[0]);
	close(pair[1]);
}

TEST(terminals)
{
	int master, slave;

	CHECK_INT(pty_pair(&master, &slave), 0);
	check_streams(slave, master, slave, master);
	close(master);
	close(slave);
}

TEST(output_to_a_regular_file_is_appended_where_the_caller_is)
{
	_cleanup_terminal_ struct terminal t = {0};
	_cleanup_close_ int slave = FD_NONE, file = FD_NONE,
			    null = open("/dev/null", O_RDWR | O_CLOEXEC);
	char path[] = "/tmp/terminal-XXXXXX", data[32] = "";
	struct crun_error err = {0};
	int master, stdio[3];

	file = mkostemp(path, O_CLOEXEC);
	CHECK(file >= 0 && null >= 0);
	unlink(path);
	CHECK_INT(write(file, "before ", 7), 7);
	CHECK_INT(open_payload(&master, &slave), 0);
	stdio[0] = null;
	stdio[1] = stdio[2] = file;
	CHECK_INT(terminal_begin(&t, master, stdio, false, &err), 0);
	CHECK_INT(write(slave, "after", 5), 5);
	terminal_payload_ended(&t);
	CHECK(STEP_UNTIL(&t, terminal_drained(&t)));
	CHECK_INT(pread(file, data, sizeof(data) - 1, 0), 12);
	CHECK_STR(data, "before after");
}

TEST(input_from_a_regular_file_ends)
{
	_cleanup_terminal_ struct terminal t = {0};
	_cleanup_close_ int slave = FD_NONE, file = FD_NONE,
			    null = open("/dev/null", O_RDWR | O_CLOEXEC);
	char path[] = "/tmp/terminal-XXXXXX";
	struct crun_error err = {0};
	int master, stdio[3];

	file = mkostemp(path, O_CLOEXEC);
	CHECK(file >= 0 && null >= 0);
	unlink(path);
	CHECK_INT(pwrite(file, "line\n", 5, 0), 5);
	CHECK_INT(pty_pair(&master, &slave), 0); /* canonical */
	stdio[0] = file;
	stdio[1] = stdio[2] = null;
	CHECK_INT(terminal_begin(&t, master, stdio, false, &err), 0);
	CHECK(STEP_UNTIL(&t, has_input(slave)));
	CHECK(reads(slave, "line\n"));
	CHECK(STEP_UNTIL(&t, has_input(slave)));
	CHECK(reads(slave, ""));
	/* and then there is nothing to do: a poll of it would be a busy loop */
	CHECK(t.in.fd < 0 && t.input.len == 0);
}

TEST(closed_streams_are_like_dev_null)
{
	_cleanup_terminal_ struct terminal t = {0};
	_cleanup_close_ int slave = FD_NONE;
	struct crun_error err = {0};
	int master, stdio[3] = {1000, 1001, 1002};

	CHECK_INT(open_payload(&master, &slave), 0);
	CHECK_INT(terminal_begin(&t, master, stdio, false, &err), 0);
	CHECK_INT(write(slave, "text", 4), 4);
	terminal_payload_ended(&t);
	CHECK(STEP_UNTIL(&t, terminal_drained(&t)));
}

TEST(reader_that_is_gone_hangs_up_the_payload)
{
	_cleanup_terminal_ struct terminal t = {0};
	_cleanup_close_ int slave = FD_NONE;
	struct crun_error err = {0};
	int master, stdio[3], out[2];
	char byte;

	sigaction(SIGPIPE, &(struct sigaction){.sa_handler = SIG_IGN}, NULL);
	CHECK_INT(pipe2(out, O_CLOEXEC), 0);
	close(out[0]);
	stdio[0] = 1000;
	stdio[1] = stdio[2] = out[1];
	CHECK_INT(open_payload(&master, &slave), 0);
	CHECK_INT(terminal_begin(&t, master, stdio, false, &err), 0);
	CHECK_INT(write(slave, "text", 4), 4);
	CHECK(STEP_UNTIL(&t, t.master < 0));
	CHECK_INT(read(slave, &byte, 1), 0);
	CHECK(write(slave, "x", 1) < 0 && errno == EIO);
	terminal_payload_ended(&t);
	CHECK(terminal_drained(&t));
	close(out[1]);
}

TEST(fifo_without_a_writer_is_at_its_end)
{
	_cleanup_terminal_ struct terminal t = {0};
	_cleanup_close_ int slave = FD_NONE, fifo = FD_NONE, writer = FD_NONE,
			    null = open("/dev/null", O_RDWR | O_CLOEXEC);
	char dir[] = "/tmp/terminal-XXXXXX", path[64];
	struct crun_error err = {0};
	int master, stdio[3];

	CHECK(mkdtemp(dir) != NULL);
	snprintf(path, sizeof(path), "%s/fifo", dir);
	CHECK_INT(mkfifo(path, 0600), 0);
	fifo = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	writer = open(path, O_WRONLY | O_CLOEXEC);
	CHECK(fifo >= 0 && writer >= 0);
	close_fd(&writer);
	CHECK_INT(pty_pair(&master, &slave), 0);
	stdio[0] = fifo;
	stdio[1] = stdio[2] = null;
	CHECK_INT(terminal_begin(&t, master, stdio, false, &err), 0);
	CHECK(STEP_UNTIL(&t, has_input(slave)));
	CHECK(reads(slave, ""));
	unlink(path);
	rmdir(dir);
}

TEST(modes_come_and_go)
{
	_cleanup_terminal_ struct terminal t = {0};
	_cleanup_close_ int slave = FD_NONE;
	struct stage user = {0};
	struct crun_error err = {0};
	int master, stdio[3];

	CHECK_INT(pty_pair(&user.master, &user.slave), 0);
	CHECK_INT(sys_tty_get_attrs(user.slave, &user.attrs), 0);
	CHECK_INT(open_payload(&master, &slave), 0);
	stdio[0] = stdio[1] = stdio[2] = user.slave;
	CHECK_INT(terminal_begin(&t, master, stdio, false, &err), 0);
	CHECK(is_raw(&user));
	terminal_suspend(&t);
	CHECK(same_attrs(&user));
	terminal_suspend(&t);
	terminal_resume(&t);
	CHECK(is_raw(&user));
	terminal_done(&t);
	CHECK(same_attrs(&user));
	terminal_done(&t);
	close(user.master);
	close(user.slave);
}

TEST(modes_are_kept_when_only_the_output_is_a_terminal)
{
	_cleanup_terminal_ struct terminal t = {0};
	_cleanup_close_ int slave = FD_NONE, null = open("/dev/null", O_RDWR | O_CLOEXEC);
	struct stage user = {0};
	struct crun_error err = {0};
	struct winsize size = {0};
	int master, stdio[3];

	CHECK_INT(pty_pair(&user.master, &user.slave), 0);
	CHECK_INT(sys_tty_get_attrs(user.slave, &user.attrs), 0);
	set_size(user.master, 21, 43);
	CHECK_INT(open_payload(&master, &slave), 0);
	stdio[0] = null;
	stdio[1] = stdio[2] = user.slave;
	CHECK_INT(terminal_begin(&t, master, stdio, false, &err), 0);
	CHECK(same_attrs(&user));
	CHECK_INT(sys_tty_get_size(slave, &size), 0);
	CHECK_INT(size.ws_row, 21);
	CHECK_INT(size.ws_col, 43);
	close(user.master);
	close(user.slave);
}

TEST(size_of_the_configuration_wins_until_the_user_changes_his)
{
	_cleanup_terminal_ struct terminal t = {0};
	_cleanup_close_ int slave = FD_NONE, outer = FD_NONE, user = FD_NONE;
	struct crun_error err = {0};
	struct winsize size = {0};
	int master, stdio[3];

	CHECK_INT(pty_pair(&outer, &user), 0);
	set_size(outer, 21, 43);
	CHECK_INT(open_payload(&master, &slave), 0);
	set_size(master, 5, 6);
	stdio[0] = stdio[1] = stdio[2] = user;
	CHECK_INT(terminal_begin(&t, master, stdio, true, &err), 0);
	terminal_resize(&t);
	CHECK_INT(sys_tty_get_size(slave, &size), 0);
	CHECK_INT(size.ws_row, 5);
	set_size(outer, 22, 44);
	terminal_resize(&t);
	CHECK_INT(sys_tty_get_size(slave, &size), 0);
	CHECK_INT(size.ws_row, 22);
	CHECK_INT(size.ws_col, 44);
}

TEST(survivor_that_writes_for_ever_is_not_drained)
{
	_cleanup_terminal_ struct terminal t = {0};
	_cleanup_close_ int slave = FD_NONE, null = open("/dev/null", O_RDWR | O_CLOEXEC);
	struct crun_error err = {0};
	struct pollfd fds[TERMINAL_POLLFDS];
	int master, stdio[3];
	char block[2048];

	memset(block, 'y', sizeof(block));
	CHECK_INT(open_payload(&master, &slave), 0);
	CHECK_INT(fcntl(slave, F_SETFL, O_NONBLOCK), 0);
	stdio[0] = stdio[1] = stdio[2] = null;
	CHECK_INT(terminal_begin(&t, master, stdio, false, &err), 0);
	terminal_payload_ended(&t);
	for (int i = 0; i < 2000 && !terminal_drained(&t); i++) {
		CHECK(write(slave, block, sizeof(block)) > 0); /* never empty */
		terminal_poll(&t, fds);
		CHECK(poll(fds, TERMINAL_POLLFDS, 0) >= 0);
		terminal_step(&t, fds);
	}
	CHECK(terminal_drained(&t));
}

TEST(abandoned_output_counts_as_drained)
{
	_cleanup_terminal_ struct terminal t = {0};
	_cleanup_close_ int slave = FD_NONE;
	struct crun_error err = {0};
	struct pollfd fds[TERMINAL_POLLFDS];
	int master, stdio[3], out[2];
	static char block[65536];

	CHECK_INT(pipe2(out, O_CLOEXEC | O_NONBLOCK), 0);
	while (write(out[1], block, sizeof(block)) > 0)
		continue; /* full */
	stdio[0] = 1000;
	stdio[1] = stdio[2] = out[1];
	CHECK_INT(open_payload(&master, &slave), 0);
	CHECK_INT(terminal_begin(&t, master, stdio, false, &err), 0);
	CHECK_INT(write(slave, "text", 4), 4);
	terminal_payload_ended(&t);
	for (int i = 0; i < 5; i++) {
		CHECK(poll(fds, TERMINAL_POLLFDS, terminal_poll(&t, fds) ? 20 : 0) >= 0);
		terminal_step(&t, fds);
	}
	CHECK(!terminal_drained(&t));
	CHECK_INT(terminal_poll(&t, fds), -1); /* it waits, it does not spin */
	terminal_abandon(&t);
	CHECK(terminal_drained(&t));
	close(out[0]);
	close(out[1]);
}

TEST_MAIN()
