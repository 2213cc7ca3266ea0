/* SPDX-License-Identifier: Apache-2.0 */
/* The options that create and run have in common. */
#pragma once

#include "cli.h"

/* Fills a struct libcrun_create_options. */
extern const struct option_spec create_options[];

/* How many descriptors $LISTEN_FDS hands on: sd_listen_fds(3). */
unsigned listen_fds_of_environment(void);

/* What is not an option: the size of the struct and what $LISTEN_FDS hands on. */
void create_options_finish(struct libcrun_create_options *opts);

/*
 * Fails when we are called by the name of a handler: that would run the program in a virtual machine or in an interpreter, and to run
 * it as it is would be something else.
 */
int refuse_handler_names(const struct invocation *inv, struct crun_error *err) CRUN_NODISCARD;
