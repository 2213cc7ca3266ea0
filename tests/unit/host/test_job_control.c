// SPDX-License-Identifier: Apache-2.0
// The foreground wait and its user: window sizes, stops, and standard input of every kind.
#include "host/run_wait.h"

#include "../test.h"
#include "ptys.h"

/* ---- sizes and job control ------------------------------------------------------------------- */

static void says_sizes(void)
{
	struct winsize size = {0};
	char text[64];

	/* The command may still be on its way to its first look at the user's terminal. */
	pause_ms(200);
	sys_tty_get_size(0, &size);
	snprintf(text, sizeof(text), "at first %dx%d\r\n", size.ws_row, size.ws_col);
	say(text);
	waits_for_signals();
}

TEST(size_is_taken_over_and_followed)
{
	for (int given = 0; given < 2; given++) {
		_cleanup_stage_ struct stage s = {
			.payload = says_sizes, .terminal = true, .size_given = given};
		char text[32];

		CHECK_INT(stage_open(&s), 0);
		CHECK(expect(&s, given ? "at first 10x20" : "at first 33x101"));
		CHECK(expect(&s, "ready"));
		set_size(s.master, 44, 55);
		snprintf(text, sizeof(text), "<%d at 44x55>", SIGWINCH);
		CHECK(expect(&s, text));
		set_size(s.master, 12, 13);
		snprintf(text, sizeof(text), "<%d at 12x13>", SIGWINCH);
		CHECK(expect(&s, text));
		CHECK_INT(kill(s.command, SIGTERM), 0);
		CHECK_INT(status_of(&s), 42);
	}
}

TEST(stop_gives_the_terminal_back_and_continue_takes_it_again)
{
	_cleanup_stage_ struct stage s = {.payload = waits_for_signals, .terminal = true};
	struct event event;
	char text[32];

	CHECK_INT(stage_open(&s), 0);
	CHECK(expect(&s, "ready"));
	for (int round = 0; round < 2; round++) {
		CHECK(is_raw(&s));
		CHECK_INT(kill(s.command, SIGTSTP), 0);
		event = next_event(&s, DEADLINE_MS);
		CHECK_INT(event.kind, STOPPED);
		CHECK_INT(event.value, SIGTSTP);
		CHECK(same_attrs(&s));
		set_size(s.master, 60 + round, 70);
		CHECK_INT(send(s.control, "c", 1, 0), 1);
		snprintf(text, sizeof(text), "<%d at %dx70>", SIGWINCH, 60 + round);
		CHECK(expect(&s, text));
	}
	CHECK(is_raw(&s));
	snprintf(text, sizeof(text), "<%d at", SIGCONT);
	CHECK(!strstr(s.output, text)); /* it was not the payload that had stopped */
	CHECK_INT(kill(s.command, SIGTERM), 0);
	CHECK_INT(status_of(&s), 42);
	CHECK(same_attrs(&s));
}

TEST(stop_without_a_terminal_stops_us_only)
{
	_cleanup_stage_ struct stage s = {.payload = waits_for_signals};
	char text[32];

	CHECK_INT(stage_open(&s), 0);
	CHECK(expect(&s, "ready"));
	CHECK_INT(type(&s, "\x1a"), 0);
	CHECK_INT(next_event(&s, DEADLINE_MS).kind, STOPPED);
	CHECK_INT(send(s.control, "c", 1, 0), 1);
	CHECK_INT(kill(s.command, SIGTERM), 0);
	CHECK_INT(status_of(&s), 42);
	snprintf(text, sizeof(text), "<%d at", SIGTSTP);
	CHECK(!strstr(s.output, text));
}

/* ---- stdin that is not a terminal ------------------------------------------------------------ */

static void cat(void)
{
	char data[4096];
	ssize_t n;

	while ((n = read(0, data, sizeof(data))) > 0) {
		if (write(1, data, (size_t)n) != n)
			_exit(208);
	}
	_exit(n == 0 ? 9 : 209);
}

static int pipe_with(const char *text, int *ret_write)
{
	int fds[2];

	if (pipe2(fds, O_CLOEXEC) < 0 || write(fds[1], text, strlen(text)) < 0)
		return -1;
	if (ret_write)
		*ret_write = fds[1];
	else
		close(fds[1]);
	return fds[0];
}

TEST(piped_stdin_ends_for_the_payload_too)
{
	static const char *const texts[] = {"", "hi\n", "no newline", "one\ntwo"};

	for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
		_cleanup_stage_ struct stage s = {.payload = cat, .terminal = true};

		s.in = pipe_with(texts[i], NULL);
		CHECK(s.in > 0);
		CHECK_INT(stage_open(&s), 0);
		CHECK_INT(status_of(&s), 9);
		CHECK(same_attrs(&s));
	}
}

/* What an interactive shell does: an editor's mode for each line, which discards what the line discipline knew before. */
static void edits_lines(void)
{
	struct termios cooked, raw;
	char byte = 0;

	pause_ms(300);
	sys_tty_get_attrs(0, &cooked);
	raw = cooked;
	raw.c_lflag &= ~(tcflag_t)(ICANON | ECHO | ISIG);
	sys_tty_set_attrs(0, &raw);
	say("prompt> ");
	while (byte != 4) {
		if (read(0, &byte, 1) != 1)
			_exit(210);
	}
	_exit(11);
}

TEST(end_of_input_reaches_a_line_editor)
{
	_cleanup_stage_ struct stage s = {.payload = edits_lines, .terminal = true};

	s.in = pipe_with("command\n", NULL);
	CHECK(s.in > 0);
	CHECK_INT(stage_open(&s), 0);
	CHECK_INT(status_of(&s), 11);
}

TEST(open_stdin_is_not_waited_for)
{
	for (int terminal = 0; terminal < 2; terminal++) {
		_cleanup_close_ int writer = FD_NONE;
		_cleanup_stage_ struct stage s = {.payload = exits_with_7, .terminal = terminal};

		s.in = pipe_with("", &writer);
		CHECK(s.in > 0);
		CHECK_INT(stage_open(&s), 0);
		CHECK_INT(status_of(&s), 7);
	}
}

TEST(stdin_is_the_payloads_without_a_terminal)
{
	char data[16] = "";
	int in = pipe_with("untouched", NULL);
	_cleanup_close_ int keep = fcntl(in, F_DUPFD_CLOEXEC, 100);
	_cleanup_stage_ struct stage s = {.payload = exits_with_7};

	s.in = in;
	CHECK_INT(stage_open(&s), 0);
	CHECK_INT(status_of(&s), 7);
	CHECK_INT(read(keep, data, sizeof(data) - 1), 9);
	CHECK_STR(data, "untouched");
}

TEST(user_that_disappears_takes_the_terminal_along)
{
	struct event event;
	_cleanup_stage_ struct stage s = {.payload = cat, .terminal = true};

	CHECK_INT(stage_open(&s), 0);
	CHECK_INT(type(&s, "x"), 0);
	CHECK(expect(&s, "x"));
	close(s.master);
	s.master = FD_NONE;
	/* Its shell dies of the hang-up as well, so what can be seen is that nobody is left at the socket. */
	event = next_event(&s, 5000);
	CHECK(event.kind == ENDED || event.kind == 0);
	for (int i = 0; i < 500 && kill(s.command, 0) == 0; i++)
		pause_ms(10);
	CHECK(kill(s.command, 0) < 0);
}

TEST_MAIN()
