/* SPDX-License-Identifier: Apache-2.0 */
/* The id maps of new user namespaces: the container's, and those that idmapped mounts take theirs from. Domain: the runtime. */
#pragma once

#include "base/error.h"
#include "plan/plan.h"

struct deadline;

/* Writes the maps of the new user namespace of PID, as the plan says. D: until when newuidmap and newgidmap may take. */
int idmaps_write(const struct launch_plan *plan, pid_t pid, const struct deadline *d,
		 struct crun_error *err) CRUN_NODISCARD;

#define IDMAPS_HELPER_DIRS "/usr/bin /bin /usr/local/bin /usr/sbin /run/wrappers/bin"

/* Sets PATH to the program NAME, newuidmap or newgidmap, in one of these directories, and returns it; NULL: in none. */
const char *idmaps_find_helper(const char *name, char *path, size_t size);

/* Writes MAP to FILE ("uid_map", "gid_map") of PID, which is a child of ours in a new user namespace. */
int idmaps_write_one(pid_t pid, const char *file, const struct oci_id_mapping *map, size_t len,
		     struct crun_error *err) CRUN_NODISCARD;

/*
 * mount_idmaps.c: a new user namespace with the mappings of MAP, made by a child that is gone when this returns. Returns its fd, or
 * -errno.
 */
int mount_idmap_namespace(const struct mount_idmap *map, struct crun_error *err) CRUN_NODISCARD;
