// SPDX-License-Identifier: Apache-2.0
// crun list: the containers of the state directory.
#include "cli.h"

#include <string.h>

struct list_options {
	const char *format;
	bool quiet;
};

static int run_list(struct invocation *inv, struct crun_error *err)
{
	const struct list_options *opts = inv->options;
	enum libcrun_list_format format = LIBCRUN_LIST_TABLE;
	int r;

	if (opts->quiet)
		format = LIBCRUN_LIST_QUIET;
	else if (opts->format && strcmp(opts->format, "json") == 0)
		format = LIBCRUN_LIST_JSON;
	r = libcrun_list(&inv->ctx, format, stdout, err);
	return r < 0 ? r : finish_output(err);
}

static const struct option_spec list_table[] = {
	{"format", "f", OPTION_CHOICE, offsetof(struct list_options, format), "table|json", NULL,
	 "form of the list (table)"},
	{"quiet", "q", OPTION_FLAG, offsetof(struct list_options, quiet), NULL, NULL,
	 "only the ids, one per line"},
	OPTIONS_END,
};

static const struct option_spec *const options[] = {list_table, options_help, NULL};

const struct command command_list = {
	.name = "list",
	.arguments = "",
	.summary = "list the containers",
	.description = "Lists the containers of the state directory, sorted by id.",
	.options = options,
	.options_size = sizeof(struct list_options),
	.run = run_list,
};
