/* SPDX-License-Identifier: Apache-2.0 */
/* The id maps of new user namespaces: the container's, and those that idmapped mounts take theirs from. Domain: the runtime. */
#pragma once

#include "base/cleanup.h"
#include "base/error.h"
#include "hooks/program.h"
#include "plan/plan.h"

struct deadline;

/* newuidmap and newgidmap, opened before anything of the container is touched. */
struct idmap_helpers {
	struct host_program uid, gid;
};

#define IDMAP_HELPERS_NONE                                      \
	{                                                       \
		.uid = {.fd = FD_NONE}, .gid = {.fd = FD_NONE } \
	}

/* Fixed places, not $PATH: they are setuid programs of the distribution, and callers run us with no PATH at all. */
#define IDMAPS_HELPER_DIRS "/usr/bin /bin /usr/local/bin /usr/sbin /run/wrappers/bin"

/* Opens both into *ret, which holds none yet. The caller closes them by idmaps_close_helpers() in any case. */
int idmaps_open_helpers(struct idmap_helpers *ret, struct crun_error *err) CRUN_NODISCARD;
void idmaps_close_helpers(struct idmap_helpers *helpers);

/*
 * Writes the maps of the new user namespace of PID, as the plan says; HELPERS are used if that is how. D: until when newuidmap and newgidmap may
 * take.
 */
int idmaps_write(const struct launch_plan *plan, const struct idmap_helpers *helpers, pid_t pid,
		 const struct deadline *d, struct crun_error *err) CRUN_NODISCARD;

/* Writes MAP to FILE ("uid_map", "gid_map") of PID, which is a child of ours in a new user namespace. */
int idmaps_write_one(pid_t pid, const char *file, const struct oci_id_mapping *map, size_t len,
		     struct crun_error *err) CRUN_NODISCARD;

/*
 * mount_idmaps.c: a new user namespace with the mappings of MAP, made by a child that is gone when this returns. Returns its fd, or
 * -errno.
 */
int mount_idmap_namespace(const struct mount_idmap *map, struct crun_error *err) CRUN_NODISCARD;
