// SPDX-License-Identifier: Apache-2.0
// crun doctor: what containers need of this host, and what it lacks.
#include "cli.h"

#include <stdlib.h>

struct doctor_options {
	const char *bundle;
	bool json;
};

static int run_doctor(struct invocation *inv, struct crun_error *err)
{
	const struct doctor_options *opts = inv->options;
	unsigned problems;
	int r;

	r = libcrun_doctor(&inv->ctx, opts->bundle,
			   opts->json ? LIBCRUN_DOCTOR_JSON : LIBCRUN_DOCTOR_TEXT, stdout,
			   &problems, err);
	if (r < 0)
		return r;
	inv->status = problems ? EXIT_FAILURE : 0;
	return finish_output(err);
}

static const struct option_spec doctor_table[] = {
	{"bundle", "b", OPTION_TEXT, offsetof(struct doctor_options, bundle), "DIR", NULL,
	 "look at what this bundle needs as well"},
	{"json", NULL, OPTION_FLAG, offsetof(struct doctor_options, json), NULL, NULL,
	 "write the findings as JSON"},
	OPTIONS_END,
};

static const struct option_spec *const options[] = {doctor_table, options_help, NULL};

const struct command command_doctor = {
	.name = "doctor",
	.arguments = "",
	.summary = "say what this host lacks to run containers",
	.description =
		"Looks at everything that containers of the calling user need of this host, and says of what\n"
		"is missing what follows from it and how to mend it. Nothing is changed. The exit status is 0\n"
		"only if there are no problems; warnings and notes are none.",
	.options = options,
	.options_size = sizeof(struct doctor_options),
	.run = run_doctor,
};
