/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Compiled system call filters in ROOT/.seccomp, by what they were compiled from: compiling one takes longer than starting a container. Domain: the
 * runtime on the host. Nothing here is an error to anybody: without an entry the filter is compiled.
 */
#pragma once

#include "base/buf.h"
#include "base/error.h"
#include "plan/seccomp.h"

/*
 * Fills AREA's program with the one that was stored under KEY: all bytes that decide how it comes out, but for the library that made it, which the entry
 * names. ROOT_FD is the state root, an O_PATH descriptor will do. Returns 0; -ENOENT; -EPERM when others than we may write to the root
 * or the file; -ESTALE when the library is another file now; -EINVAL for a damaged entry or another key's.
 */
int filter_cache_read(int root_fd, const struct buf *key, struct seccomp_area *area) CRUN_NODISCARD;

/* Stores AREA's program. LIBRARY is the path of the shared library that made it, or NULL. Returns 0 or a negative errno. */
int filter_cache_write(int root_fd, const struct buf *key, const char *library,
		       const struct seccomp_area *area);
