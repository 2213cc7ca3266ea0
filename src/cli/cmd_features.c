// SPDX-License-Identifier: Apache-2.0
// crun features: what this build can do, as the specification's features document.
#include "cli.h"

static int run_features(struct invocation *inv, struct crun_error *err)
{
	int r = libcrun_features(stdout, err);

	(void)inv;
	return r < 0 ? r : finish_output(err);
}

static const struct option_spec *const options[] = {options_help, NULL};

const struct command command_features = {
	.name = "features",
	.arguments = "",
	.summary = "show what this build can do as JSON",
	.description =
		"Writes the features document of the specification to the standard output. It describes\n"
		"the program, not the machine.",
	.options = options,
	.run = run_features,
};
