// SPDX-License-Identifier: Apache-2.0
// cgroup v2: the cpuset controller.
#include "cgroup/controllers.h"

int cg_v2_cpuset(const struct cg_dir *dir, const struct oci_linux_resources *res,
		 struct crun_error *err)
{
	const struct oci_linux_cpu *cpu = res->cpu;
	int r = 0;

	if (cpu->cpus && cpu->cpus[0])
		r = cg_write(dir, "cpuset.cpus", cpu->cpus, "cpu/cpus", err);
	if (r >= 0 && cpu->mems && cpu->mems[0])
		r = cg_write(dir, "cpuset.mems", cpu->mems, "cpu/mems", err);
	return r;
}
