/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The start gate: a SOCK_SEQPACKET socket in the state directory that init listens on and `start` connects to. Its existence is what
 * makes a container `created`. A dead init makes connect fail instead of hanging; only the first start is accepted.
 */
#pragma once

#include "state/store.h"

/* Binds and listens; the returned fd is inherited by init. Name in the directory: "start". */
int gate_listen(const struct state_dir *dir, struct crun_error *err) CRUN_NODISCARD;

/* Connects to the gate. KIND_STATE when it is gone (started already) or when init is dead. Returns the socket. */
int gate_connect(const struct state_dir *dir, struct crun_error *err) CRUN_NODISCARD;

/* 1, 0, or -errno when nobody can tell. */
int gate_exists(const struct state_dir *dir, struct crun_error *err) CRUN_NODISCARD;
int gate_remove(const struct state_dir *dir);
