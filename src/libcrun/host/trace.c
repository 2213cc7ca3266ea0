// SPDX-License-Identifier: Apache-2.0
// The spans of a command and of the init that it made, as a file in the Chrome trace event format. See trace.h.
#include "host/trace.h"

#include "base/cleanup.h"
#include "base/log.h"
#include "init/init_main.h"
#include "libcrun.h"
#include "sys/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* The longest story, twice: told and undone. What comes after that is left out. */
#define SPANS_MAX 160

struct host_span {
	const char *name;
	uint64_t begin, end;
	int result;
	bool undo;
};

static struct {
	int fd;
	const char *path, *command;
	size_t whole; /* the span of the command */
	pid_t init;
	uint64_t execve_seen;
	size_t len;
	struct host_span spans[SPANS_MAX];
} trace = {.fd = FD_NONE};

size_t trace_host_begin(const char *name, bool undo)
{
	if (trace.len >= SPANS_MAX)
		return SPANS_MAX;
	trace.spans[trace.len] =
		(struct host_span){.name = name, .begin = trace_clock(), .undo = undo};
	return trace.len++;
}

void trace_host_end(size_t span, int result)
{
	if (span >= SPANS_MAX)
		return;
	trace.spans[span].result = result;
	trace.spans[span].end = trace_clock();
}

void trace_host_birth(pid_t pid)
{
	trace.init = pid;
}

void trace_host_execve(void)
{
	if (!trace.execve_seen)
		trace.execve_seen = trace_clock();
}

/* What is no file of its own, a FIFO that nobody reads above all, must not keep us. */
static int open_file(const char *path, struct crun_error *err)
{
	_cleanup_close_ int fd = sys_openat(
		AT_FDCWD, path, O_WRONLY | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY, 0600);
	struct stat st;

	if (fd == -ELOOP)
		return err_set(err, CODE_TRACE_FILE, ELOOP,
			       "open the trace `%s`: it is a symbolic link", path);
	if (fd < 0)
		return err_sys_code(err, CODE_TRACE_FILE, fd, "open the trace `%s`", path);
	if (fstat(fd, &st) < 0)
		return err_sys_code(err, CODE_TRACE_FILE, -errno, "stat the trace `%s`", path);
	if (!S_ISREG(st.st_mode))
		return err_set(err, CODE_TRACE_FILE, EINVAL,
			       "open the trace `%s`: it is not a regular file", path);
	if (ftruncate(fd, 0) < 0)
		return err_sys_code(err, CODE_TRACE_FILE, -errno, "empty the trace `%s`", path);
	return take_fd(&fd);
}

int libcrun_trace_begin(const char *path, const char *command, struct crun_error *err)
{
	int r;

	trace.fd = open_file(path, err);
	if (trace.fd < 0)
		return trace.fd;
	r = trace_share();
	if (r < 0) {
		close_fd(&trace.fd);
		return err_sys(err, r, "map memory for the trace");
	}
	trace.path = path;
	trace.command = command;
	trace.whole = trace_begin(command);
	return 0;
}

/* Microseconds, as the format has them, with the nanoseconds behind the point. */
static void put_time(FILE *out, const char *name, uint64_t ns)
{
	fprintf(out, "\"%s\":%llu.%03u", name, (unsigned long long)(ns / 1000),
		(unsigned)(ns % 1000));
}

/* END 0: the span was not over at OVER. */
static void put_span(FILE *out, pid_t pid, uint64_t begin, uint64_t end, uint64_t over, int result)
{
	uint64_t last = end ? end : over;

	fprintf(out, "\"ph\":\"X\",\"pid\":%d,\"tid\":%d,", (int)pid, (int)pid);
	put_time(out, "ts", begin);
	fputc(',', out);
	put_time(out, "dur", last > begin ? last - begin : 0);
	if (!end)
		fputs(",\"args\":{\"unfinished\":true}", out);
	else if (result < 0)
		fputs(",\"args\":{\"failed\":true}", out);
	fputs("},\n", out);
}

static void put_init(FILE *out, uint64_t over)
{
	/* Init may write there while we read: each word is read once. */
	uint32_t len = __atomic_load_n(&trace_area->len, __ATOMIC_ACQUIRE);

	for (uint32_t i = 0; i < len && i < TRACE_SPANS_MAX; i++) {
		const volatile struct trace_span *s = &trace_area->spans[i];
		char name[64];

		if (!init_phase_name(s->phase, name, sizeof(name)))
			continue;
		fprintf(out, "{\"name\":\"%s\",\"cat\":\"init\",", name);
		put_span(out, trace.init, s->begin, s->end, over, s->result);
	}
}

static void put_name(FILE *out, pid_t pid, const char *name, const char *what, const char *end)
{
	fprintf(out,
		"{\"name\":\"process_name\",\"ph\":\"M\",\"pid\":%d,\"tid\":%d,\"args\":{\"name\":"
		"\"%s%s\"}}%s",
		(int)pid, (int)pid, name, what, end);
}

static void put_trace(FILE *out)
{
	const pid_t pid = getpid();
	uint64_t now = trace_clock();

	fputs("[\n", out);
	for (size_t i = 0; i < trace.len; i++) {
		const struct host_span *s = &trace.spans[i];

		fprintf(out, "{\"name\":\"%s%s\",\"cat\":\"host\",", s->undo ? "undo: " : "",
			s->name);
		put_span(out, pid, s->begin, s->end, now, s->result);
	}
	if (trace.init > 0) {
		put_init(out, trace.execve_seen ? trace.execve_seen : now);
		put_name(out, trace.init, "init", "", ",\n");
	}
	put_name(out, pid, "crun ", trace.command, "\n]\n");
}

void libcrun_trace_end(int result)
{
	int error = 0;
	FILE *out;

	if (!trace_area)
		return;
	trace_end(trace.whole, result);
	out = fdopen(trace.fd, "w");
	if (out) {
		trace.fd = FD_NONE;
		put_trace(out);
		error = ferror(out) ? EIO : 0;
		if (fclose(out) != 0)
			error = errno;
	} else {
		error = errno;
	}
	if (error)
		/* The command has done what it had to do. Not a warning, which nobody sees by default. */
		log_message(LOG_LEVEL_ERROR, "write the trace `%s`: %s", trace.path,
			    strerror(error));
	close_fd(&trace.fd);
	trace_unshare();
}
