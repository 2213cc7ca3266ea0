/* SPDX-License-Identifier: Apache-2.0 */
/* The options that create and run have in common. */
#pragma once

#include "cli.h"

/* Fills a struct libcrun_create_options. */
extern const struct option_spec create_options[];

/* What is not an option: the size of the struct and what $LISTEN_FDS hands on. */
void create_options_finish(struct libcrun_create_options *opts);
