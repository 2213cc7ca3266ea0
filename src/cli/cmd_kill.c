// SPDX-License-Identifier: Apache-2.0
// crun kill: a signal for the container's process, or for all of its processes.
#include "select.h"

#include <signal.h>

struct kill_options {
	bool all, regex;
	int signal;
};

static int kill_one(struct invocation *inv, const char *id, struct crun_error *err)
{
	const struct kill_options *opts = inv->options;

	return libcrun_kill(&inv->ctx, id, opts->signal, opts->all, err);
}

static int run_kill(struct invocation *inv, struct crun_error *err)
{
	struct kill_options *opts = inv->options;

	opts->signal = SIGTERM;
	if (inv->args_len > 1) {
		opts->signal = libcrun_signal_number(inv->args[1]);
		if (opts->signal < 0)
			return usage_error(inv, err, "unknown signal `%s`", inv->args[1]);
	}
	return each_selected(inv, inv->args[0], opts->regex, false, kill_one, err);
}

static const struct option_spec kill_table[] = {
	{"all", "a", OPTION_FLAG, offsetof(struct kill_options, all), NULL, NULL,
	 "signal every process of the container"},
	{"regex", "r", OPTION_FLAG, offsetof(struct kill_options, regex), NULL, NULL,
	 "CONTAINER is a regular expression for ids"},
	OPTIONS_END,
};

static const struct option_spec *const options[] = {kill_table, options_help, NULL};

const struct command command_kill = {
	.name = "kill",
	.arguments = "CONTAINER [SIGNAL]",
	.summary = "send a signal to a container",
	.description =
		"Sends SIGNAL, a name or a number, to the container's first process. Without SIGNAL: TERM.",
	.options = options,
	.options_size = sizeof(struct kill_options),
	.min_args = 1,
	.max_args = 2,
	.run = run_kill,
};
