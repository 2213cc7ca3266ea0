// SPDX-License-Identifier: Apache-2.0
// cgroup v2: the pids controller.
#include "cgroup/controllers.h"

int cg_v2_pids(const struct cg_dir *dir, const struct oci_linux_resources *res,
	       struct crun_error *err)
{
	if (!res->pids->has_limit)
		return 0;
	/* The specification has no other way than 0 or less to say "no limit". */
	return cg_write_max(dir, "pids.max", res->pids->limit > 0 ? res->pids->limit : -1,
			    "pids/limit", err);
}
