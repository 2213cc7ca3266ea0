// SPDX-License-Identifier: Apache-2.0
// Where messages go: see log.h.
#include "log.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <syslog.h>
#include <unistd.h>

static const struct {
	const char *name;
	int priority;
} levels[] = {
	[LOG_LEVEL_ERROR] = {"error", LOG_ERR},
	[LOG_LEVEL_WARNING] = {"warning", LOG_WARNING},
	[LOG_LEVEL_DEBUG] = {"debug", LOG_DEBUG},
};

enum crun_log_level log_level_from_name(const char *name)
{
	for (size_t i = 0; name && i < sizeof(levels) / sizeof(levels[0]); i++) {
		if (strcmp(levels[i].name, name) == 0)
			return (enum crun_log_level)i;
	}
	return LOG_LEVEL_ERROR;
}

/* A line under construction. What does not fit whole is left out. */
struct line {
	char *data;
	size_t len, size;
};

static bool put(struct line *l, const char *data, size_t len)
{
	if (len > l->size - l->len)
		return false;
	memcpy(l->data + l->len, data, len);
	l->len += len;
	return true;
}

static bool put_text(struct line *l, const char *text)
{
	return put(l, text, strlen(text));
}

__attribute__((format(printf, 2, 3))) static bool put_format(struct line *l, const char *fmt, ...)
{
	char text[64];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	return put_text(l, text);
}

/* Room for the line that has the code, and the newline before it. */
#define ERROR_CODE_LINE 80

/* Of C0, and of C1 in UTF-8: a terminal takes U+009B for the beginning of a command. LAST is the byte before C. */
static bool is_control(unsigned char last, unsigned char c, unsigned char next)
{
	return c < 0x20 || c == 0x7f || (c == 0xc2 && next >= 0x80 && next < 0xa0) ||
	       (last == 0xc2 && c >= 0x80 && c < 0xa0);
}

/* The text without control characters: a message is one line whatever a file name contains. */
static void put_printable(struct line *l, const char *text)
{
	const unsigned char *c = (const unsigned char *)text;

	for (unsigned char last = 0; *c; last = *c++) {
		if (!put(l, is_control(last, c[0], c[1]) ? "?" : (const char *)c, 1))
			return;
	}
}

/* Length of the valid UTF-8 character at S (RFC 3629), 0 when there is none. */
static size_t utf8_length(const unsigned char *s)
{
	size_t len = s[0] < 0x80 ? 1 : s[0] < 0xc2 ? 0 : s[0] < 0xe0 ? 2 : s[0] < 0xf0 ? 3 : 4;

	if (s[0] > 0xf4)
		return 0;
	for (size_t i = 1; i < len; i++) {
		if ((s[i] & 0xc0) != 0x80)
			return 0;
	}
	/* Overlong forms, surrogates, and what is beyond U+10FFFF. */
	if ((s[0] == 0xe0 && s[1] < 0xa0) || (s[0] == 0xed && s[1] > 0x9f) ||
	    (s[0] == 0xf0 && s[1] < 0x90) || (s[0] == 0xf4 && s[1] > 0x8f))
		return 0;
	return len;
}

static bool put_json_char(struct line *l, const char *s, size_t len)
{
	if (len == 0)
		return put_text(l, "\\ufffd");
	if (*s == '"' || *s == '\\')
		return put_format(l, "\\%c", *s);
	if (*s == '\n')
		return put_text(l, "\\n");
	if (*s == '\t')
		return put_text(l, "\\t");
	if ((unsigned char)*s < 0x20 || *s == 0x7f)
		return put_format(l, "\\u%04x", (unsigned)(unsigned char)*s);
	return put(l, s, len);
}

/* A JSON string; TEXT is cut, between characters, so that RESERVE bytes of the line stay free behind it. */
static void put_json_string(struct line *l, const char *text, size_t reserve)
{
	struct line head = {l->data, l->len, l->size - reserve};

	put_text(&head, "\"");
	while (*text) {
		size_t len = utf8_length((const unsigned char *)text);

		if (!put_json_char(&head, text, len))
			break;
		text += len ? len : 1;
	}
	l->len = head.len;
	put_text(l, "\"");
}

static void put_time(struct line *l, const struct timespec *when)
{
	struct tm tm;

	memset(&tm, 0, sizeof(tm));
	gmtime_r(&when->tv_sec, &tm);
	put_format(l, "\"%04d-%02d-%02dT%02d:%02d:%02d.%06ldZ\"", tm.tm_year + 1900, tm.tm_mon + 1,
		   tm.tm_mday, tm.tm_hour, tm.tm_min, tm.tm_sec, when->tv_nsec / 1000);
}

size_t log_json_line(char *line, size_t size, enum crun_log_level level, const char *text,
		     const struct timespec *when, const struct crun_error *err)
{
	/* Behind the text: the pointer, each byte of which may need six, and 200 bytes of fixed words. */
	const size_t reserve = 6 * sizeof(((struct crun_error *)0)->at) + 200;
	struct line l = {line, 0, size};

	put_text(&l, "{\"msg\":");
	put_json_string(&l, text, reserve);
	put_text(&l, ",\"level\":");
	put_json_string(&l, levels[level].name, 1);
	put_text(&l, ",\"time\":");
	put_time(&l, when);
	if (err) {
		put_text(&l, ",\"code\":");
		put_json_string(&l, err_code_name(err), 1);
		put_text(&l, ",\"kind\":");
		put_json_string(&l, err_kind_name(err->kind), 1);
	}
	if (err && err->at[0]) {
		put_text(&l, ",\"at\":");
		put_json_string(&l, err->at, 1);
	}
	put_text(&l, "}\n");
	return l.len;
}

/* One write(2): lines of concurrent processes do not mix (O_APPEND), and a pipe's reader gets the whole of it. */
static void write_line(int fd, const struct line *l)
{
	ssize_t n;

	do {
		n = write(fd, l->data, l->len);
	} while (n < 0 && errno == EINTR);
	/* A full disk or a reader that is gone must not change what the command does. */
}

/* ERR may be NULL. */
static void write_stderr(enum crun_log_level level, const char *text, const struct crun_error *err)
{
	char data[LOG_LINE_MAX];
	struct line l = {data, 0, sizeof(data) - ERROR_CODE_LINE};

	put_text(&l, "crun: ");
	if (level != LOG_LEVEL_ERROR)
		put_format(&l, "%s: ", levels[level].name);
	put_printable(&l, text);
	l.size = sizeof(data);
	put_text(&l, "\n");
	if (err)
		put_format(&l, "crun: error code %s\n", err_code_name(err));
	write_line(STDERR_FILENO, &l);
}

static void write_file(const struct log_target *log, enum crun_log_level level, const char *text,
		       const struct crun_error *err)
{
	char data[LOG_LINE_MAX];
	struct line l = {data, 0, sizeof(data) - 1};
	struct timespec now = {0};

	if (log->json) {
		clock_gettime(CLOCK_REALTIME, &now);
		l.len = log_json_line(data, sizeof(data), level, text, &now, err);
	} else {
		put_printable(&l, text);
		l.size++;
		put_text(&l, "\n");
	}
	write_line(log->fd, &l);
}

/* systemd's native journal protocol: one datagram, a FIELD=value per line. */
static void send_journal(const struct log_target *log, enum crun_log_level level, const char *text,
			 const struct crun_error *err)
{
	char data[LOG_LINE_MAX];
	struct line l = {data, 0, sizeof(data) - 1};

	if (log->fd < 0)
		return;
	put_format(&l, "PRIORITY=%d\nSYSLOG_IDENTIFIER=", levels[level].priority);
	put_printable(&l, log->id);
	if (err)
		put_format(&l, "\nCRUN_ERROR_CODE=%s", err_code_name(err));
	put_text(&l, "\nMESSAGE=");
	put_printable(&l, text);
	l.size++;
	put_text(&l, "\n");
	send(log->fd, l.data, l.len, MSG_NOSIGNAL | MSG_DONTWAIT);
}

static void write_log(const struct log_target *log, enum crun_log_level level, const char *text,
		      const struct crun_error *err)
{
	switch (log->kind) {
	case LOG_TO_STDERR:
		break;
	case LOG_TO_FILE:
		write_file(log, level, text, err);
		break;
	case LOG_TO_JOURNAL:
		send_journal(log, level, text, err);
		break;
	case LOG_TO_SYSLOG:
		syslog(levels[level].priority, "%s", text);
		break;
	}
}

void log_target_sink(void *data, enum crun_log_level level, const char *text)
{
	const struct log_target *log = data;

	if (log->kind == LOG_TO_STDERR)
		write_stderr(level, text, NULL);
	else
		write_log(log, level, text, NULL);
}

void log_target_failure(struct log_target *log, const struct crun_error *err)
{
	char text[sizeof(*err)];

	err_format(err, text, sizeof(text));
	write_log(log, LOG_LEVEL_ERROR, text, err);
	write_stderr(LOG_LEVEL_ERROR, text, err);
}

static int open_file(struct log_target *log, const char *path, struct crun_error *err)
{
	/* O_NONBLOCK is for a FIFO: nobody may be reading it, and a log is no reason to hang. */
	int fd =
		open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOCTTY | O_NONBLOCK, 0644);

	if (fd < 0)
		return err_sys_code(err, CODE_LOG_FILE, -errno, "open the log `%s`", path);
	log->fd = fd;
	log->kind = LOG_TO_FILE;
	return 0;
}

static void open_journal(struct log_target *log, const char *id)
{
	const struct sockaddr_un address = {.sun_family = AF_UNIX,
					    .sun_path = "/run/systemd/journal/socket"};

	log->kind = LOG_TO_JOURNAL;
	log->id = id;
	log->fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (log->fd >= 0 &&
	    connect(log->fd, (const struct sockaddr *)&address, sizeof(address)) < 0) {
		close(log->fd);
		log->fd = -EBADF;
	}
}

/* The rest of TEXT behind PREFIX, or NULL. */
static const char *after(const char *text, const char *prefix)
{
	size_t len = strlen(prefix);

	return strncmp(text, prefix, len) == 0 ? text + len : NULL;
}

int log_target_open(struct log_target *log, const char *destination, bool json,
		    struct crun_error *err)
{
	const char *rest;

	*log = (struct log_target){.fd = -EBADF, .json = json};
	if (!destination)
		return 0;
	rest = after(destination, "journald:");
	if (rest) {
		open_journal(log, rest);
		return 0;
	}
	rest = after(destination, "syslog:");
	if (rest) {
		log->kind = LOG_TO_SYSLOG;
		log->id = rest;
		openlog(rest, LOG_PID | LOG_NDELAY, LOG_USER);
		return 0;
	}
	rest = after(destination, "file:");
	return open_file(log, rest ? rest : destination, err);
}
