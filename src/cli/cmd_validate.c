// SPDX-License-Identifier: Apache-2.0
// crun validate: all that is wrong with a configuration, at once and without making anything.
#include "cli.h"

#include <stdlib.h>
#include <string.h>

struct validate_options {
	const char *bundle, *config, *format;
};

static int run_validate(struct invocation *inv, struct crun_error *err)
{
	const struct validate_options *opts = inv->options;
	const struct libcrun_create_options create = {
		.size = sizeof(create),
		.bundle = opts->bundle,
		.config = opts->config,
	};
	enum libcrun_validate_format format = LIBCRUN_VALIDATE_TEXT;
	unsigned errors;
	int r;

	if (opts->format && strcmp(opts->format, "json") == 0)
		format = LIBCRUN_VALIDATE_JSON;
	r = libcrun_validate(&inv->ctx, &create, format, stdout, &errors, err);
	if (r < 0)
		return r;
	inv->status = errors ? EXIT_FAILURE : 0;
	return finish_output(err);
}

static const struct option_spec validate_table[] = {
	{"bundle", "b", OPTION_TEXT, offsetof(struct validate_options, bundle), "DIR", NULL,
	 "the bundle (the current directory)"},
	{"config", "f", OPTION_TEXT, offsetof(struct validate_options, config), "FILE", NULL,
	 "the configuration (config.json in the bundle)"},
	{"format", NULL, OPTION_CHOICE, offsetof(struct validate_options, format), "text|json",
	 NULL, "form of the findings (text)"},
	OPTIONS_END,
};

static const struct option_spec *const options[] = {validate_table, options_help, NULL};

const struct command command_validate = {
	.name = "validate",
	.arguments = "",
	.summary = "say all that is wrong with a configuration",
	.description =
		"Checks a configuration as `create` would, and what it needs of this host, and writes all\n"
		"errors and warnings to the standard output. Nothing is made. The exit status is 0 only if\n"
		"there are no errors.",
	.options = options,
	.options_size = sizeof(struct validate_options),
	.run = run_validate,
};
