// SPDX-License-Identifier: Apache-2.0
// crun run: create and start in one go, in the foreground unless told otherwise.
#include "create_options.h"

static int run_run(struct invocation *inv, struct crun_error *err)
{
	struct libcrun_create_options *opts = inv->options;
	int r = refuse_handler_names(inv, err);

	if (r < 0)
		return r;
	create_options_finish(opts);
	return libcrun_run(&inv->ctx, inv->args[0], opts, &inv->status, err);
}

static const struct option_spec run_options[] = {
	{"detach", "d", OPTION_FLAG, offsetof(struct libcrun_create_options, detach), NULL, NULL,
	 "do not wait for the process to end"},
	{"keep", NULL, OPTION_FLAG, offsetof(struct libcrun_create_options, keep), NULL, NULL,
	 "leave the container behind when it has ended, for `delete`"},
	OPTIONS_END,
};

static const struct option_spec *const options[] = {create_options, run_options, options_help,
						    NULL};

const struct command command_run = {
	.name = "run",
	.arguments = "CONTAINER",
	.summary = "make a container and start it",
	.description =
		"Makes a container from a bundle, starts it, and waits for its process to end. The exit\n"
		"status is that of the process, or 128+N when signal N ended it.",
	.options = options,
	.options_size = sizeof(struct libcrun_create_options),
	.min_args = 1,
	.max_args = 1,
	.run = run_run,
};
