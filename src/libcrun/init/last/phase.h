/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The phases of init/last, in the order of the table in phases.c. Domain: the container's first process; container file system, final
 * ids and capabilities. Every line here runs with the payload's own power. Ends with execve.
 */
#pragma once

#include "init/context.h"

/* Default signal dispositions, nothing blocked, the configured umask. */
int phase_signals(struct last *last, struct crun_error *err) CRUN_NODISCARD;
/* Everything but stdio, the preserved fds and our two sockets is closed. */
int phase_fds(struct last *last, struct crun_error *err) CRUN_NODISCARD;
/* Waits for FILTER. */
int phase_filter(struct last *last, struct crun_error *err) CRUN_NODISCARD;
/* For a filter with a listener: loads it, in a thread of its own (filtered.h), and hands the notification fd to the host side. */
int phase_listener(struct last *last, struct crun_error *err) CRUN_NODISCARD;
/* Says READY, with the terminal. */
int phase_ready(struct last *last, struct crun_error *err) CRUN_NODISCARD;
/* Waits until the runtime has written the record by which everybody else finds us; run does so before READY. */
int phase_settled(struct last *last, struct crun_error *err) CRUN_NODISCARD;
/* create: waits for `start`, whose connection takes the channel's place. */
int phase_gate(struct last *last, struct crun_error *err) CRUN_NODISCARD;
int phase_start_container_hooks(struct last *last, struct crun_error *err) CRUN_NODISCARD;
/* Those of the payload's limits that may be too low for what came before. */
int phase_limits(struct last *last, struct crun_error *err) CRUN_NODISCARD;
/* --self-audit: compares the mounts with the plan; before the payload's limit of descriptors, for it takes some. */
int phase_audit_mounts(struct last *last, struct crun_error *err) CRUN_NODISCARD;
/* --self-audit: compares all of the above with the plan; before the filter, which need not allow what that takes. */
int phase_audit(struct last *last, struct crun_error *err) CRUN_NODISCARD;
int phase_seccomp(struct last *last, struct crun_error *err) CRUN_NODISCARD;
int phase_execve(struct last *last, struct crun_error *err) CRUN_NODISCARD;
