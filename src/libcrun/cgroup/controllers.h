/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One function per controller and cgroup version: writes its part of linux.resources into the container's directory. What is absent is
 * left as the kernel made it; what this version cannot express is KIND_UNSUPPORTED, never dropped. Returns 0 or -errno.
 */
#pragma once

#include "cgroup/internal.h"

typedef int (*cg_apply_fn)(const struct cg_dir *dir, const struct oci_linux_resources *res,
			   struct crun_error *err);

int cg_v1_memory(const struct cg_dir *dir, const struct oci_linux_resources *res,
		 struct crun_error *err);
int cg_v1_cpu(const struct cg_dir *dir, const struct oci_linux_resources *res,
	      struct crun_error *err);
int cg_v1_cpuset(const struct cg_dir *dir, const struct oci_linux_resources *res,
		 struct crun_error *err);
int cg_v1_pids(const struct cg_dir *dir, const struct oci_linux_resources *res,
	       struct crun_error *err);
int cg_v1_io(const struct cg_dir *dir, const struct oci_linux_resources *res,
	     struct crun_error *err);
int cg_v1_hugetlb(const struct cg_dir *dir, const struct oci_linux_resources *res,
		  struct crun_error *err);
int cg_v1_net_cls(const struct cg_dir *dir, const struct oci_linux_resources *res,
		  struct crun_error *err);
int cg_v1_net_prio(const struct cg_dir *dir, const struct oci_linux_resources *res,
		   struct crun_error *err);
int cg_v1_rdma(const struct cg_dir *dir, const struct oci_linux_resources *res,
	       struct crun_error *err);

int cg_v2_memory(const struct cg_dir *dir, const struct oci_linux_resources *res,
		 struct crun_error *err);
int cg_v2_cpu(const struct cg_dir *dir, const struct oci_linux_resources *res,
	      struct crun_error *err);
int cg_v2_cpuset(const struct cg_dir *dir, const struct oci_linux_resources *res,
		 struct crun_error *err);
int cg_v2_pids(const struct cg_dir *dir, const struct oci_linux_resources *res,
	       struct crun_error *err);
int cg_v2_io(const struct cg_dir *dir, const struct oci_linux_resources *res,
	     struct crun_error *err);
int cg_v2_hugetlb(const struct cg_dir *dir, const struct oci_linux_resources *res,
		  struct crun_error *err);
int cg_v2_rdma(const struct cg_dir *dir, const struct oci_linux_resources *res,
	       struct crun_error *err);
/* linux.resources.unified: CONTROLLERS are those that the directory has. */
int cg_v2_unified(const struct cg_dir *dir, const struct oci_linux_resources *res,
		  struct crun_error *err);

/*
 * A cpuset hierarchy of v1 starts every directory without cpus and memory nodes, and takes no process then: copies the parent's, from
 * the first empty directory down to ours.
 */
int cg_v1_cpuset_inherit(const struct cgroup *cg, const struct cg_hier *h,
			 struct crun_error *err) CRUN_NODISCARD;

/* cpu.weight for SHARES: 10^((log2(s)^2 + 125 log2(s)) / 612 - 7/34), rounded up, so that 2, 1024, 262144 are 1, 100, 10000. */
uint64_t cg_v2_weight_of_shares(uint64_t shares);
