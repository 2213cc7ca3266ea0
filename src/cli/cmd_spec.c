// SPDX-License-Identifier: Apache-2.0
// crun spec: an example configuration to start from.
#include "cli.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

struct spec_options {
	const char *bundle, *file;
	bool rootless;
};

static int write_stream(FILE *out, const char *name, bool rootless, struct crun_error *err)
{
	int r = libcrun_spec(rootless, out, err);

	if (r >= 0 && fflush(out) != 0)
		r = err_sys_code(err, CODE_OUTPUT, -errno, "write `%s`", name);
	return r;
}

/* Makes NAME in the directory; a file that is there already is somebody's work. */
static int write_file(int dir, const char *name, bool rootless, struct crun_error *err)
{
	int fd = openat(dir, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
	FILE *out;
	int r;

	if (fd < 0 && errno == EEXIST)
		return err_set(err, CODE_FILE_IN_THE_WAY, EEXIST, "`%s` exists already", name);
	if (fd < 0)
		return err_sys_code(err, CODE_OUTPUT, -errno, "create `%s`", name);
	out = fdopen(fd, "we");
	if (!out) {
		r = err_sys_code(err, CODE_OUTPUT, -errno, "write `%s`", name);
		close(fd);
	} else {
		r = write_stream(out, name, rootless, err);
		fclose(out);
	}
	if (r < 0)
		unlinkat(dir, name, 0);
	return r;
}

static int run_spec(struct invocation *inv, struct crun_error *err)
{
	const struct spec_options *opts = inv->options;
	const char *name = opts->file ? opts->file : "config.json";
	int dir = AT_FDCWD, r;

	if (strcmp(name, "-") == 0) {
		r = libcrun_spec(opts->rootless, stdout, err);
		return r < 0 ? r : finish_output(err);
	}
	if (opts->bundle) {
		dir = open(opts->bundle, O_PATH | O_DIRECTORY | O_CLOEXEC);
		if (dir < 0)
			return err_sys_code(err, CODE_BUNDLE_MISSING, -errno,
					    "open the bundle `%s`", opts->bundle);
	}
	r = write_file(dir, name, opts->rootless, err);
	if (dir >= 0)
		close(dir);
	return r;
}

static const struct option_spec spec_table[] = {
	{"bundle", "b", OPTION_TEXT, offsetof(struct spec_options, bundle), "DIR", NULL,
	 "the directory to write to (the current one)"},
	{"file", "f", OPTION_TEXT, offsetof(struct spec_options, file), "FILE", NULL,
	 "the file to write, - for the standard output (config.json)"},
	{"rootless", NULL, OPTION_FLAG, offsetof(struct spec_options, rootless), NULL, NULL,
	 "for a container that the calling user runs without privileges"},
	OPTIONS_END,
};

static const struct option_spec *const options[] = {spec_table, options_help, NULL};

const struct command command_spec = {
	.name = "spec",
	.arguments = "",
	.summary = "write an example config.json",
	.description =
		"Writes an example configuration: a shell with a terminal in the root file system `rootfs`.\n"
		"A file that exists already is not overwritten.",
	.options = options,
	.options_size = sizeof(struct spec_options),
	.run = run_spec,
};
