// SPDX-License-Identifier: Apache-2.0
// crun create: a container is made, its process waits for `crun start`.
#include "create_options.h"

static int run_create(struct invocation *inv, struct crun_error *err)
{
	struct libcrun_create_options *opts = inv->options;
	int r = refuse_handler_names(inv, err);

	if (r < 0)
		return r;
	create_options_finish(opts);
	return libcrun_create(&inv->ctx, inv->args[0], opts, err);
}

/* Some callers say so, although create never waits for the payload. */
static const struct option_spec detach_option[] = {
	{"detach", "d", OPTION_FLAG, offsetof(struct libcrun_create_options, detach), NULL, NULL,
	 "accepted and ignored: create never waits for the process"},
	OPTIONS_END,
};

static const struct option_spec *const options[] = {create_options, detach_option, options_help,
						    NULL};

const struct command command_create = {
	.name = "create",
	.arguments = "CONTAINER",
	.summary = "make a container; its process waits for `start`",
	.description =
		"Makes a container from a bundle: a directory with a config.json and a root file system.\n"
		"Everything is set up but the program, which `crun start CONTAINER` runs.",
	.options = options,
	.options_size = sizeof(struct libcrun_create_options),
	.min_args = 1,
	.max_args = 1,
	.run = run_create,
};
