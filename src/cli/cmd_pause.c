// SPDX-License-Identifier: Apache-2.0
// crun pause: a container's processes stop until `resume`.
#include "cli.h"

static int run_pause(struct invocation *inv, struct crun_error *err)
{
	return libcrun_pause(&inv->ctx, inv->args[0], err);
}

static const struct option_spec *const options[] = {options_help, NULL};

const struct command command_pause = {
	.name = "pause",
	.arguments = "CONTAINER",
	.summary = "freeze all processes of a container",
	.description =
		"Freezes all processes of a container. Returns once they stand still; `crun resume` lets\n"
		"them go on.",
	.options = options,
	.min_args = 1,
	.max_args = 1,
	.run = run_pause,
};
