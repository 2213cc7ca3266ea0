// SPDX-License-Identifier: Apache-2.0
// The proxied terminal of a foreground command: see terminal.h.
#include "host/terminal.h"

#include "base/log.h"
#include "sys/file.h"
#include "sys/tty.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/sysmacros.h>

/*
 * A pseudo terminal holds less than 16 KiB (the kernel's buffer of 8 KiB and the line discipline's 4 KiB). What comes beyond
 * this many bytes after the payload's end was written later, by somebody else, who may never stop.
 */
#define LEFT_OVER_MAX (1024 * 1024)

/* How much a blocking descriptor is given at once when poll(2) says that it takes something. */
#define BLOCKING_CHUNK 256

/* A payload that does not accept the end of its input is told so only this often. */
#define EOF_TOLD_MAX 16

/* Index of each entry that terminal_poll fills. */
enum { AT_MASTER, AT_STDIN, AT_STDOUT };

/*
 * O_NONBLOCK belongs to the open file description, which we share with our caller's shell: setting it there would break other
 * programs on that terminal or pipe. So open the file again. Not regular files, which have an offset and never block.
 */
static void open_stream(struct terminal_stream *s, int fd, int access)
{
	struct stat st;
	char path[32];
	int own;

	*s = (struct terminal_stream){.fd = FD_NONE};
	if (sys_fstatat(fd, "", &st) < 0)
		return;
	s->fd = fd;
	s->is_tty = sys_is_tty(fd);
	s->socket = S_ISSOCK(st.st_mode);
	s->nonblock = s->socket || S_ISREG(st.st_mode) ||
		      (S_ISCHR(st.st_mode) && st.st_rdev == makedev(1, 3)); /* /dev/null */
	if (!s->is_tty && !S_ISFIFO(st.st_mode))
		return;
	if (sys_pty_number(fd) >= 0)
		return; /* a master: opening it again would make another pseudo terminal */
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	own = sys_openat(AT_FDCWD, path, access | O_NONBLOCK | O_NOCTTY, 0);
	if (own < 0)
		return; /* another user's terminal, for example: poll(2) and small steps have to do */
	s->fd = own;
	s->owned = s->nonblock = true;
}

static void close_stream(struct terminal_stream *s)
{
	if (s->owned)
		close(s->fd);
	*s = (struct terminal_stream){.fd = FD_NONE};
}

static ssize_t read_some(const struct terminal_stream *s, void *data, size_t size)
{
	ssize_t n;

	do
		n = s->socket ? recv(s->fd, data, size, MSG_DONTWAIT) : read(s->fd, data, size);
	while (n < 0 && errno == EINTR);
	return n < 0 ? -errno : n;
}

static ssize_t write_some(const struct terminal_stream *s, const void *data, size_t len)
{
	ssize_t n;

	if (!s->nonblock && len > BLOCKING_CHUNK)
		len = BLOCKING_CHUNK;
	do
		n = s->socket ? send(s->fd, data, len, MSG_DONTWAIT | MSG_NOSIGNAL)
			      : write(s->fd, data, len);
	while (n < 0 && errno == EINTR);
	return n < 0 ? -errno : n;
}

/* Free space at the end of B, after moving its content to the front when that helps. */
static size_t bytes_room(struct terminal_bytes *b)
{
	if (b->len == 0) {
		b->start = 0;
	} else if (b->start + b->len == sizeof(b->data) && b->start > 0) {
		memmove(b->data, b->data + b->start, b->len);
		b->start = 0;
	}
	return sizeof(b->data) - b->start - b->len;
}

static char *bytes_end(struct terminal_bytes *b)
{
	return b->data + b->start + b->len;
}

static void bytes_drop(struct terminal_bytes *b, size_t n)
{
	b->start += n;
	b->len -= n;
}

/* The user's side is gone: so is the terminal of the payload, which gets SIGHUP and end of file or EIO as from a real one. */
static void hang_up(struct terminal *t)
{
	close_fd(&t->edges);
	close_fd(&t->master);
	t->readable = t->writable = false;
	t->output.len = t->input.len = 0;
}

/*
 * A terminal has no half-close; what stands for it is the EOF character, and that only counts in canonical mode, once per
 * reader, twice within a line. A line editor changes the mode and discards what was typed before; so the payload is told
 * again when it has changed the mode, which we notice when it writes.
 */
static void tell_eof(struct terminal *t)
{
	struct termios attrs;
	bool canonical;
	cc_t eof;

	if (t->master < 0 || t->eof_told >= EOF_TOLD_MAX || t->input.len > 0 ||
	    sys_tty_get_attrs(t->master, &attrs) < 0)
		return;
	canonical = attrs.c_lflag & ICANON;
	eof = attrs.c_cc[VEOF];
	if ((t->eof_told > 0 && canonical == t->eof_canonical) || eof == _POSIX_VDISABLE)
		return;
	t->input.start = 0;
	t->input.data[t->input.len++] = (char)eof;
	if (canonical && !t->line_start)
		t->input.data[t->input.len++] = (char)eof;
	t->line_start = true;
	t->eof_canonical = canonical;
	t->eof_told++;
}

static void read_master(struct terminal *t)
{
	size_t room = bytes_room(&t->output);
	ssize_t n;

	if (room == 0)
		return;
	do
		n = read(t->master, bytes_end(&t->output), room);
	while (n < 0 && errno == EINTR);
	if (n <= 0) {
		/*
		 * EAGAIN: empty. EIO: nobody has the other side open at this time, which is not the end while the
		 * payload lives: it may open /dev/console again. The next edge tells.
		 */
		t->readable = false;
		return;
	}
	t->output.len += (size_t)n;
	if (t->ended) {
		t->left_over += (size_t)n;
		if (t->left_over > LEFT_OVER_MAX)
			t->readable = false;
	} else if (t->in_ended) {
		tell_eof(t);
	}
}

static void write_output(struct terminal *t)
{
	ssize_t n;

	if (t->out.fd < 0) {
		t->output.len = 0; /* started with a closed stdout: like /dev/null */
		return;
	}
	n = write_some(&t->out, t->output.data + t->output.start, t->output.len);
	if (n >= 0) {
		bytes_drop(&t->output, (size_t)n);
	} else if (n != -EAGAIN) {
		if (n != -EPIPE && n != -EIO)
			log_warning("cannot write the container's output: %s",
				    err_describe((int)-n));
		hang_up(t);
	}
}

static void read_input(struct terminal *t)
{
	size_t room = bytes_room(&t->input);
	ssize_t n;

	t->try_in = false;
	if (room == 0)
		return;
	n = read_some(&t->in, bytes_end(&t->input), room);
	if (n == -EAGAIN)
		return;
	if (n > 0) {
		char last = bytes_end(&t->input)[n - 1];

		t->input.len += (size_t)n;
		t->line_start = last == '\n' || last == '\r';
		return;
	}
	if (t->in.is_tty && t->raw)
		hang_up(t); /* in raw mode there is no end of file but the end of the terminal */
	else
		t->in_ended = true;
	close_stream(&t->in);
}

static void write_master(struct terminal *t)
{
	ssize_t n;

	do
		n = write(t->master, t->input.data + t->input.start, t->input.len);
	while (n < 0 && errno == EINTR);
	if (n >= 0) {
		bytes_drop(&t->input, (size_t)n);
	} else {
		t->writable = false;
		if (errno != EAGAIN)
			t->input.len = 0;
	}
}

static bool wants_input(const struct terminal *t)
{
	return t->master >= 0 && !t->ended && t->in.fd >= 0 && t->input.len < sizeof(t->input.data);
}

int terminal_poll(const struct terminal *t, struct pollfd fds[TERMINAL_POLLFDS])
{
	bool work = (t->readable && t->output.len < sizeof(t->output.data)) ||
		    (t->writable && t->input.len > 0) || (wants_input(t) && t->try_in);

	/* poll(2) skips negative descriptors. */
	fds[AT_MASTER] = (struct pollfd){.fd = t->edges, .events = POLLIN};
	fds[AT_STDIN] = (struct pollfd){.fd = wants_input(t) ? t->in.fd : -1, .events = POLLIN};
	fds[AT_STDOUT] = (struct pollfd){.fd = t->output.len ? t->out.fd : -1, .events = POLLOUT};
	return work ? 0 : -1;
}

void terminal_step(struct terminal *t, const struct pollfd fds[TERMINAL_POLLFDS])
{
	struct epoll_event event;

	if (fds[AT_MASTER].revents && t->master >= 0 && epoll_wait(t->edges, &event, 1, 0) > 0) {
		t->readable = t->readable || t->left_over <= LEFT_OVER_MAX;
		t->writable = true;
	}
	if (t->readable)
		read_master(t);
	if (t->output.len > 0 && (t->out.fd < 0 || t->out.nonblock || fds[AT_STDOUT].revents))
		write_output(t);
	if (wants_input(t) && (t->try_in || fds[AT_STDIN].revents))
		read_input(t);
	if (t->in_ended && t->eof_told == 0)
		tell_eof(t);
	if (t->writable && t->input.len > 0)
		write_master(t);
}

void terminal_payload_ended(struct terminal *t)
{
	t->ended = true;
	t->writable = false;
	t->input.len = 0;
	/* One more look: whatever the payload wrote is there by now, and read(2) sees all that is there. */
	t->readable = t->master >= 0;
}

bool terminal_drained(const struct terminal *t)
{
	return t->ended && !t->readable && t->output.len == 0;
}

void terminal_abandon(struct terminal *t)
{
	t->readable = false;
	t->output.len = 0;
}

void terminal_resize(struct terminal *t)
{
	struct winsize size;

	if (t->tty < 0 || t->master < 0 || sys_tty_get_size(t->tty, &size) < 0)
		return;
	if (memcmp(&size, &t->size, sizeof(size)) == 0)
		return;
	t->size = size;
	sys_tty_set_size(t->master, &size);
}

void terminal_suspend(struct terminal *t)
{
	if (!t->raw)
		return;
	sys_tty_set_attrs(t->raw_fd, &t->saved);
	t->raw = false;
}

/*
 * tcsetattr(3) would stop us as well, but too late: the modes to be saved are the foreground job's then. Orphaned process
 * groups are not stopped; there tcsetattr(3) fails and the modes stay.
 */
static void stop_in_background(int tty)
{
	int group = sys_tty_foreground(tty);

	if (group > 0 && group != getpgrp())
		kill(0, SIGTTOU);
}

static void make_raw(struct terminal *t)
{
	struct termios attrs = t->saved;

	cfmakeraw(&attrs);
	t->raw = sys_tty_set_attrs(t->raw_fd, &attrs) >= 0;
}

void terminal_resume(struct terminal *t)
{
	if (t->raw_fd >= 0) {
		stop_in_background(t->raw_fd);
		make_raw(t);
	}
	terminal_resize(t);
}

static int watch_master(struct terminal *t, struct crun_error *err)
{
	struct epoll_event event = {.events = EPOLLIN | EPOLLOUT | EPOLLET};
	int flags = fcntl(t->master, F_GETFL);

	if (flags < 0 || fcntl(t->master, F_SETFL, flags | O_NONBLOCK) < 0)
		return err_sys(err, -errno, "fcntl(F_SETFL) of the container's terminal");
	/* Edges, because a master whose other side is closed is "ready" all the time, maybe for hours. */
	t->edges = epoll_create1(EPOLL_CLOEXEC);
	if (t->edges < 0)
		return err_sys(err, -errno, "epoll_create1");
	if (epoll_ctl(t->edges, EPOLL_CTL_ADD, t->master, &event) < 0)
		return err_sys(err, -errno, "epoll_ctl of the container's terminal");
	return 0;
}

int terminal_begin(struct terminal *t, int master, const int stdio[3], bool size_given,
		   struct crun_error *err)
{
	int r;

	memset(t, 0, sizeof(*t));
	t->begun = true;
	t->master = master;
	t->edges = t->tty = t->raw_fd = FD_NONE;
	t->readable = t->writable = t->line_start = true;
	open_stream(&t->in, stdio[0], O_RDONLY);
	open_stream(&t->out, stdio[1], O_WRONLY);
	/* A FIFO that lost its last writer before we opened it again is at its end, but never becomes ready. */
	t->try_in = t->in.nonblock;
	t->in_ended = t->in.fd < 0;
	r = watch_master(t, err);
	if (r < 0)
		return r;

	for (int i = 0; i < 3 && t->tty < 0; i++)
		t->tty = sys_is_tty(stdio[i]) ? stdio[i] : FD_NONE;
	if (t->in.is_tty) {
		t->raw_fd = stdio[0];
		stop_in_background(t->raw_fd);
		if (sys_tty_get_attrs(t->raw_fd, &t->saved) >= 0)
			make_raw(t);
	}
	if (t->tty >= 0 && sys_tty_get_size(t->tty, &t->size) >= 0 && !size_given)
		sys_tty_set_size(t->master, &t->size);
	return 0;
}

void terminal_done(struct terminal *t)
{
	if (!t->begun)
		return;
	terminal_suspend(t);
	close_fd(&t->edges);
	close_fd(&t->master);
	close_stream(&t->in);
	close_stream(&t->out);
	t->begun = false;
}
