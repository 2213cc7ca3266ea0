/* SPDX-License-Identifier: Apache-2.0 */
/* A write to a file of the kernel that may block where no poll(2) helps. Domain: the runtime on the host. */
#pragma once

#include "sys/deadline.h"

/*
 * Writes VALUE to the existing FILE below DIR_FD, in one write(2) of a process of its own, which is killed at DEADLINE (NULL: none). Returns 0 or a
 * negative errno; after -ETIMEDOUT and -ECANCELED the kernel may have taken the value or not: whoever wants the old one has to write it.
 * A writer that does not die, for it waits for what no signal ends, is left behind without any descriptor but the file's.
 */
int spawn_write_at(int dir_fd, const char *file, const char *value,
		   const struct deadline *deadline);
