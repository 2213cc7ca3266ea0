// SPDX-License-Identifier: Apache-2.0
// The options that create and run have in common, and socket activation.
#include "create_options.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define CREATE(field) offsetof(struct libcrun_create_options, field)

const struct option_spec create_options[] = {
	{"bundle", "b", OPTION_TEXT, CREATE(bundle), "DIR", NULL,
	 "the bundle (the current directory)"},
	{"config", "f", OPTION_TEXT, CREATE(config), "FILE", NULL,
	 "the configuration (config.json in the bundle)"},
	{"pid-file", NULL, OPTION_TEXT, CREATE(pid_file), "FILE", NULL,
	 "write the process id of the container to FILE"},
	{"console-socket", NULL, OPTION_TEXT, CREATE(console_socket), "SOCKET", NULL,
	 "send the terminal's master end to this unix socket"},
	{"pidfd-socket", NULL, OPTION_TEXT, CREATE(pidfd_socket), "SOCKET", NULL,
	 "send a pidfd of the container's process to this unix socket"},
	{"no-pivot", NULL, OPTION_FLAG, CREATE(no_pivot), NULL, NULL,
	 "change the root without pivot_root(2), for a root on a ramdisk"},
	{"no-new-keyring", NULL, OPTION_FLAG, CREATE(no_new_keyring), NULL, NULL,
	 "keep the caller's session keyring"},
	{"preserve-fds", NULL, OPTION_COUNT, CREATE(preserve_fds), "N", NULL,
	 "hand file descriptors 3 to 3+N-1 to the container's process"},
	{"no-subreaper", NULL, OPTION_FLAG, CREATE(no_subreaper), NULL, NULL,
	 "do not become the reaper of orphaned processes"},
	OPTIONS_END,
};

/* A decimal number of the environment, or -1. */
static long env_number(const char *name)
{
	const char *text = getenv(name);
	char *end;
	long number;

	if (!text || text[0] < '0' || text[0] > '9')
		return -1;
	number = strtol(text, &end, 10);
	return *end || number > OPTION_COUNT_MAX ? -1 : number;
}

/*
 * The descriptors are meant for the process that $LISTEN_PID names. A number that is not ours was
 * inherited from an engine that keeps them for itself; none at all comes from callers that cannot know our pid.
 */
unsigned listen_fds_of_environment(void)
{
	const char *pid = getenv("LISTEN_PID");
	long number = env_number("LISTEN_FDS");

	if (number <= 0 || (pid && pid[0] && env_number("LISTEN_PID") != (long)getpid()))
		return 0;
	return (unsigned)number;
}

/* "krun", or "crun-wasm" and the like; NULL for any other name, which may be that of a copy of ours. */
static const char *handler_in_name(const char *path)
{
	static const char *const handlers[] = {"krun",	 "wasm",     "wasmedge",
					       "wasmer", "wasmtime", "wamr"};
	const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path;

	if (strcmp(name, "krun") == 0)
		return name;
	for (size_t i = 0; i < sizeof(handlers) / sizeof(handlers[0]); i++) {
		if (strncmp(name, "crun-", 5) == 0 && strcmp(name + 5, handlers[i]) == 0)
			return handlers[i];
	}
	return NULL;
}

int refuse_handler_names(const struct invocation *inv, struct crun_error *err)
{
	const char *name = inv->ctx.argv[0], *handler = handler_in_name(name);

	if (!handler)
		return 0;
	return err_set(err, CODE_HANDLER_UNKNOWN, EOPNOTSUPP,
		       "this build has no handler `%s`, which the program's name `%s` asks for: "
		       "call it crun to run containers without",
		       handler, name);
}

void create_options_finish(struct libcrun_create_options *opts)
{
	opts->size = sizeof(*opts);
	opts->listen_fds = listen_fds_of_environment();
}
