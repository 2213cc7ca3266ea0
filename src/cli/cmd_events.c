// SPDX-License-Identifier: Apache-2.0
// crun events: statistics and lack of memory as a stream of JSON objects.
#include "cli.h"

struct events_options {
	bool stats;
	int64_t interval_ms;
};

static int run_events(struct invocation *inv, struct crun_error *err)
{
	const struct events_options *opts = inv->options;
	const struct libcrun_events_options events = {
		.size = sizeof(events),
		.once = opts->stats,
		.interval_ms = opts->interval_ms,
	};

	return libcrun_events(&inv->ctx, inv->args[0], &events, stdout, err);
}

static const struct option_spec events_table[] = {
	{"stats", NULL, OPTION_FLAG, offsetof(struct events_options, stats), NULL, NULL,
	 "write the statistics once"},
	{"interval", NULL, OPTION_DURATION, offsetof(struct events_options, interval_ms), "SECONDS",
	 NULL, "time between two statistics (5)"},
	OPTIONS_END,
};

static const struct option_spec *const options[] = {events_table, options_help, NULL};

const struct command command_events = {
	.name = "events",
	.arguments = "CONTAINER",
	.summary = "write statistics and lack of memory as JSON",
	.description =
		"Writes a JSON object with the container's statistics at once and then at regular intervals,\n"
		"and one for each time that processes of it were killed for lack of memory, a line each, until\n"
		"it stops.",
	.options = options,
	.options_size = sizeof(struct events_options),
	.min_args = 1,
	.max_args = 1,
	.run = run_events,
};
