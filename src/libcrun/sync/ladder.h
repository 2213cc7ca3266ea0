/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The message ladder between the host side and init. Both sides derive their sequence from the same const plan; a plain
 * root container takes two messages, and neither side waits for an answer.
 *
 *   host                                          init
 *     GO              ------------------------->    when plan->sync_go     (ids mapped, cgroup adopted)
 *                     <-------------------------  PAUSED  when plan->sync_hooks
 *     (prestart and createRuntime hooks)
 *     RESUME          ------------------------->    when plan->sync_hooks
 *     FILTER          ------------------------->    when plan->sync_filter (the program is in the shared area)
 *                     <-------------------------  LISTENER {notification fd}  when plan->sync_listener
 *     SETTLED         ------------------------->    run: the record names init; without it init gives up
 *                     <-------------------------  READY {terminal master}    or FAILED {crun_error}
 *     SETTLED         ------------------------->    create: the same; the complete record follows. run with SCHED_DEADLINE:
 *                                                   the scheduler is set
 *
 *   start                                         init (create only: over the gate socket)
 *     START           ------------------------->    with --trace: {memory for init's spans}
 *                     <-------------------------  end of file: execve succeeded; or FAILED {crun_error}
 *
 * `run` has no gate: after READY init goes on, and end of file on the same channel is the execve.
 * LOG may come from init at any time. Every wait ends when the peer dies: the sockets are close-on-exec and nobody else holds them.
 */
#pragma once

#include "sync/channel.h"

/* What a phase says on the ladder. The tables of phases declare it, so that the two sides can be held against each other. */
enum ladder_verb { LADDER_NOTHING, LADDER_SEND, LADDER_EXPECT };

struct ladder_step {
	enum ladder_verb verb;
	enum message_kind kind;
};

/* A phase says this much at most; a phase that says less leaves the rest zero. */
#define LADDER_STEPS 2

#define SENDS(message)                 \
	{                              \
		LADDER_SEND, (message) \
	}
#define EXPECTS(message)                 \
	{                                \
		LADDER_EXPECT, (message) \
	}
