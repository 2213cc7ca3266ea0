/* SPDX-License-Identifier: Apache-2.0 */
/* What the kernel asks of a seccomp program that somebody else has compiled. Pure. */
#pragma once

#include "base/error.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * Checks the LEN instructions (struct sock_filter, in the machine's byte order) the way seccomp(2) does when it loads them: known
 * instructions, jumps that stay inside, loads from struct seccomp_data, a return at the end. A program that passes can be refused for
 * one reason only: that it reads scratch memory that it has not written. Returns 0 or -EINVAL, then *err names the instruction.
 */
int check_bpf_program(const uint64_t *insns, size_t len, struct crun_error *err) CRUN_NODISCARD;

/* Whether the program can answer SECCOMP_RET_USER_NOTIF; computed answers (of the accumulator) are taken as "no". */
bool bpf_program_notifies(const uint64_t *insns, size_t len);
