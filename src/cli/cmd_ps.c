// SPDX-License-Identifier: Apache-2.0
// crun ps: the processes of a container.
#include "cli.h"

#include <limits.h>
#include <string.h>

struct ps_options {
	const char *format;
};

static int run_ps(struct invocation *inv, struct crun_error *err)
{
	const struct ps_options *opts = inv->options;
	bool json = opts->format && strcmp(opts->format, "json") == 0;
	int r;

	if (json && inv->args_len > 1)
		return usage_error(inv, err,
				   "options for ps(1) such as `%s` are for the table only",
				   inv->args[1]);
	r = libcrun_ps(&inv->ctx, inv->args[0], json ? LIBCRUN_PS_JSON : LIBCRUN_PS_TABLE,
		       inv->args + 1, stdout, err);
	return r < 0 ? r : finish_output(err);
}

static const struct option_spec ps_table[] = {
	{"format", "f", OPTION_CHOICE, offsetof(struct ps_options, format), "table|json", NULL,
	 "form of the list (table)"},
	OPTIONS_END,
};

static const struct option_spec *const options[] = {ps_table, options_help, NULL};

const struct command command_ps = {
	.name = "ps",
	.arguments = "CONTAINER [PS-OPTION]...",
	.summary = "list the processes of a container",
	.description =
		"Lists the processes in the container's cgroup and below it. With options for ps(1), such as\n"
		"-ef or -o pid,args, that program makes the table; one of its columns must be PID.",
	.options = options,
	.options_size = sizeof(struct ps_options),
	.min_args = 1,
	.max_args = INT_MAX,
	.run = run_ps,
};
