/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the kernel counts for a container, the same for v1, v2 and hybrid hosts. A value that the kernel does not offer, because a controller
 * is missing, the kernel is too old or the file may not be read, is not known: it is never 0 instead.
 */
#pragma once

#include "cgroup/cgroup.h"

#include <libocispec/runtime/arena.h>

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* No limit: the kernel's "max". */
#define STAT_MAX UINT64_MAX
/* v1 has no word for it: what is above this is the highest multiple of a page in 63 bits, which stands for no limit. */
#define STAT_V1_MAX (UINT64_C(1) << 62)

struct stat_value {
	bool known;
	uint64_t value;
};

/* Strings and arrays belong to the arena of struct cgroup_stats. */
struct stat_list {
	uint64_t *items;
	size_t len;
};

struct stat_pair {
	const char *key;
	uint64_t value;
};

struct stat_pairs {
	struct stat_pair *items;
	size_t len;
};

/* A counter with a limit. `max` is the highest usage so far, `failcnt` how often the limit was in the way. */
struct stat_entry {
	struct stat_value usage, limit, max, failcnt;
};

struct stat_cpu {
	struct stat_value usage_ns, user_ns, system_ns;
	struct stat_list percpu, percpu_user, percpu_system; /* ns; v1 only */
	struct stat_value periods, throttled, throttled_ns, bursts, burst_ns;
};

struct stat_memory {
	struct stat_value cache;
	struct stat_entry usage;
	struct stat_entry with_swap; /* v1: memory and swap together */
	struct stat_entry swap;	     /* swap alone */
	struct stat_entry kernel, kernel_tcp;
	struct stat_value low, high, at_max, oom,
		oom_kill;      /* events, those of cgroups below included on v2 */
	struct stat_pairs raw; /* memory.stat */
};

struct stat_pids {
	struct stat_value current, limit, max;
};

/* v1: the flags and numbers of the cpuset hierarchy; v2 has the lists only. */
struct stat_cpuset {
	const char *cpus, *mems; /* "0-3", or NULL */
	struct stat_value cpu_exclusive, mem_exclusive, mem_hardwall, memory_migrate,
		memory_spread_page, memory_spread_slab, memory_pressure, sched_load_balance;
	bool has_relax_domain_level;
	int64_t relax_domain_level;
};

enum stat_io_kind {
	STAT_IO_BYTES,
	STAT_IO_SERVICED,
	STAT_IO_QUEUED,
	STAT_IO_SERVICE_TIME,
	STAT_IO_WAIT_TIME,
	STAT_IO_MERGED,
	STAT_IO_TIME,
	STAT_IO_SECTORS,
	STAT_IO_KINDS
};

struct stat_io {
	uint32_t major, minor;
	const char *op; /* "Read", "Write", "Sync", "Async", "Discard", or "" */
	uint64_t value;
};

struct stat_io_list {
	struct stat_io *items;
	size_t len;
};

struct stat_hugetlb {
	const char *size; /* "2MB" */
	struct stat_entry usage;
	struct stat_value reserved;
};

/* rdma: handles (usage) and objects of a device; misc: a resource. */
struct stat_named {
	const char *name;
	struct stat_entry usage, objects;
};

struct stat_named_list {
	struct stat_named *items;
	size_t len;
};

/* Percentages in hundredths, as the kernel writes two decimals; `total` in microseconds. */
struct stat_psi_line {
	bool known;
	uint64_t avg10, avg60, avg300, total;
};

struct stat_psi {
	struct stat_psi_line some, full;
};

struct cgroup_stats {
	struct oci_arena arena;
	struct stat_cpu cpu;
	struct stat_cpuset cpuset;
	struct stat_memory memory;
	struct stat_pids pids;
	struct stat_io_list io[STAT_IO_KINDS];
	struct stat_hugetlb *hugetlb;
	size_t hugetlb_len;
	struct stat_named_list rdma, misc;
	struct stat_psi cpu_psi, memory_psi, io_psi;
};

/*
 * Reads everything that there is; what vanishes meanwhile is not known. *RET must be all-zero, and is released by cgroup_stats_done also
 * after a failure, which is -ENOMEM only.
 */
int cgroup_stats_read(const struct cgroup *cg, struct cgroup_stats *ret,
		      struct crun_error *err) CRUN_NODISCARD;

void cgroup_stats_done(struct cgroup_stats *stats);
#define _cleanup_cgroup_stats_ _cleanup_(cgroup_stats_done)

/* Whose lack of memory the OOM killer answered when it killed processes of the container. */
enum cgroup_oom_scope {
	OOM_NONE,    /* it never did */
	OOM_OWN,     /* the container's cgroup reached its limit */
	OOM_BELOW,   /* a cgroup that was made below it */
	OOM_ABOVE,   /* one above it: the limit of a pod, a slice, another container */
	OOM_HOST,    /* none that is still there: the host itself ran out of memory */
	OOM_UNKNOWN, /* the kernel does not tell (v2 before Linux 5.2), or the cgroup is gone */
};

struct cgroup_oom {
	enum cgroup_oom_scope scope;
	uint64_t kills; /* processes of the container */
	char path
		[4097]; /* OWN and ABOVE: of the cgroup whose limit it was, below the hierarchy's root */
	struct stat_value limit; /* OWN and ABOVE: bytes */
	bool likely; /* v1 counts each time that a limit was in the way, not only those that ended in a kill */
};

/*
 * Tells whose limit it was: of several that qualify the one next to the container. v2 keeps the count of each cgroup's own limit in
 * memory.events.local, and that of its processes killed for whatever reason in memory.events.
 */
void cgroup_oom_read(const struct cgroup *cg, struct cgroup_oom *ret);

/* Notification of kills. All FD_NONE is one that never tells. */
struct cgroup_oom_watch {
	int fd;	       /* becomes readable */
	int control;   /* v1: memory.oom_control */
	uint64_t told; /* v2: kills that were told of */
};

#define CGROUP_OOM_WATCH_NONE                     \
	{                                         \
		.fd = FD_NONE, .control = FD_NONE \
	}

/*
 * Begins to watch; without a memory controller, or (with a warning) without the right to ask, nothing will ever come. Kills before are not
 * told.
 */
int cgroup_oom_watch(const struct cgroup *cg, struct cgroup_oom_watch *ret,
		     struct crun_error *err) CRUN_NODISCARD;

/* How many kills happened since the last call; does not wait. */
uint64_t cgroup_oom_since(const struct cgroup *cg, struct cgroup_oom_watch *watch);

void cgroup_oom_unwatch(struct cgroup_oom_watch *watch);
