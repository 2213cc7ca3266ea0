/* SPDX-License-Identifier: Apache-2.0 */
/* Id mappings of mounts (Linux 5.12), with an error that says which file system is in the way. */
#pragma once

#include "base/error.h"

#include <stdbool.h>

/*
 * Gives the detached clone FD of the host path PATH, and with RECURSIVE everything mounted below it, the id mapping of the user
 * namespace USERNS_FD. Not every file system can have one, which the kernel says as EINVAL: the error names its type and where
 * it is mounted.
 */
int mount_idmap_clone(int fd, const char *path, bool recursive, int userns_fd,
		      struct crun_error *err) CRUN_NODISCARD;

/* The same for FD, a new and still detached mount of a file system of the type FSTYPE. */
int mount_idmap_instance(int fd, const char *fstype, int userns_fd,
			 struct crun_error *err) CRUN_NODISCARD;
