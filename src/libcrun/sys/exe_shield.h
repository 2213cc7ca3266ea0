/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Keeps the runtime's own binary out of a container's reach: CVE-2019-5736. A process on its way into a container shows
 * what it executes as /proc/PID/exe, and a privileged process inside could open that for writing. The shield makes
 * /proc/self/exe a sealed file in memory that can be neither written nor executed, without executing anything twice.
 * docs/adr/0001-own-binary-protection.md tells why.
 *
 * For single-threaded processes: the program's code and data are replaced under its feet by an identical copy.
 */
#pragma once

#include "base/error.h"

#include <stdbool.h>
#include <sys/types.h>

/*
 * Both steps at once, for a process with CAP_CHECKPOINT_RESTORE, CAP_SYS_ADMIN or CAP_SYS_RESOURCE: call it before the
 * container's process is born, which inherits the effect and does not pay for the copy from its own memory limit.
 * A second call does the same again: exe_is_shielded() tells who does not know.
 * With RET_FD, *RET_FD becomes a descriptor, or FD_NONE, that the caller closes when there is time: the kernel then waits for all processors,
 * as at the end of any mount.
 *
 * Returns 0; KIND_UNSUPPORTED when this kernel or build cannot do it (then exe_shield_reexec() is the way); or another
 * negative errno. It failed without harm in each case.
 */
int exe_shield(int *ret_fd, struct crun_error *err) CRUN_NODISCARD;

/*
 * The step that needs no privilege: runs the program from a copy in memory from now on. Returns the copy's fd, which the
 * caller owns and which may be inherited by fork, or a negative errno.
 */
int exe_shield_prepare(struct crun_error *err) CRUN_NODISCARD;

/*
 * The step that needs one of the capabilities above in its own user namespace, and procfs at /proc: makes FD, from
 * exe_shield_prepare() in this process or in the one that it was forked from, what /proc/self/exe shows. For an
 * unprivileged user that is possible once the container's user namespace was entered. FD stays the caller's.
 * Returns 0 or a negative errno; the kernel refuses (EBUSY) as long as a page of the old binary is mapped.
 */
int exe_shield_apply(int fd, struct crun_error *err) CRUN_NODISCARD;

/*
 * The way without privilege and without kernel support: copies the binary to a sealed memfd and executes that, with
 * ARGV and the current environment, from the start. Call it before anything was done.
 * Does not return after success. Returns 0 when this process is shielded already (by either way), or a negative errno.
 */
int exe_shield_reexec(char *const argv[], struct crun_error *err) CRUN_NODISCARD;

/* Whether this build and kernel can do exe_shield() at all; if not, exe_shield_reexec() is the way. */
bool exe_shield_is_supported(void);

/* True when /proc/self/exe is a sealed memory file: by exe_shield() or by exe_shield_reexec(). */
bool exe_is_shielded(void);

/*
 * Whether processes of the container could write to the binary at all. IS_MAPPED tells whether a host user is mapped in
 * the user namespace that the container has of its own; NULL: it has none. The answer is no only if the binary's owner
 * is not mapped and nobody else may write: then not even CAP_DAC_OVERRIDE inside helps (inode ids must be mapped,
 * user_namespaces(7)). Anything that cannot be found out means yes.
 */
bool exe_shield_is_needed(bool (*is_mapped)(uid_t uid, void *data), void *data);
