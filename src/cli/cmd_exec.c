// SPDX-License-Identifier: Apache-2.0
// crun exec: another process in a container.
#include "create_options.h"

#include <limits.h>
#include <string.h>

static int run_exec(struct invocation *inv, struct crun_error *err)
{
	struct libcrun_exec_options *opts = inv->options;
	char *const *command = inv->args + 1;

	/* For callers who write `exec ID -- COMMAND`. */
	if (command[0] && strcmp(command[0], "--") == 0)
		command++;
	if (!opts->process && !command[0])
		return usage_error(inv, err, "`crun exec` needs a command, or --process");
	opts->size = sizeof(*opts);
	opts->args = command[0] ? (const char *const *)command : NULL;
	opts->listen_fds = listen_fds_of_environment();
	return libcrun_exec(&inv->ctx, inv->args[0], opts, &inv->status, err);
}

#define EXEC(field) offsetof(struct libcrun_exec_options, field)

static const struct option_spec exec_options[] = {
	{"process", "p", OPTION_TEXT, EXEC(process), "FILE", NULL,
	 "take the process object from FILE, - for standard input"},
	{"cwd", NULL, OPTION_TEXT, EXEC(cwd), "DIR", NULL, "start in DIR of the container"},
	{"env", "e", OPTION_LIST, EXEC(env), "NAME=VALUE", NULL, "set a variable (repeatable)"},
	{"user", "u", OPTION_TEXT, EXEC(user), "UID[:GID]", NULL, "run as this user, in digits"},
	{"additional-gids", "g", OPTION_LIST, EXEC(additional_gids), "GID", NULL,
	 "add a supplementary group (repeatable)"},
	{"cap", "c", OPTION_LIST, EXEC(caps), "CAPABILITY", NULL,
	 "add a capability to the bounding, effective and permitted sets (repeatable)"},
	{"tty", "t", OPTION_FLAG, EXEC(tty), NULL, NULL, "give it a terminal"},
	{"detach", "d", OPTION_FLAG, EXEC(detach), NULL, NULL,
	 "do not wait for the process to end"},
	{"pid-file", NULL, OPTION_TEXT, EXEC(pid_file), "FILE", NULL,
	 "write the process id to FILE"},
	{"console-socket", NULL, OPTION_TEXT, EXEC(console_socket), "SOCKET", NULL,
	 "send the terminal's master end to this unix socket"},
	{"pidfd-socket", NULL, OPTION_TEXT, EXEC(pidfd_socket), "SOCKET", NULL,
	 "send a pidfd of the process to this unix socket"},
	{"preserve-fds", NULL, OPTION_COUNT, EXEC(preserve_fds), "N", NULL,
	 "hand file descriptors 3 to 3+N-1 to the process"},
	{"no-new-privs", NULL, OPTION_FLAG, EXEC(no_new_privs), NULL, NULL,
	 "let it gain no privileges by executing programs"},
	{"apparmor", NULL, OPTION_TEXT, EXEC(apparmor), "PROFILE", NULL,
	 "set the AppArmor profile"},
	{"process-label", NULL, OPTION_TEXT, EXEC(process_label), "LABEL", NULL,
	 "set the SELinux label"},
	{"cgroup", NULL, OPTION_LIST, EXEC(cgroups), "[CONTROLLER:]PATH", NULL,
	 "put it into an existing cgroup below the container's (repeatable)"},
	{"ignore-paused", NULL, OPTION_FLAG, EXEC(ignore_paused), NULL, NULL,
	 "also into a paused container: the process waits for resume"},
	{"no-subreaper", NULL, OPTION_FLAG, EXEC(no_subreaper), NULL, NULL,
	 "do not become the reaper of orphaned processes"},
	OPTIONS_END,
};

static const struct option_spec *const options[] = {exec_options, options_help, NULL};

const struct command command_exec = {
	.name = "exec",
	.arguments = "CONTAINER [COMMAND [ARGUMENT...]]",
	.summary = "run another process in a container",
	.description =
		"Runs a command in a container that is created or running, and waits for its end. What neither\n"
		"the options nor FILE say is as for the container's own process. The exit status is that of the\n"
		"process, or 128+N when signal N ended it.",
	.options = options,
	.options_size = sizeof(struct libcrun_exec_options),
	.min_args = 1,
	.max_args = INT_MAX,
	.run = run_exec,
};
