/* SPDX-License-Identifier: Apache-2.0 */
/* Attributes of a mount, with what kernels before mount_setattr(2) can do instead kept in one place. */
#pragma once

#include "base/error.h"

#include <stdbool.h>
#include <stdint.h>

/* What to change; all-zero changes nothing. Bits are MOUNT_ATTR_* (linux/mount.h). */
struct mount_change {
	uint64_t set,
		clr; /* on the mount itself; clr holds MOUNT_ATTR__ATIME whenever a mode of it is asked for */
	uint64_t rec_set, rec_clr; /* on it and everything mounted below */
	uint64_t propagation;	   /* MS_PRIVATE, MS_SLAVE, MS_SHARED, MS_UNBINDABLE or 0 */
	bool propagation_rec;
};

/*
 * Applies C to the mount that FD is the root of; the mount may be detached. The recursive part comes first, so that the mount
 * itself can differ. Returns 0 or a negative errno: -ENOSYS before Linux 5.12 (then attach the mount and use
 * mount_attr_remount), -EPERM when the mount has flags that were locked by a more privileged namespace.
 */
int mount_attr_change(int fd, const struct mount_change *c) CRUN_NODISCARD;

/*
 * The same by the old calls, for an attached mount: PROC_FD is a procfs through which FD is reached, so that no path is looked
 * up. Flags that C does not mention stay as they are. Recursive flags are set mount by mount, until the mount table shows nothing
 * more to be done; a mount that another one covers completely is left alone, for nobody can reach it.
 */
int mount_attr_remount(int proc_fd, int fd, const struct mount_change *c) CRUN_NODISCARD;

/* True once mount_setattr(2) was found to be missing: from now on changes need a procfs. */
bool mount_attr_needs_proc(void);

/* ATTRS (MOUNT_ATTR_* bits) as MS_* flags of mount(2). */
unsigned long mount_attr_flags(uint64_t attrs);

/* mount_attr_change, or mount_attr_remount where there is no mount_setattr(2); for attached mounts. */
int mount_attr_apply(int proc_fd, int fd, const struct mount_change *c) CRUN_NODISCARD;

/*
 * The flags that the mount of FD really has, as MOUNT_ATTR_* bits of "ro", "nosuid", "nodev", "noexec", "nosymfollow" (a
 * read-only file system counts as "ro"). Returns 0 or a negative errno; FUSE file systems of another user say -EACCES.
 */
int mount_attr_get(int fd, uint64_t *ret) CRUN_NODISCARD;

/*
 * Fails unless the mount of FD has every flag of ATTRS: a container that is less confined than asked for must not start (an
 * "ro" that got lost gave CVE-2023-25809). Flags which cannot be read back are taken as set.
 */
int mount_attr_verify(int fd, uint64_t attrs, struct crun_error *err) CRUN_NODISCARD;

/*
 * The same for access times: the mode of MOUNT_ATTR__ATIME in SET, if CLR says that one was asked for, and MOUNT_ATTR_NODIRATIME if it is in
 * SET.
 */
int mount_attr_verify_atime(int fd, uint64_t set, uint64_t clr,
			    struct crun_error *err) CRUN_NODISCARD;

/* The mount option of the lowest bit of ATTRS, for messages: "ro", "nosuid", ... */
const char *mount_attr_name(uint64_t attrs);
