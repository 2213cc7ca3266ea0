/* SPDX-License-Identifier: Apache-2.0 */
/* What main.c and the commands share: the shape of a command and of one call of it. */
#pragma once

#include "options.h"

/* The status for a command line that cannot be understood; any other failure of ours is EXIT_FAILURE. */
#define EXIT_USAGE 64

/* One call of a command. */
struct invocation {
	const struct command *command;
	struct libcrun_context ctx;
	void *options;	   /* the command's own struct, filled by the parser */
	const char *trace; /* --trace or NULL */
	char *const *args; /* what followed the options, NULL at the end */
	int args_len;
	int status; /* set by `run` on success when it is not 0: the payload's status */
	bool usage; /* set with an error: the command line is at fault */
};

struct command {
	const char *name;
	const char *arguments; /* "CONTAINER [SIGNAL]" or "" */
	const char *summary;   /* one line for `crun --help` */
	/*
	 * Why this build does not have it, or NULL. Its command line is still understood, so that mistakes in it are told as such,
	 * but there is neither help for it nor a line in that of crun.
	 */
	const char *missing;
	const char *description; /* the paragraph below the usage line of its own help */
	const struct option_spec *const
		*options;    /* parts, NULL at the end; options_help is one of them */
	size_t options_size; /* of the struct that the options fill; 0: there are none but --help */
	int min_args, max_args;
	/* Returns 0 or a negative errno with *err set. */
	int (*run)(struct invocation *inv, struct crun_error *err);
};

#define COMMAND_NEEDS_CRIU "this build of crun cannot checkpoint and restore containers"

extern const struct command command_create, command_run, command_start, command_state, command_kill,
	command_delete, command_pause, command_resume, command_ps, command_events, command_stats,
	command_update, command_list, command_spec, command_features, command_validate,
	command_exec, command_checkpoint, command_restore, command_doctor, command_mounts,
	command_gc;

/* Global options and commands, for the help. */
extern const struct option_spec global_options[];
extern const struct command *const commands[];

/* Marks the error as a mistake in the command line. Returns -err->errnum. */
int usage_error(struct invocation *inv, struct crun_error *err, const char *fmt, ...)
	CRUN_PRINTF(3, 4);

/* Flushes standard output: a reader that is gone or a full disk is a failure, not a success without words. */
int finish_output(struct crun_error *err) CRUN_NODISCARD;
