// SPDX-License-Identifier: Apache-2.0
// crun state: what a container is doing, as the specification's state document.
#include "cli.h"

static int run_state(struct invocation *inv, struct crun_error *err)
{
	int r = libcrun_state(&inv->ctx, inv->args[0], stdout, err);

	return r < 0 ? r : finish_output(err);
}

static const struct option_spec *const options[] = {options_help, NULL};

const struct command command_state = {
	.name = "state",
	.arguments = "CONTAINER",
	.summary = "show the state of a container as JSON",
	.description =
		"Writes the container's state to the standard output: a JSON object with the members\n"
		"ociVersion, id, status, pid, bundle, rootfs, created, owner and annotations.",
	.options = options,
	.min_args = 1,
	.max_args = 1,
	.run = run_state,
};
