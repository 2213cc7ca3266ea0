/* SPDX-License-Identifier: Apache-2.0 */
/* What --help and --version print. */
#pragma once

#include "cli.h"

/* The commands and the global options. */
void print_help(void);

/* One command and its options. */
void print_command_help(const struct command *command);

/*
 * "crun version X", "commit: Y", "spec: Z" and the optional parts. Engines take every line with the word "version" for
 * the version, so that there is only one.
 */
void print_version(void);
