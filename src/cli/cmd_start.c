// SPDX-License-Identifier: Apache-2.0
// crun start: the program of a created container runs.
#include "cli.h"

static int run_start(struct invocation *inv, struct crun_error *err)
{
	return libcrun_start(&inv->ctx, inv->args[0], err);
}

static const struct option_spec *const options[] = {options_help, NULL};

const struct command command_start = {
	.name = "start",
	.arguments = "CONTAINER",
	.summary = "run the program of a created container",
	.description =
		"Runs the program of a container that `crun create` made. Does not wait for it.",
	.options = options,
	.min_args = 1,
	.max_args = 1,
	.run = run_start,
};
