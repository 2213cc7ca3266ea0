// SPDX-License-Identifier: Apache-2.0
// Writes help from the tables that also parse: what is listed is what exists.
#include "help.h"

#include <stdio.h>
#include <string.h>

#define OPTION_COLUMN 30

static void print_option(const struct option_spec *s)
{
	char left[128];
	const char *letters = s->letters ? s->letters : "";
	size_t len = 0;

	left[0] = '\0';
	for (const char *c = letters; *c; c++)
		len += (size_t)snprintf(left + len, sizeof(left) - len, "-%c, ", *c);
	snprintf(left + len, sizeof(left) - len, "%s--%s%s%s", len ? "" : "    ", s->name,
		 s->argument ? " " : "", s->argument ? s->argument : "");
	if (strlen(left) > OPTION_COLUMN)
		printf("  %s\n  %-*s  %s\n", left, OPTION_COLUMN, "", s->help);
	else
		printf("  %-*s  %s\n", OPTION_COLUMN, left, s->help);
}

static void print_options(const struct option_spec *table)
{
	for (; table->name; table++)
		print_option(table);
}

void print_help(void)
{
	printf("Usage: crun [OPTION]... COMMAND [OPTION]... [ARGUMENT]...\n\n"
	       "Runs containers as the OCI runtime specification describes them.\n\n"
	       "Commands:\n");
	for (size_t i = 0; commands[i]; i++) {
		if (!commands[i]->missing)
			printf("  %-10s  %s\n", commands[i]->name, commands[i]->summary);
	}
	printf("\nGlobal options, before the command:\n");
	print_options(global_options);
	print_options(options_help);
	printf("\n`crun COMMAND --help` tells more about a command.\n");
}

void print_command_help(const struct command *command)
{
	printf("Usage: crun [OPTION]... %s [OPTION]...%s%s\n\n%s\n\nOptions:\n", command->name,
	       command->arguments[0] ? " " : "", command->arguments, command->description);
	for (size_t i = 0; command->options[i]; i++)
		print_options(command->options[i]);
}

void print_version(void)
{
	printf("crun version %s\ncommit: %s\nspec: %s\n%s\n", PACKAGE_VERSION, GIT_COMMIT,
	       libcrun_spec_version(), libcrun_build_features());
}
