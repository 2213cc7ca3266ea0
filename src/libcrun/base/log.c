// SPDX-License-Identifier: Apache-2.0
// The message sink: see log.h.
#include "base/log.h"

#include <stdarg.h>
#include <stdio.h>

/* Process-wide on purpose: init inherits it by fork and replaces it with one that sends to the host side. */
static struct {
	log_sink sink;
	void *data;
	enum crun_log_level max;
} log_to;

void log_set_sink(log_sink sink, void *data, enum crun_log_level max)
{
	log_to.sink = sink;
	log_to.data = data;
	log_to.max = max;
}

void log_get_sink(log_sink *sink, void **data, enum crun_log_level *max)
{
	*sink = log_to.sink;
	*data = log_to.data;
	*max = log_to.max;
}

int log_wants(enum crun_log_level level)
{
	return log_to.sink && level <= log_to.max;
}

void log_message(enum crun_log_level level, const char *fmt, ...)
{
	char text[1024];
	va_list ap;

	if (!log_wants(level))
		return;
	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	log_to.sink(log_to.data, level, text);
}
