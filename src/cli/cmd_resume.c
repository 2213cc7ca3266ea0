// SPDX-License-Identifier: Apache-2.0
// crun resume: a paused container goes on.
#include "cli.h"

static int run_resume(struct invocation *inv, struct crun_error *err)
{
	return libcrun_resume(&inv->ctx, inv->args[0], err);
}

static const struct option_spec *const options[] = {options_help, NULL};

const struct command command_resume = {
	.name = "resume",
	.arguments = "CONTAINER",
	.summary = "let a paused container go on",
	.description = "Lets the processes of a container go on that `crun pause` has frozen.",
	.options = options,
	.min_args = 1,
	.max_args = 1,
	.run = run_resume,
};
