// SPDX-License-Identifier: Apache-2.0
// cgroup v2: the hugetlb controller.
#include "cgroup/controllers.h"

#include <stdio.h>

int cg_v2_hugetlb(const struct cg_dir *dir, const struct oci_linux_resources *res,
		  struct crun_error *err)
{
	for (size_t i = 0; i < res->hugepage_limits_len; i++) {
		const struct oci_linux_hugepage_limit *limit = &res->hugepage_limits[i];
		char file[128];
		int r;

		/* "Huge page limits": reservations where the kernel counts them (5.7), page faults in any case. */
		snprintf(file, sizeof(file), "hugetlb.%s.rsvd.max", limit->page_size);
		if (cg_has_file(dir, file)) {
			r = cg_write_u64(dir, file, limit->limit, "hugepageLimits", err);
			if (r < 0)
				return r;
		}
		snprintf(file, sizeof(file), "hugetlb.%s.max", limit->page_size);
		r = cg_write_u64(dir, file, limit->limit, "hugepageLimits", err);
		if (r < 0)
			return r;
	}
	return 0;
}
