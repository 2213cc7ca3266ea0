/* SPDX-License-Identifier: Apache-2.0 */
/* futex(2) within one process, and its threads. Each returns >= 0 or a negative errno. No policy. */
#pragma once

#include "base/error.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/*
 * Waits while *WORD is VALUE, for at most TIMEOUT_US microseconds (-1: no limit). Returns 0 when woken, -EAGAIN when the value is another
 * one, -ETIMEDOUT, -EINTR: in each case look at the word again.
 */
int sys_futex_wait(const uint32_t *word, uint32_t value, int timeout_us);
/* Wakes everybody who waits at WORD. Returns how many. */
int sys_futex_wake(const uint32_t *word);

pid_t sys_gettid(void);
/* Whether the thread TID of our own process is there (a thread that a filter killed is not). */
bool sys_thread_exists(pid_t tid);

/*
 * Starts a detached thread of this process that calls FN(ARG), on a stack of its own size: the default is RLIMIT_STACK, which in a container's
 * process is the payload's and may be anything. Returns 0 or a negative errno (pthread_create(3): -EAGAIN where a limit leaves no room).
 */
int sys_thread_start(void *(*fn)(void *), void *arg) CRUN_NODISCARD;
