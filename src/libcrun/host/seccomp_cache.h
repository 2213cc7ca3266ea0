/* SPDX-License-Identifier: Apache-2.0 */
/* The compiled program of a profile from the last container that had the same one. */
#pragma once

#include "base/error.h"
#include "plan/seccomp.h"

/*
 * As seccomp_compile(), but a profile that was compiled before, by this version of ours, with the same library and on the same kernel, is taken from
 * the cache below the state root (state/filter_cache.h), of which ROOT_FD is a descriptor; a new one is put there. What a message was given
 * for is compiled each time, so that each start gives it.
 */
int seccomp_compile_cached(const struct plan_seccomp *plan, int root_fd, struct seccomp_area *area,
			   struct crun_error *err) CRUN_NODISCARD;
