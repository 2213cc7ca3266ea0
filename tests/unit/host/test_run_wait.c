// SPDX-License-Identifier: Apache-2.0
// The foreground wait, on real terminals: statuses, output, signals, processes, and that nothing is lost or waited for.
#include "host/run_wait.h"

#include "../test.h"
#include "ptys.h"

#include <sys/prctl.h>

#define MEGABYTE 1000000

/* ---- exit statuses --------------------------------------------------------------------------- */

static void exits_with_255(void)
{
	_exit(255);
}

static void is_killed(void)
{
	kill(getpid(), SIGKILL);
}

TEST(status_is_the_payloads)
{
	static const struct {
		void (*payload)(void);
		int status;
	} cases[] = {{exits_with_7, 7}, {exits_with_255, 255}, {is_killed, 137}};

	for (size_t i = 0; i < 2 * ARRAY_LEN(cases); i++) {
		_cleanup_stage_ struct stage s = {.payload = cases[i / 2].payload,
						  .terminal = i % 2};

		CHECK_INT(stage_open(&s), 0);
		CHECK_INT(status_of(&s), cases[i / 2].status);
		CHECK(same_attrs(&s));
	}
}

static void ignore_chld(void)
{
	sigaction(SIGCHLD, &(struct sigaction){.sa_handler = SIG_IGN}, NULL);
}

TEST(status_although_our_caller_ignores_sigchld)
{
	_cleanup_stage_ struct stage s = {.payload = exits_with_7, .before = ignore_chld};

	CHECK_INT(stage_open(&s), 0);
	CHECK_INT(status_of(&s), 7);
}

/* ---- output ---------------------------------------------------------------------------------- */

static char pattern_at(size_t i)
{
	return (char)((i * 31 + i / 251) & 0xff);
}

static void spew(size_t total)
{
	struct termios attrs;
	char data[3000];

	sys_tty_get_attrs(1, &attrs);
	cfmakeraw(&attrs);
	sys_tty_set_attrs(1, &attrs);
	for (size_t done = 0; done < total;) {
		size_t n = total - done < sizeof(data) ? total - done : sizeof(data);
		ssize_t w;

		for (size_t i = 0; i < n; i++)
			data[i] = pattern_at(done + i);
		w = write(1, data, n);
		if (w < 0)
			_exit(202);
		done += (size_t)w;
	}
	_exit(5);
}

static void spew_megabyte(void)
{
	spew(MEGABYTE);
}

static void spew_little(void)
{
	spew(20000);
}

static void spew_medium(void)
{
	spew(100000);
}

static bool is_pattern(const struct stage *s, size_t total)
{
	if (s->len != total) {
		printf("# %zu bytes, not %zu\n", s->len, total);
		return false;
	}
	for (size_t i = 0; i < total; i++) {
		if (s->output[i] != pattern_at(i)) {
			printf("# byte %zu differs\n", i);
			return false;
		}
	}
	return true;
}

TEST(megabyte_arrives_byte_for_byte)
{
	_cleanup_stage_ struct stage s = {.payload = spew_megabyte, .terminal = true};

	CHECK_INT(stage_open(&s), 0);
	while (s.len < MEGABYTE && pull_some(&s, 65535, DEADLINE_MS))
		continue;
	CHECK_INT(status_of(&s), 5);
	CHECK(is_pattern(&s, MEGABYTE));
}

TEST(slow_reader_gets_everything)
{
	_cleanup_stage_ struct stage s = {.payload = spew_medium, .terminal = true};
	struct event event;

	CHECK_INT(stage_open(&s), 0);
	while (s.len < 100000 && pull_some(&s, 700, DEADLINE_MS))
		pause_ms(2);
	event = next_event(&s, DEADLINE_MS);
	CHECK_INT(event.value, 5);
	CHECK(is_pattern(&s, 100000));
}

TEST(reader_that_stalls_costs_no_cpu_and_no_byte)
{
	_cleanup_stage_ struct stage s = {.payload = spew_medium, .terminal = true};
	struct event event;

	CHECK_INT(stage_open(&s), 0);
	pause_ms(800);
	while (s.len < 100000 && pull_some(&s, 65535, DEADLINE_MS))
		continue;
	event = next_event(&s, DEADLINE_MS);
	CHECK_INT(event.value, 5);
	CHECK(event.cpu_ms < 300);
	CHECK(is_pattern(&s, 100000));
}

TEST(output_written_just_before_the_end_waits_for_its_reader)
{
	_cleanup_stage_ struct stage s = {.payload = spew_little, .terminal = true};

	CHECK_INT(stage_open(&s), 0);
	CHECK_INT(next_event(&s, 300).kind,
		  0); /* 20000 bytes do not fit into the user's terminal */
	while (s.len < 20000 && pull_some(&s, 65535, DEADLINE_MS))
		continue;
	CHECK_INT(status_of(&s), 5);
	CHECK(is_pattern(&s, 20000));
}

TEST(signal_ends_the_wait_for_a_reader)
{
	_cleanup_stage_ struct stage s = {.payload = spew_little, .terminal = true};
	struct event event;

	CHECK_INT(stage_open(&s), 0);
	CHECK_INT(next_event(&s, 500).kind, 0);
	CHECK_INT(kill(s.command, SIGTERM), 0);
	event = next_event(&s, DEADLINE_MS);
	CHECK_INT(event.kind, ENDED);
	CHECK_INT(event.value, 5);
	CHECK(same_attrs(&s));
}

static void yes(void)
{
	for (;;)
		say("y\n");
}

TEST(reader_that_goes_away_hangs_up)
{
	int fds[2];
	char byte;
	_cleanup_stage_ struct stage s = {.payload = yes, .terminal = true};

	CHECK_INT(pipe2(fds, O_CLOEXEC), 0);
	s.out = fds[1];
	CHECK_INT(stage_open(&s), 0);
	CHECK_INT(read(fds[0], &byte, 1), 1);
	close(fds[0]);
	CHECK_INT(status_of(&s), 128 + SIGHUP);
}

static void survives_a_hang_up(void)
{
	sigaction(SIGHUP, &(struct sigaction){.sa_handler = SIG_IGN}, NULL);
	while (write(1, "y\n", 2) == 2)
		continue;
	if (errno != EIO)
		_exit(213);
	pause_ms(300);
	_exit(14);
}

TEST(broken_pipe_is_ours_not_the_payloads)
{
	int fds[2];
	char byte;
	_cleanup_stage_ struct stage s = {.payload = survives_a_hang_up, .terminal = true};

	CHECK_INT(pipe2(fds, O_CLOEXEC), 0);
	s.out = fds[1];
	CHECK_INT(stage_open(&s), 0);
	CHECK_INT(read(fds[0], &byte, 1), 1);
	close(fds[0]);
	CHECK_INT(status_of(&s), 14);
}

static void leaves_a_holder_behind(void)
{
	int fds[2];
	char byte;

	if (pipe2(fds, O_CLOEXEC) < 0)
		_exit(203);
	if (fork() == 0) {
		setsid();
		prctl(PR_SET_NAME, "slave-holder");
		for (int sig = 1; sig < 32; sig++)
			sigaction(sig, &(struct sigaction){.sa_handler = SIG_IGN}, NULL);
		if (write(fds[1], "x", 1) != 1)
			_exit(1);
		pause_ms(3000);
		_exit(0);
	}
	if (read(fds[0], &byte, 1) != 1)
		_exit(204);
	say("bye");
	_exit(3);
}

TEST(others_that_hold_the_terminal_are_not_waited_for)
{
	_cleanup_stage_ struct stage s = {.payload = leaves_a_holder_behind, .terminal = true};
	struct event event;

	CHECK_INT(stage_open(&s), 0);
	event = next_event(&s, 2000);
	CHECK_INT(event.kind, ENDED);
	CHECK_INT(event.value, 3);
	CHECK(expect(&s, "bye"));
}

TEST(others_that_hold_a_pipe_are_not_waited_for)
{
	int fds[2];
	_cleanup_stage_ struct stage s = {.payload = leaves_a_holder_behind};
	struct event event;

	CHECK_INT(pipe2(fds, O_CLOEXEC), 0);
	s.out = fds[1];
	CHECK_INT(stage_open(&s), 0);
	event = next_event(&s, 2000);
	CHECK_INT(event.kind, ENDED);
	CHECK_INT(event.value, 3);
	close(fds[0]);
}

static void closes_and_opens_the_terminal(void)
{
	for (int fd = 0; fd < 3; fd++)
		close(fd);
	pause_ms(500);
	if (open("/dev/tty", O_RDWR) != 0 || dup2(0, 1) != 1)
		_exit(205);
	say("again");
	close(0);
	close(1);
	pause_ms(300);
	_exit(6);
}

TEST(terminal_that_is_closed_for_a_while_costs_no_cpu)
{
	_cleanup_stage_ struct stage s = {.payload = closes_and_opens_the_terminal,
					  .terminal = true};
	struct event event;

	CHECK_INT(stage_open(&s), 0);
	CHECK(expect(&s, "again"));
	event = next_event(&s, DEADLINE_MS);
	CHECK_INT(event.value, 6);
	CHECK(event.cpu_ms < 200);
}

/* ---- the user's terminal --------------------------------------------------------------------- */

static void echo_a_line(void)
{
	char line[100];
	ssize_t n;

	say("ready\n");
	n = read(0, line, sizeof(line) - 1);
	if (n < 0)
		_exit(206);
	line[n] = '\0';
	say("got-");
	say(line);
	_exit(4);
}

TEST(raw_meanwhile_restored_afterwards)
{
	_cleanup_stage_ struct stage s = {.payload = echo_a_line, .terminal = true};

	CHECK_INT(stage_open(&s), 0);
	CHECK(expect(&s, "ready\r\n"));
	CHECK(is_raw(&s));
	CHECK_INT(type(&s, "word\r"), 0);
	CHECK_INT(status_of(&s), 4);
	CHECK(same_attrs(&s));
	CHECK_STR(s.output, "ready\r\nword\r\ngot-word\r\n");
}

TEST(terminal_is_left_alone_without_one_for_the_payload)
{
	_cleanup_stage_ struct stage s = {.payload = echo_a_line};

	CHECK_INT(stage_open(&s), 0);
	CHECK(expect(&s, "ready\r\n"));
	CHECK(same_attrs(&s));
	CHECK_INT(type(&s, "word\r"), 0);
	CHECK_INT(status_of(&s), 4);
}

TEST(control_c_is_a_byte_for_the_payloads_terminal)
{
	char text[32];
	_cleanup_stage_ struct stage s = {.payload = waits_for_signals, .terminal = true};

	CHECK_INT(stage_open(&s), 0);
	CHECK(expect(&s, "ready"));
	CHECK_INT(type(&s, "\x03"), 0);
	snprintf(text, sizeof(text), "<%d at", SIGINT);
	CHECK(expect(&s, text));
	CHECK_INT(type(&s, "\x1a"), 0);
	snprintf(text, sizeof(text), "<%d at", SIGTSTP);
	CHECK(expect(&s, text));
	CHECK_INT(kill(s.command, SIGTERM), 0);
	CHECK_INT(status_of(&s), 42);
}

TEST(every_signal_is_forwarded)
{
	static const int signals[] = {SIGHUP,  SIGINT,	SIGQUIT, SIGUSR1,  SIGUSR2,
				      SIGALRM, SIGPIPE, SIGURG,	 SIGPWR,   SIGIO,
				      SIGCONT, SIGABRT, SIGSEGV, SIGVTALRM};

	for (int terminal = 0; terminal < 2; terminal++) {
		_cleanup_stage_ struct stage s = {.payload = waits_for_signals,
						  .terminal = terminal};
		char text[32];

		CHECK_INT(stage_open(&s), 0);
		CHECK(expect(&s, "ready"));
		for (size_t i = 0; i < ARRAY_LEN(signals) + 2; i++) {
			int sig = i < ARRAY_LEN(signals)    ? signals[i]
				  : i == ARRAY_LEN(signals) ? SIGRTMIN
							    : SIGRTMAX;

			CHECK_INT(kill(s.command, sig), 0);
			snprintf(text, sizeof(text), "<%d at", sig);
			CHECK(expect(&s, text));
		}
		CHECK_INT(kill(s.command, SIGTERM), 0);
		CHECK_INT(status_of(&s), 42);
		CHECK(same_attrs(&s));
	}
}

static void ignore_hup(void)
{
	sigaction(SIGHUP, &(struct sigaction){.sa_handler = SIG_IGN}, NULL);
}

TEST(nohup_is_honoured)
{
	_cleanup_stage_ struct stage s = {.payload = waits_for_signals, .before = ignore_hup};
	char text[32];

	CHECK_INT(stage_open(&s), 0);
	CHECK(expect(&s, "ready"));
	CHECK_INT(kill(s.command, SIGHUP), 0);
	CHECK_INT(kill(s.command, SIGTERM), 0);
	CHECK_INT(status_of(&s), 42);
	snprintf(text, sizeof(text), "<%d at", SIGHUP);
	CHECK(!strstr(s.output, text));
}

/* ---- processes ------------------------------------------------------------------------------- */

/* A grandchild whose parent exits says who its parent is now. */
static void makes_an_orphan(void)
{
	int ready[2], done[2];
	char byte;

	if (pipe2(ready, O_CLOEXEC) < 0 || pipe2(done, O_CLOEXEC) < 0)
		_exit(211);
	if (fork() == 0) {
		if (fork() == 0) {
			sigset_t set;
			char text[32];
			int sig;

			sigemptyset(&set);
			sigaddset(&set, SIGUSR1);
			sigprocmask(SIG_BLOCK, &set, NULL);
			prctl(PR_SET_PDEATHSIG, SIGUSR1);
			if (write(ready[1], "x", 1) != 1)
				_exit(1);
			sigwait(&set, &sig);
			snprintf(text, sizeof(text), "child of %s\n",
				 getppid() == stage_command ? "the command" : "somebody");
			say(text);
			if (write(done[1], "x", 1) != 1)
				_exit(1);
			_exit(0);
		}
		_exit(read(ready[0], &byte, 1) == 1 ? 0 : 1);
	}
	if (read(done[0], &byte, 1) != 1)
		_exit(212);
	wait(NULL);
	_exit(13);
}

TEST(orphans_become_our_children)
{
	_cleanup_stage_ struct stage s = {.payload = makes_an_orphan};

	CHECK_INT(stage_open(&s), 0);
	CHECK(expect(&s, "child of the command"));
	CHECK_INT(status_of(&s), 13);
}

TEST(prepare_is_undone)
{
	struct run_wait w = RUN_WAIT_EMPTY;
	struct crun_error err = {0};
	sigset_t before, after;
	int reaper = -1;

	sigprocmask(SIG_BLOCK, NULL, &before);
	CHECK_INT(run_wait_prepare(&w, true, &err), 0);
	prctl(PR_GET_CHILD_SUBREAPER, &reaper, 0, 0, 0);
	CHECK_INT(reaper, 1);
	kill(getpid(), SIGTERM); /* came too late: nobody to send it to, and no reason to die */
	run_wait_done(&w);
	prctl(PR_GET_CHILD_SUBREAPER, &reaper, 0, 0, 0);
	CHECK_INT(reaper, 0);
	sigprocmask(SIG_BLOCK, NULL, &after);
	for (int sig = 1; sig < 65; sig++)
		CHECK_INT(sigismember(&before, sig), sigismember(&after, sig));
	CHECK_INT(run_wait_prepare(&w, false, &err), 0);
	prctl(PR_GET_CHILD_SUBREAPER, &reaper, 0, 0, 0);
	CHECK_INT(reaper, 0);
	run_wait_done(&w);
	run_wait_done(&w);
}

TEST(process_of_somebody_else_is_an_error)
{
	struct run_wait w = RUN_WAIT_EMPTY;
	struct crun_error err = {0};
	struct run_wait_args args = {.pid = 1, .master = FD_NONE};
	int status = -1;

	args.pidfd = sys_pidfd_open(1);
	CHECK(args.pidfd >= 0);
	CHECK_INT(run_wait_prepare(&w, false, &err), 0);
	kill(getpid(), SIGCHLD);
	CHECK_INT(run_wait(&w, &args, &status, &err), -ECHILD);
	CHECK(strstr(err.text, "process 1") != NULL);
	run_wait_done(&w);
	close(args.pidfd);
}

TEST_MAIN()
