// SPDX-License-Identifier: Apache-2.0
// crun stats: what a container uses.
#include "cli.h"

#include <string.h>

struct stats_options {
	const char *format;
	bool watch;
	int64_t interval_ms;
};

static int run_stats(struct invocation *inv, struct crun_error *err)
{
	const struct stats_options *opts = inv->options;
	const struct libcrun_stats_options stats = {
		.size = sizeof(stats),
		.format = opts->format && strcmp(opts->format, "json") == 0 ? LIBCRUN_STATS_JSON
									    : LIBCRUN_STATS_TABLE,
		.watch = opts->watch || opts->interval_ms > 0,
		.interval_ms = opts->interval_ms,
	};

	return libcrun_stats(&inv->ctx, inv->args[0], &stats, stdout, err);
}

static const struct option_spec stats_table[] = {
	{"format", "f", OPTION_CHOICE, offsetof(struct stats_options, format), "table|json", NULL,
	 "form of the statistics (table)"},
	{"watch", "w", OPTION_FLAG, offsetof(struct stats_options, watch), NULL, NULL,
	 "show them every 2 seconds"},
	{"interval", NULL, OPTION_DURATION, offsetof(struct stats_options, interval_ms), "SECONDS",
	 NULL, "the same, with this time in between"},
	OPTIONS_END,
};

static const struct option_spec *const options[] = {stats_table, options_help, NULL};

const struct command command_stats = {
	.name = "stats",
	.arguments = "[CONTAINER]",
	.summary = "show what a container, or each of them, uses",
	.description =
		"Shows CPU time, memory, I/O, processes and pressure of a container, and whose limit it was when\n"
		"processes of it were killed for lack of memory; without CONTAINER a line for each container.",
	.options = options,
	.options_size = sizeof(struct stats_options),
	.max_args = 1,
	.run = run_stats,
};
