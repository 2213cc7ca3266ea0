// SPDX-License-Identifier: Apache-2.0
// The entry point: global options, the log, and which command runs.
#include "cli.h"
#include "help.h"
#include "log.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <stdnoreturn.h>
#include <string.h>
#include <sys/auxv.h>
#include <unistd.h>

struct global {
	const char *root, *log, *log_format, *log_level, *cgroup_manager, *rootless, *trace;
	int64_t timeout_ms;
	bool version, self_audit;
};

#define GLOBAL(field) offsetof(struct global, field)

const struct option_spec global_options[] = {
	{"root", NULL, OPTION_TEXT, GLOBAL(root), "DIR", NULL,
	 "keep the state of containers in DIR ($XDG_RUNTIME_DIR/crun, else /run/crun)"},
	{"log", NULL, OPTION_TEXT, GLOBAL(log), "DESTINATION", NULL,
	 "log to PATH, file:PATH, journald:ID or syslog:ID as well"},
	{"log-format", NULL, OPTION_CHOICE, GLOBAL(log_format), "text|json", NULL,
	 "form of a line of the log file (text)"},
	{"log-level", NULL, OPTION_CHOICE, GLOBAL(log_level), "error|warning|debug", NULL,
	 "log messages of this level and above (error)"},
	{"debug", NULL, OPTION_CONSTANT, GLOBAL(log_level), NULL, "debug",
	 "the same as --log-level debug"},
	{"cgroup-manager", NULL, OPTION_CHOICE, GLOBAL(cgroup_manager), "cgroupfs|systemd|disabled",
	 NULL, "who makes the container's cgroup (cgroupfs)"},
	{"systemd-cgroup", NULL, OPTION_CONSTANT, GLOBAL(cgroup_manager), NULL, "systemd",
	 "the same as --cgroup-manager systemd"},
	{"timeout", NULL, OPTION_DURATION, GLOBAL(timeout_ms), "SECONDS", NULL,
	 "give up and undo everything when the command takes longer (each wait has its own limit)"},
	{"self-audit", NULL, OPTION_FLAG, GLOBAL(self_audit), NULL, NULL,
	 "compare a process with its configuration before its program is executed"},
	{"trace", NULL, OPTION_TEXT, GLOBAL(trace), "FILE", NULL,
	 "write to FILE how long each phase took, in the Chrome trace event format"},
	{"rootless", NULL, OPTION_CHOICE, GLOBAL(rootless), "true|false|auto", NULL,
	 "accepted and ignored: crun finds out by itself"},
	{"version", "vV", OPTION_FLAG, GLOBAL(version), NULL, NULL,
	 "show the version and what was built in"},
	OPTIONS_END,
};

/* One on each line, whatever their number. */
/* clang-format off */
const struct command *const commands[] = {
	&command_create,
	&command_start,
	&command_run,
	&command_exec,
	&command_state,
	&command_kill,
	&command_delete,
	&command_pause,
	&command_resume,
	&command_ps,
	&command_events,
	&command_stats,
	&command_update,
	&command_mounts,
	&command_list,
	&command_gc,
	&command_spec,
	&command_features,
	&command_validate,
	&command_doctor,
	&command_checkpoint,
	&command_restore,
	NULL,
};
/* clang-format on */

int usage_error(struct invocation *inv, struct crun_error *err, const char *fmt, ...)
{
	char text[sizeof(err->text)];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	inv->usage = true;
	return err_set(err, CODE_USAGE, EINVAL, "%s", text);
}

int finish_output(struct crun_error *err)
{
	if (fflush(stdout) == 0 && !ferror(stdout))
		return 0;
	return err_sys_code(err, CODE_OUTPUT, errno ? -errno : -EIO,
			    "write to the standard output");
}

/* A closed 0, 1 or 2 would be the number of the next file that we open, and the payload would write into it. */
static int hold_stdio(void)
{
	struct pollfd fds[] = {{.fd = STDIN_FILENO}, {.fd = STDOUT_FILENO}, {.fd = STDERR_FILENO}};

	/* One call for the three that are nearly always there. */
	if (poll(fds, STDERR_FILENO + 1, 0) == 0)
		return 0;
	for (int fd = 0; fd <= STDERR_FILENO; fd++) {
		int null;

		if (fcntl(fd, F_GETFD) >= 0)
			continue;
		null = open("/dev/null", O_RDWR | O_CLOEXEC);
		if (null != fd || fcntl(null, F_SETFD, 0) < 0)
			return -EBADF;
	}
	return 0;
}

/*
 * The configuration names programs to run and files to open, so with borrowed rights anybody could do anything.
 * AT_SECURE with real uid 0 is left alone: there it stems from a security module's domain transition.
 */
static int refuse_borrowed_rights(struct crun_error *err)
{
	/* The ids with which we were executed, as the kernel has told already. */
	if (getauxval(AT_UID) == getauxval(AT_EUID) && getauxval(AT_GID) == getauxval(AT_EGID) &&
	    (getauxval(AT_UID) == 0 || getauxval(AT_SECURE) == 0))
		return 0;
	return err_set(err, CODE_BORROWED_RIGHTS, EPERM,
		       "crun must not be installed setuid, setgid or with file capabilities");
}

static const struct command *find_command(const char *name)
{
	for (size_t i = 0; commands[i]; i++) {
		if (strcmp(commands[i]->name, name) == 0)
			return commands[i];
	}
	return NULL;
}

static int check_arguments(struct invocation *inv, struct crun_error *err)
{
	const struct command *command = inv->command;

	if (inv->args_len < command->min_args)
		return usage_error(inv, err, "`crun %s` needs %s", command->name,
				   command->arguments);
	if (inv->args_len > command->max_args)
		return usage_error(inv, err, "`crun %s` has no use for the argument `%s`",
				   command->name, inv->args[command->max_args]);
	return 0;
}

static int command_is_missing(const struct command *command, struct crun_error *err)
{
	return err_set(err, KIND_UNSUPPORTED, EOPNOTSUPP, "%s: %s", command->name,
		       command->missing);
}

/* ARGV[AT] is the command. */
static int run_command(struct invocation *inv, char *const *argv, int at, struct crun_error *err)
{
	int r;

	if (!argv[at])
		return usage_error(inv, err, "no command is given");
	inv->command = find_command(argv[at++]);
	if (!inv->command)
		return usage_error(inv, err, "unknown command `%s`", argv[at - 1]);
	inv->options = calloc(1, inv->command->options_size + 1);
	if (!inv->options)
		return err_sys(err, -ENOMEM, "read the options");
	r = options_parse(inv->command->options, inv->options, argv, &at, err);
	/* Podman and CRI-O take a help that succeeds for the promise that the command works. */
	if (r == OPTIONS_HELP && inv->command->missing)
		return command_is_missing(inv->command, err);
	if (r == OPTIONS_HELP) {
		print_command_help(inv->command);
		return finish_output(err);
	}
	if (r < 0) {
		inv->usage = true;
		return r;
	}
	inv->args = argv + at;
	while (inv->args[inv->args_len])
		inv->args_len++;
	r = check_arguments(inv, err);
	if (r < 0)
		return r;
	if (inv->command->missing)
		return command_is_missing(inv->command, err);
	if (inv->trace) {
		r = libcrun_trace_begin(inv->trace, inv->command->name, err);
		if (r < 0)
			return r;
	}
	r = inv->command->run(inv, err);
	libcrun_trace_end(r);
	return r;
}

static int run(struct log_target *log, struct invocation *inv, char *const *argv,
	       struct crun_error *err)
{
	struct global global = {0};
	const struct option_spec *const parts[] = {global_options, options_help, NULL};
	struct crun_error log_error = {0};
	int at = 1, parsed, r;

	parsed = options_parse(parts, &global, argv, &at, err);
	if (parsed == OPTIONS_HELP || (parsed == 0 && global.version)) {
		if (parsed == OPTIONS_HELP)
			print_help();
		else
			print_version();
		return finish_output(err);
	}
	/* Before anything else can fail: callers take a missing log for a missing command. */
	r = log_target_open(log, global.log,
			    global.log_format && strcmp(global.log_format, "json") == 0,
			    &log_error);
	if (parsed < 0) {
		inv->usage = true;
		return parsed;
	}
	if (r < 0) {
		*err = log_error;
		return r;
	}
	libcrun_set_log(log_target_sink, log, log_level_from_name(global.log_level));
	inv->ctx.size = sizeof(inv->ctx);
	inv->ctx.argv = argv;
	inv->ctx.state_root = global.root;
	inv->ctx.cgroup_manager = global.cgroup_manager;
	inv->ctx.timeout_ms = global.timeout_ms;
	inv->ctx.notify_socket = getenv("NOTIFY_SOCKET");
	inv->trace = global.trace;
#ifndef SANITIZERS
	inv->ctx.process_ends = true;
#endif
	inv->ctx.self_audit = global.self_audit || getenv("CRUN_SELF_AUDIT");
	r = run_command(inv, argv, at, err);
	libcrun_set_log(NULL, NULL, LOG_LEVEL_ERROR);
	return r;
}

/* Where to read on, behind a mistake in the command line. */
static void add_hint(const struct invocation *inv, struct crun_error *err)
{
	const bool has_help = inv->command && !inv->command->missing;

	err_and(err, "see `crun %s%s--help`", has_help ? inv->command->name : "",
		has_help ? " " : "");
	err_code(err, CODE_USAGE);
}

/*
 * The end of the program: standard output was flushed by whoever wrote to it (finish_output). What exit(3) does beyond that, the kernel does as
 * well, without reading in pages that it throws away next.
 */
static noreturn void leave(int status)
{
#ifdef SANITIZERS
	exit(status);
#else
	fflush(NULL);
	_exit(status);
#endif
}

int main(int argc, char **argv)
{
	/* A reader that is gone must not end us by a signal with half a container made: it is an errno instead. */
	const struct sigaction ignore = {.sa_handler = SIG_IGN}, dfl = {.sa_handler = SIG_DFL};
	struct log_target log = {.fd = -EBADF};
	struct invocation inv = {0};
	struct crun_error err = {0};
	int r;

	if (argc < 1 || hold_stdio() < 0)
		return EXIT_FAILURE;
	sigaction(SIGPIPE, &ignore, NULL);
	r = refuse_borrowed_rights(&err);
	if (r == 0)
		r = run(&log, &inv, argv, &err);
	if (inv.options)
		options_free(inv.command->options, inv.options);
	free(inv.options);
	if (r >= 0)
		leave(inv.status);
	if (inv.usage)
		add_hint(&inv, &err);
	log_target_failure(&log, &err);
	/* Undone and said: now the signal has the effect that whoever sent it waits for. */
	if (err.kind == KIND_INTERRUPTED && err.signal) {
		sigaction(err.signal, &dfl, NULL);
		raise(err.signal);
	}
	leave(inv.usage ? EXIT_USAGE : EXIT_FAILURE);
}
