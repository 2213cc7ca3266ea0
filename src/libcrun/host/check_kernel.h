/* SPDX-License-Identifier: Apache-2.0 */
/* Checks of a configuration that ask the kernel, for `validate` alone: create finds the same out by doing it. */
#pragma once

#include "plan/plan.h"

/* Takes the pointer, into the configuration, and what is said of the value there. */
typedef void (*config_finding_fn)(void *data, bool warning, const char *at, const char *text);

/*
 * Reports what the plan needs of the kernel and its hierarchies and they do not have. Id mappings of mounts are tried on detached clones,
 * which are gone with their descriptors; what the caller is not allowed to try is a warning.
 */
void kernel_check(const struct launch_plan *plan, config_finding_fn found, void *data);

/*
 * Whether this kernel has a system call NAME that is newer than Linux 5.10, by its symbol. True also when that cannot be told, for ordinary
 * users of some hosts or without /proc/kallsyms.
 */
bool kernel_has_syscall(const char *name);
