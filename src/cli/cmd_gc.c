// SPDX-License-Identifier: Apache-2.0
// crun gc: removes what killed commands left of containers.
#include "cli.h"

#include <stdlib.h>
#include <string.h>

struct gc_options {
	const char *format;
	bool dry_run;
};

static int run_gc(struct invocation *inv, struct crun_error *err)
{
	const struct gc_options *opts = inv->options;
	struct libcrun_gc_options gc = {
		.size = sizeof(gc),
		.format = LIBCRUN_GC_TEXT,
		.dry_run = opts->dry_run,
	};
	unsigned left;
	int r;

	if (opts->format && strcmp(opts->format, "json") == 0)
		gc.format = LIBCRUN_GC_JSON;
	r = libcrun_gc(&inv->ctx, &gc, stdout, &left, err);
	if (r < 0)
		return r;
	inv->status = left ? EXIT_FAILURE : 0;
	return finish_output(err);
}

static const struct option_spec gc_table[] = {
	{"dry-run", "n", OPTION_FLAG, offsetof(struct gc_options, dry_run), NULL, NULL,
	 "only list what would be removed"},
	{"format", "f", OPTION_CHOICE, offsetof(struct gc_options, format), "text|json", NULL,
	 "form of the list (text)"},
	OPTIONS_END,
};

static const struct option_spec *const options[] = {gc_table, options_help, NULL};

const struct command command_gc = {
	.name = "gc",
	.arguments = "",
	.summary = "remove what killed commands left of containers",
	.description =
		"Removes the containers of the state directory that a killed create, run or delete left half-made\n"
		"or half-deleted, with all that belongs to them, and lists them. Containers that live, or have\n"
		"stopped and wait for their deletion, are left alone. The exit status is 1 if one could not be removed.",
	.options = options,
	.options_size = sizeof(struct gc_options),
	.run = run_gc,
};
