// SPDX-License-Identifier: Apache-2.0
// The foreground wait of `run` and `exec`: see run_wait.h.
#include "host/run_wait.h"

#include "base/log.h"
#include "host/notify.h"
#include "host/terminal.h"
#include "sys/pidfd.h"
#include "sys/process.h"

#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <time.h>

struct watch {
	const struct run_wait *self;
	const struct run_wait_args *args;
	struct terminal *terminal; /* or NULL */
	bool pidfd_done;	   /* it became readable, and will stay so */
	bool ended;		   /* the payload was reaped */
	int status;		   /* of wait(2) */
};

/* What is kept back for run_wait. Not SIGTTIN and SIGTTOU: they are how the kernel stops a background job, us. */
static void kept_signals(sigset_t *set)
{
	struct sigaction hup;

	sigfillset(set);
	sigdelset(set, SIGKILL);
	sigdelset(set, SIGSTOP);
	sigdelset(set, SIGTTIN);
	sigdelset(set, SIGTTOU);
	if (sigaction(SIGHUP, NULL, &hup) == 0 && hup.sa_handler == SIG_IGN)
		sigdelset(set, SIGHUP);
}

int run_wait_prepare(struct run_wait *w, bool subreaper, struct crun_error *err)
{
	struct sigaction dfl = {.sa_handler = SIG_DFL};
	sigset_t set;
	int was = 0;

	kept_signals(&set);
	w->signal_fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	if (w->signal_fd < 0)
		return err_sys(err, -errno, "signalfd");
	if (prctl(PR_GET_CHILD_SUBREAPER, &was, 0, 0, 0) < 0)
		return err_sys(err, -errno, "prctl(PR_GET_CHILD_SUBREAPER)");
	w->was_subreaper = was || !subreaper; /* nothing to undo then */
	if (sigprocmask(SIG_BLOCK, &set, &w->mask) < 0)
		return err_sys(err, -errno, "sigprocmask");
	sigaction(SIGCHLD, &dfl, &w->chld);
	w->prepared = true;
	if (!w->was_subreaper && prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) < 0)
		return err_sys(err, -errno, "prctl(PR_SET_CHILD_SUBREAPER)");
	return 0;
}

void run_wait_forget(struct run_wait *w)
{
	*w = (struct run_wait)RUN_WAIT_EMPTY;
}

void run_wait_done(struct run_wait *w)
{
	struct signalfd_siginfo info;

	if (w->prepared) {
		while (read(w->signal_fd, &info, sizeof(info)) > 0)
			continue;
		sigaction(SIGCHLD, &w->chld, NULL);
		sigprocmask(SIG_SETMASK, &w->mask, NULL);
		if (!w->was_subreaper)
			prctl(PR_SET_CHILD_SUBREAPER, 0, 0, 0, 0);
		w->prepared = false;
	}
	close_fd(&w->signal_fd);
}

/* Reaps whatever has exited. __WALL: a child made with CLONE_PARENT need not have SIGCHLD as its exit signal. */
static int reap(struct watch *w, struct crun_error *err)
{
	int status;
	pid_t pid;

	while ((pid = sys_waitpid(-1, &status, WNOHANG | __WALL)) > 0) {
		if (pid != w->args->pid)
			continue;
		w->ended = w->pidfd_done = true;
		w->status = status;
		if (w->terminal)
			terminal_payload_ended(w->terminal);
	}
	if (pid < 0 && !w->ended)
		return err_sys(err, pid, "wait for process %d", (int)w->args->pid);
	return 0;
}

/* Stops as the default action of SIGTSTP would have stopped us; returns when we are continued. */
static void stop(struct watch *w)
{
	struct timespec now = {0};
	sigset_t tstp, cont;

	if (w->terminal)
		terminal_suspend(w->terminal);
	sigemptyset(&tstp);
	sigaddset(&tstp, SIGTSTP);
	kill(getpid(), SIGTSTP);
	sigprocmask(SIG_UNBLOCK, &tstp, NULL); /* here; not at all in an orphaned process group */
	sigprocmask(SIG_BLOCK, &tstp, NULL);
	sigemptyset(&cont);
	sigaddset(&cont, SIGCONT);
	sigtimedwait(&cont, NULL, &now); /* it was for us */
	if (w->terminal)
		terminal_resume(w->terminal);
}

static void forward(struct watch *w, int sig)
{
	int r;

	if (w->ended) {
		if (w->terminal &&
		    (sig == SIGHUP || sig == SIGINT || sig == SIGQUIT || sig == SIGTERM))
			terminal_abandon(w->terminal);
		return;
	}
	r = sys_pidfd_send_signal(w->args->pidfd, sig);
	if (r < 0 && r != -ESRCH)
		log_warning("cannot forward signal %d to process %d: %s", sig, (int)w->args->pid,
			    err_describe(-r));
}

static int take_signal(struct watch *w, const struct signalfd_siginfo *info, struct crun_error *err)
{
	int sig = (int)info->ssi_signo;

	switch (sig) {
	case SIGCHLD:
		return reap(w, err);
	case SIGWINCH:
		if (w->terminal)
			terminal_resize(w->terminal);
		return 0;
	case SIGTSTP:
		stop(w);
		return 0;
	case SIGPIPE:
		/* The one that comes with EPIPE is sent by ourselves. */
		if (info->ssi_pid != (uint32_t)getpid())
			forward(w, sig);
		return 0;
	case SIGCONT:
		/* Somebody stopped us with SIGSTOP: whoever had the terminal meanwhile left other modes. */
		if (w->terminal)
			terminal_resume(w->terminal);
		forward(w, sig);
		return 0;
	default:
		forward(w, sig);
		return 0;
	}
}

static int take_signals(struct watch *w, struct crun_error *err)
{
	struct signalfd_siginfo info;
	int r;

	/* One by one: stop() takes a signal of its own. */
	while (read(w->self->signal_fd, &info, sizeof(info)) == (ssize_t)sizeof(info)) {
		r = take_signal(w, &info, err);
		if (r < 0)
			return r;
	}
	return 0;
}

static int wait_for_end(struct watch *w, struct crun_error *err)
{
	enum { SIGNALS, PAYLOAD, NOTIFY, TERMINAL, COUNT = TERMINAL + TERMINAL_POLLFDS };
	struct pollfd fds[COUNT];
	int r, timeout;

	while (!w->ended || (w->terminal && !terminal_drained(w->terminal))) {
		fds[SIGNALS] = (struct pollfd){.fd = w->self->signal_fd, .events = POLLIN};
		fds[PAYLOAD] = (struct pollfd){.fd = w->pidfd_done ? -1 : w->args->pidfd,
					       .events = POLLIN};
		fds[NOTIFY] = (struct pollfd){.fd = w->args->notify ? w->args->notify->fd : -1,
					      .events = POLLIN};
		timeout = w->terminal ? terminal_poll(w->terminal, fds + TERMINAL) : -1;
		r = poll(fds, w->terminal ? COUNT : TERMINAL, timeout);
		if (r < 0 && errno != EINTR)
			return err_sys(err, -errno, "poll");
		if (r < 0)
			continue;
		if (fds[PAYLOAD].revents) {
			/* If a tracer has to see the end first, SIGCHLD comes when it is our turn. */
			w->pidfd_done = true;
			r = reap(w, err);
			if (r < 0)
				return r;
		}
		if (fds[SIGNALS].revents) {
			r = take_signals(w, err);
			if (r < 0)
				return r;
		}
		if (fds[NOTIFY].revents)
			notify_pass(w->args->notify);
		if (w->terminal)
			terminal_step(w->terminal, fds + TERMINAL);
	}
	return 0;
}

/* Its buffers are 32 KiB that only a container with a terminal pays for. */
static int begin_terminal(struct watch *w, struct crun_error *err)
{
	static const int stdio[3] = {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO};
	int master = w->args->master;

	w->terminal = calloc(1, sizeof(*w->terminal));
	if (!w->terminal) {
		close_fd(&master);
		return err_sys(err, -ENOMEM, "proxy the terminal");
	}
	return terminal_begin(w->terminal, master, stdio, w->args->console_size, err);
}

static void end_terminal(struct watch *w)
{
	if (w->terminal)
		terminal_done(w->terminal);
	free(w->terminal);
	w->terminal = NULL;
}

int run_wait(struct run_wait *w, const struct run_wait_args *args, int *ret_status,
	     struct crun_error *err)
{
	struct watch watch = {.self = w, .args = args};
	int r = 0;

	if (args->master >= 0)
		r = begin_terminal(&watch, err);
	if (r >= 0)
		r = wait_for_end(&watch, err);
	end_terminal(&watch);
	if (r < 0)
		return r;
	/* Its last words. */
	if (args->notify)
		notify_pass(args->notify);
	reap(&watch, ERR_IGNORED);
	*ret_status = WIFSIGNALED(watch.status) ? 128 + WTERMSIG(watch.status)
						: WEXITSTATUS(watch.status);
	return 0;
}
