/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A stage for tests of foreground commands: a user's terminal, a shell with job control in it, the command in the foreground,
 * and its payload, maybe on a pseudo terminal of its own. No container, no root.
 */
#pragma once

#include "base/cleanup.h"
#include "host/run_wait.h"
#include "sys/pidfd.h"
#include "sys/process.h"
#include "sys/tty.h"

#include "../wait_in.h"

#include <fcntl.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>

#define DEADLINE_MS 20000

/* What the shell tells: the command's pid, its stops and its end. */
struct event {
	enum { STARTED = 1, STOPPED, ENDED } kind;
	int value;  /* pid; stop signal; exit status or 128+N */
	int cpu_ms; /* ENDED: what the command itself used */
};

struct stage {
	/* To be filled in before stage_open. */
	void (*payload)(void); /* leader of its own session; must not return */
	bool terminal;	       /* it has a pseudo terminal, else the command's stdio */
	bool size_given;       /* the terminal is 10 x 20 already */
	int in, out;	       /* the command's stdio instead of the user's terminal, if > 0 */
	void (*before)(void);  /* in the command, first */

	int master, slave; /* the user's terminal */
	int control;	   /* to the shell */
	pid_t shell, command;
	struct termios attrs; /* of the user's terminal when all began */
	char *output;	      /* all that came out of it */
	size_t len, size;
};

static pid_t stage_command;

static inline int pty_pair(int *master, int *slave)
{
	*master = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
	if (*master < 0 || sys_pty_unlock(*master) < 0)
		return -1;
	*slave = sys_pty_peer(*master, O_RDWR | O_NOCTTY);
	return *slave < 0 ? -1 : 0;
}

static inline void set_size(int fd, int rows, int cols)
{
	struct winsize size = {.ws_row = (unsigned short)rows, .ws_col = (unsigned short)cols};

	sys_tty_set_size(fd, &size);
}

static inline void pause_ms(int ms)
{
	poll(NULL, 0, ms);
}

static inline bool is_raw(const struct stage *s)
{
	struct termios attrs;

	return sys_tty_get_attrs(s->slave, &attrs) == 0 &&
	       !(attrs.c_lflag & (ICANON | ECHO | ISIG)) && !(attrs.c_oflag & OPOST);
}

static inline bool same_attrs(const struct stage *s)
{
	struct termios attrs;

	return sys_tty_get_attrs(s->slave, &attrs) == 0 && attrs.c_lflag == s->attrs.c_lflag &&
	       attrs.c_iflag == s->attrs.c_iflag && attrs.c_oflag == s->attrs.c_oflag &&
	       attrs.c_cflag == s->attrs.c_cflag &&
	       memcmp(attrs.c_cc, s->attrs.c_cc, sizeof(attrs.c_cc)) == 0;
}

/* In the payload: new session, maybe with SLAVE as controlling terminal and stdio. */
static inline void payload_begin(const struct stage *s, int slave)
{
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	sys_reset_signals();
	setsid();
	if (slave >= 0) {
		sys_tty_take_control(slave);
		for (int fd = 0; fd < 3; fd++)
			dup2(slave, fd);
	}
	for (int fd = 3; fd < 64; fd++)
		close(fd); /* the master above all: there would be no hang-up */
	s->payload();
	_exit(200);
}

static inline void command_main(const struct stage *s)
{
	_cleanup_run_wait_ struct run_wait wait = RUN_WAIT_EMPTY;
	struct run_wait_args args = {.master = FD_NONE, .console_size = s->size_given};
	struct crun_error err = {0};
	int slave = FD_NONE, status = 0;

	if (s->before)
		s->before();
	stage_command = getpid();
	if (run_wait_prepare(&wait, true, &err) < 0)
		_exit(250);
	if (s->terminal && pty_pair(&args.master, &slave) < 0)
		_exit(251);
	if (s->size_given)
		set_size(args.master, 10, 20);
	args.pid = fork();
	if (args.pid == 0)
		payload_begin(s, slave);
	if (slave >= 0)
		close(slave);
	args.pidfd = sys_pidfd_open(args.pid);
	if (args.pidfd < 0)
		_exit(252);
	if (run_wait(&wait, &args, &status, &err) < 0) {
		dprintf(2, "run_wait: %s\n", err.text);
		_exit(253);
	}
	run_wait_done(&wait);
	_exit(status);
}

static inline void tell(int control, int kind, int value, int cpu_ms)
{
	struct event event = {.kind = kind, .value = value, .cpu_ms = cpu_ms};

	if (send(control, &event, sizeof(event), MSG_NOSIGNAL) < 0)
		_exit(1);
}

/* A shell of one job: reports its stops, and continues it in the foreground when told to. */
static inline void shell_main(const struct stage *s, int control)
{
	struct rusage usage;
	int status;
	pid_t pid;
	char go;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	setsid();
	sys_reset_signals();
	sys_tty_take_control(s->slave);
	for (int fd = 0; fd < 3; fd++)
		dup2(s->slave, fd);
	for (int fd = 3; fd < 64; fd++) {
		if (fd != control && fd != s->in && fd != s->out)
			close(fd);
	}
	sigaction(SIGTTOU, &(struct sigaction){.sa_handler = SIG_IGN}, NULL);
	pid = fork();
	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		setpgid(0, 0);
		tcsetpgrp(0, getpid());
		sys_reset_signals();
		if (s->in > 0)
			dup2(s->in, 0);
		if (s->out > 0)
			dup2(s->out, 1);
		for (int fd = 3; fd < 64; fd++)
			close(fd);
		command_main(s);
	}
	if (s->in > 0)
		close(s->in);
	if (s->out > 0)
		close(s->out);
	tell(control, STARTED, pid, 0);
	while (wait4(pid, &status, WUNTRACED, &usage) == pid) {
		tcsetpgrp(0, getpid());
		if (!WIFSTOPPED(status))
			break;
		tell(control, STOPPED, WSTOPSIG(status), 0);
		if (recv(control, &go, 1, 0) != 1)
			kill(pid, SIGKILL);
		tcsetpgrp(0, pid);
		kill(-pid, SIGCONT);
	}
	tell(control, ENDED, WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status),
	     (int)((usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * 1000 +
		   (usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1000));
	if (recv(control, &go, 1, 0) < 0) /* keeps the terminal until the test is over */
		_exit(1);
	_exit(0);
}

/* The next event of KIND within the deadline; kind is 0 otherwise. */
static inline struct event next_event(const struct stage *s, int ms)
{
	struct event event = {0};

	if (wait_in(s->control, ms) <= 0 ||
	    recv(s->control, &event, sizeof(event), 0) != (ssize_t)sizeof(event))
		return (struct event){0};
	return event;
}

static inline int stage_open(struct stage *s)
{
	int pair[2];

	if (pty_pair(&s->master, &s->slave) < 0 ||
	    socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
		return -1;
	sys_tty_get_attrs(s->slave, &s->attrs);
	set_size(s->master, 33, 101);
	s->control = pair[0];
	fflush(stdout);
	s->shell = fork();
	if (s->shell == 0) {
		close(pair[0]);
		shell_main(s, pair[1]);
	}
	close(pair[1]);
	if (s->in > 0)
		close(s->in);
	if (s->out > 0)
		close(s->out);
	s->command = next_event(s, DEADLINE_MS).value;
	return s->command > 0 ? 0 : -1;
}

/* Ends everything that is still there. */
static inline void stage_close(struct stage *s)
{
	if (s->shell <= 0)
		return;
	close(s->control);
	close(s->master);
	close(s->slave);
	sys_waitpid(s->shell, NULL, 0);
	free(s->output);
	s->shell = 0;
}

/* Reads what is there, waiting up to MS; false when nothing came. */
static inline bool pull_some(struct stage *s, size_t most, int ms)
{
	ssize_t n;

	if (s->size < s->len + 65536) {
		s->size = s->size * 2 + 131072;
		s->output = realloc(s->output, s->size);
		if (!s->output)
			return false;
	}
	if (wait_in(s->master, ms) <= 0)
		return false;
	n = read(s->master, s->output + s->len, most < 65535 ? most : 65535);
	if (n <= 0)
		return false;
	s->len += (size_t)n;
	s->output[s->len] = '\0';
	return true;
}

/* Reads until TEXT is part of the output. */
static inline bool expect(struct stage *s, const char *text)
{
	while (!s->output || !memmem(s->output, s->len, text, strlen(text))) {
		if (!pull_some(s, 65535, DEADLINE_MS)) {
			printf("# no \"%s\" in \"%.300s\"\n", text, s->output ? s->output : "");
			return false;
		}
	}
	return true;
}

static inline int type(struct stage *s, const char *text)
{
	return write(s->master, text, strlen(text)) == (ssize_t)strlen(text) ? 0 : -1;
}

/* Reads the rest of the output and returns the command's status, or -1. */
static inline int status_of(struct stage *s)
{
	struct event event;

	/* The user's terminal must be read meanwhile, or the command could not write. */
	for (int i = 0; i < DEADLINE_MS / 20 && wait_in(s->control, 0) == 0; i++)
		pull_some(s, 65535, 20);
	event = next_event(s, 0);
	while (pull_some(s, 65535, 0))
		continue;
	return event.kind == ENDED ? event.value : -1;
}

#define _cleanup_stage_ _cleanup_(stage_close)

/* ---- payloads of more than one test ---- */

static inline void say(const char *text)
{
	if (write(1, text, strlen(text)) < 0)
		_exit(201);
}

static inline void exits_with_7(void)
{
	_exit(7);
}

static inline void waits_for_signals(void)
{
	sigset_t all;
	int sig;

	sigfillset(&all);
	sigprocmask(SIG_BLOCK, &all, NULL);
	say("ready\r\n");
	for (;;) {
		struct winsize size = {0};
		char text[64];

		if (sigwait(&all, &sig) != 0)
			_exit(207);
		sys_tty_get_size(0, &size);
		snprintf(text, sizeof(text), "<%d at %dx%d>\r\n", sig, size.ws_row, size.ws_col);
		say(text);
		if (sig == SIGTERM)
			_exit(42);
	}
}
