// SPDX-License-Identifier: Apache-2.0
// crun delete: what is left of a container goes.
#include "select.h"

struct delete_options {
	bool force, regex;
};

static int delete_one(struct invocation *inv, const char *id, struct crun_error *err)
{
	const struct delete_options *opts = inv->options;

	return libcrun_delete(&inv->ctx, id, opts->force, err);
}

static int run_delete(struct invocation *inv, struct crun_error *err)
{
	const struct delete_options *opts = inv->options;

	return each_selected(inv, inv->args[0], opts->regex, opts->force, delete_one, err);
}

static const struct option_spec delete_table[] = {
	{"force", "f", OPTION_FLAG, offsetof(struct delete_options, force), NULL, NULL,
	 "kill the container if it runs; succeed if there is none"},
	{"regex", "r", OPTION_FLAG, offsetof(struct delete_options, regex), NULL, NULL,
	 "CONTAINER is a regular expression for ids"},
	OPTIONS_END,
};

static const struct option_spec *const options[] = {delete_table, options_help, NULL};

const struct command command_delete = {
	.name = "delete",
	.arguments = "CONTAINER",
	.summary = "remove a container",
	.description =
		"Removes the state and the cgroup of a container that has ended or was never started, and\n"
		"runs its poststop hooks.",
	.options = options,
	.options_size = sizeof(struct delete_options),
	.min_args = 1,
	.max_args = 1,
	.run = run_delete,
};
