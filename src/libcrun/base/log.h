/* SPDX-License-Identifier: Apache-2.0 */
/* Where the library's messages go: one callback, set by the caller; the library itself never prints. */
#pragma once

enum crun_log_level { LOG_LEVEL_ERROR, LOG_LEVEL_WARNING, LOG_LEVEL_DEBUG };

typedef void (*log_sink)(void *data, enum crun_log_level level, const char *text);

/* Sets the sink and the highest level that reaches it. A NULL sink drops everything. */
void log_set_sink(log_sink sink, void *data, enum crun_log_level max);

/* The present sink, for a caller that puts its own in place for a while. */
void log_get_sink(log_sink *sink, void **data, enum crun_log_level *max);

/* True when messages of this level are wanted: lets a caller skip building an expensive text. */
int log_wants(enum crun_log_level level);

void log_message(enum crun_log_level level, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

#define log_debug(...)                                             \
	do {                                                       \
		if (log_wants(LOG_LEVEL_DEBUG))                    \
			log_message(LOG_LEVEL_DEBUG, __VA_ARGS__); \
	} while (0)
#define log_warning(...) log_message(LOG_LEVEL_WARNING, __VA_ARGS__)
