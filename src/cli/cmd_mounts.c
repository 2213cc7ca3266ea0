// SPDX-License-Identifier: Apache-2.0
// crun mounts: add mounts to a container that is there, or remove some.
#include "cli.h"

#include <string.h>

static int run_mounts(struct invocation *inv, struct crun_error *err)
{
	const char *what = inv->args[0];
	bool remove = strcmp(what, "remove") == 0;

	if (!remove && strcmp(what, "add") != 0)
		return usage_error(inv, err, "`crun mounts` does `add` or `remove`, not `%s`",
				   what);
	return libcrun_mounts(&inv->ctx, inv->args[1], remove, inv->args[2], err);
}

static const struct option_spec *const options[] = {options_help, NULL};

const struct command command_mounts = {
	.name = "mounts",
	.arguments = "add|remove CONTAINER FILE",
	.summary = "add mounts to a container, or remove some",
	.description =
		"Makes the mounts of FILE in a container that is created, running or paused, or removes those at\n"
		"their destinations: all of them, or none. FILE (- for standard input) has the mounts as config.json\n"
		"has them: an object with the member `mounts`, or the array alone.",
	.options = options,
	.min_args = 3,
	.max_args = 3,
	.run = run_mounts,
};
