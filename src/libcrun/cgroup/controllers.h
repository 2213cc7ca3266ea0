/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One function per controller and cgroup version: writes its part of linux.resources into the container's directory. What is absent is
 * left as it is; what this version cannot express is KIND_UNSUPPORTED, never dropped. Returns 0 or -errno.
 *
 * While a container is made, its directory is new and everything in it has the kernel's default: nothing is read. For an update
 * (cg_is_update) the present values count, and the function runs twice: see changes.h.
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
int cg_v1_io(const struct cg_dir *dir, const struct oci_linux_resources *res,
	     struct crun_error *err);
int cg_v1_hugetlb(const struct cg_dir *dir, const struct oci_linux_resources *res,
		  struct crun_error *err);
int cg_v1_net_cls(const struct cg_dir *dir, const struct oci_linux_resources *res,
		  struct crun_error *err);
int cg_v1_net_prio(const struct cg_dir *dir, const struct oci_linux_resources *res,
		   struct crun_error *err);

int cg_v2_memory(const struct cg_dir *dir, const struct oci_linux_resources *res,
		 struct crun_error *err);
int cg_v2_cpu(const struct cg_dir *dir, const struct oci_linux_resources *res,
	      struct crun_error *err);
int cg_v2_cpuset(const struct cg_dir *dir, const struct oci_linux_resources *res,
		 struct crun_error *err);
int cg_v2_io(const struct cg_dir *dir, const struct oci_linux_resources *res,
	     struct crun_error *err);
int cg_v2_hugetlb(const struct cg_dir *dir, const struct oci_linux_resources *res,
		  struct crun_error *err);
int cg_v2_unified(const struct cg_dir *dir, const struct oci_linux_resources *res,
		  struct crun_error *err);

/* Both versions. */
int cg_any_pids(const struct cg_dir *dir, const struct oci_linux_resources *res,
		struct crun_error *err);
int cg_any_rdma(const struct cg_dir *dir, const struct oci_linux_resources *res,
		struct crun_error *err);

/* The files of the cpu controller that differ. */
struct cg_cpu_files {
	const char *burst, *weight;
	/* Writes quota and period as far as they are given. */
	int (*write_bandwidth)(const struct cg_dir *dir, const struct oci_linux_cpu *cpu,
			       struct crun_error *err);
};
/* All but the realtime limits; WEIGHT is for files->weight, 0: not given. */
int cg_any_cpu(const struct cg_dir *dir, const struct oci_linux_cpu *cpu,
	       const struct cg_cpu_files *files, uint64_t weight, struct crun_error *err);

/* The error of an update to SWAP (memory and swap together) alone, which is less than the LIMIT of memory (UINT64_MAX: none). */
int cg_swap_conflict(int64_t swap, uint64_t limit, struct crun_error *err);

/* memory.checkBeforeUpdate: KIND_STATE when an update's LIMIT for the key AT is below the usage that FILE tells. */
int cg_check_usage(const struct cg_dir *dir, const struct oci_linux_memory *mem, const char *file,
		   int64_t limit, const char *at, struct crun_error *err);

/*
 * A cpuset hierarchy of v1 starts every directory without cpus and memory nodes, and takes no process then: copies the parent's, from
 * the first empty directory down to ours.
 */
int cg_v1_cpuset_inherit(const struct cgroup *cg, const struct cg_hier *h,
			 struct crun_error *err) CRUN_NODISCARD;

/* cpu.weight for SHARES: 10^((log2(s)^2 + 125 log2(s)) / 612 - 7/34), rounded up, so that 2, 1024, 262144 are 1, 100, 10000. */
uint64_t cg_v2_weight_of_shares(uint64_t shares);

/* io.weight (1 ... 10000) for blockIO.weight (10 ... 1000): a straight line through both ends. */
uint64_t cg_v2_io_weight(uint16_t weight);
