/* SPDX-License-Identifier: Apache-2.0 */
/* What only the host side may do to init: raise its hard limits from outside its user namespace, and set its OOM score. */
#pragma once

#include "base/error.h"
#include "plan/plan.h"

#include <stdbool.h>

/* Room for an OOM score adjustment as text. */
#define OOM_SCORE_SIZE 16

/*
 * An ordinary user cannot write the score of a process that is closed to ptrace, whose files in /proc belong to root, but may raise
 * its own, which a child inherits: gives this process the score of the plan until limits_take_score_back() and puts the one that
 * it had into WAS. Returns false, and changes nothing, where that is not needed or not possible: limits_apply() decides then.
 */
bool limits_lend_score(const struct launch_plan *plan, char was[OOM_SCORE_SIZE]);
void limits_take_score_back(const char *was);

int limits_apply(const struct launch_plan *plan, pid_t pid, struct crun_error *err) CRUN_NODISCARD;
