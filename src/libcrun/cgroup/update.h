/* SPDX-License-Identifier: Apache-2.0 */
/*
 * New limits for a container that exists. Everything that is asked for is looked at before the first byte is written, and when a write
 * fails all the same, what was written before is put back. Domain: the runtime on the host.
 */
#pragma once

#include "base/error.h"
#include "cgroup/cgroup.h"
#include "cgroup/update_report.h"

/* What can be undone of an update whose cgroup part succeeded, until cgroup_update_free. */
struct cgroup_update;

/*
 * Writes REQUEST->resources, checked by check_resources_update, into the directories of CG; of REQUEST the nodes and `unprivileged` are
 * used as well, for the device filter, when it has rules for devices. Absent values stay as they are, and so do numbers of 0 that mean
 * "not set". REPORT gets an entry for every key that has a value, on failure, too.
 *
 * On success *ret is what cgroup_update_undo puts back; released with cgroup_update_free, which leaves everything as it is now. On failure
 * nothing is changed, unless the error names a file that could not be put back.
 */
int cgroup_update(struct cgroup *cg, const struct plan_cgroup *request,
		  struct update_report *report, struct cgroup_update **ret,
		  struct crun_error *err) CRUN_NODISCARD;

/* Puts the former values back, and adds to ERR, which is set, what could not be. */
void cgroup_update_undo(struct cgroup_update *update, struct crun_error *err);
void cgroup_update_free(struct cgroup_update *update);
