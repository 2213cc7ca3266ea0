/* SPDX-License-Identifier: Apache-2.0 */
/* Where messages go: --log, --log-format, --log-level and standard error. */
#pragma once

#include "libcrun.h"

#include <stdbool.h>
#include <time.h>

enum log_kind {
	LOG_TO_STDERR, /* no --log: warnings and debug messages go to standard error */
	LOG_TO_FILE,
	LOG_TO_JOURNAL,
	LOG_TO_SYSLOG,
};

struct log_target {
	enum log_kind kind;
	int fd;		/* LOG_TO_FILE, LOG_TO_JOURNAL; negative when the journal is not there */
	bool json;	/* LOG_TO_FILE: a line is a JSON object, not the bare text */
	const char *id; /* LOG_TO_JOURNAL, LOG_TO_SYSLOG: SYSLOG_IDENTIFIER; borrowed */
};

/* The largest line that a message becomes; longer texts are cut. */
#define LOG_LINE_MAX 16384

/*
 * Opens DESTINATION: PATH, file:PATH, journald:ID, syslog:ID, or NULL for none. A file is made if it is missing and
 * appended to. A journal or system log that is not there is no failure: the text is on standard error as well.
 */
int log_target_open(struct log_target *log, const char *destination, bool json,
		    struct crun_error *err) CRUN_NODISCARD;

/* A log_sink for libcrun_set_log(); DATA is a struct log_target. */
void log_target_sink(void *data, enum crun_log_level level, const char *text);

/*
 * Tells a failure: one entry of level error in the log, and the plain text in a single write(2) to standard error, for
 * some callers read only the one and some read only the first block of the other. On standard error the code follows in
 * a line of its own: callers keep the line that has the phrase they look for, and want it to end with the reason.
 */
void log_target_failure(struct log_target *log, const struct crun_error *err);

/* The level of a word of --log-level; NULL is error, so that a log holds nothing but failures unless asked. */
enum crun_log_level log_level_from_name(const char *name);

/*
 * Writes {"msg":...,"level":...,"time":...} and a newline for a message of time WHEN into LINE, with "code", "kind" and "at"
 * of ERR if it is not NULL. SIZE is at least 2048. Bytes of TEXT that are not UTF-8 become U+FFFD. Returns the length; the
 * line is complete even when TEXT had to be cut.
 */
size_t log_json_line(char *line, size_t size, enum crun_log_level level, const char *text,
		     const struct timespec *when, const struct crun_error *err);
