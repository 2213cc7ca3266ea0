/* SPDX-License-Identifier: Apache-2.0 */
/* What is known of a container's use of resources at one moment, and how `stats` and `events` write it. */
#pragma once

#include "base/buf.h"
#include "cgroup/stats.h"
#include "host/intelrdt_stats.h"
#include "host/verbs.h"

enum net_counter {
	NET_RX_BYTES,
	NET_RX_PACKETS,
	NET_RX_ERRORS,
	NET_RX_DROPPED,
	NET_TX_BYTES,
	NET_TX_PACKETS,
	NET_TX_ERRORS,
	NET_TX_DROPPED,
	NET_COUNTERS
};

struct net_interface {
	char name[16];
	uint64_t counters[NET_COUNTERS];
};

struct net_stats {
	struct net_interface *items;
	size_t len;
};

struct container_stats {
	const char *id; /* borrowed */
	enum libcrun_status status;
	bool any; /* there is a cgroup to ask */
	uint64_t taken_ms;
	struct cgroup_stats cg;
	struct cgroup_oom oom;
	struct net_stats net;
	struct intelrdt_stats rdt; /* `events` only; the caller reads it */
	struct stat_value
		cpu_permille; /* of one CPU, since the sample before; the caller sets it */
};

#define _cleanup_container_stats_ _cleanup_(container_stats_done)

/*
 * Asks the kernel. CG is the open cgroup of C. *RET must be all-zero; release it with container_stats_done also after a failure.
 */
int container_stats_read(const struct container *c, const struct cgroup *cg,
			 struct container_stats *ret, struct crun_error *err) CRUN_NODISCARD;
void container_stats_done(struct container_stats *stats);

/* The error for a container that has no cgroup to ask. */
int container_stats_none(const struct container *c, struct crun_error *err);

/*
 * The interfaces of process PID's network namespace; none when that is also ours. PIDFD proves that PID was still that process when it was
 * read.
 */
int net_stats_read(pid_t pid, int pidfd, struct net_stats *ret);

/* The form of `events`: {"type":"stats","id":ID,"data":{...}} */
void events_write(const struct container_stats *stats, struct oci_json *out);

/* The form of `stats --format json`: one object. */
void stats_write_json(const struct container_stats *stats, struct oci_json *out);

/* What both forms share: a member, and the averages and the total (its key is TOTAL) of pressure. Nothing for what is not known. */
void stats_json_member(struct oci_json *out, const char *key, const struct stat_value *v);
void stats_json_pressure(struct oci_json *out, const char *key, const char *total,
			 const struct stat_psi *p);

/* For people: everything about one container; a line of the table, and its header. */
void stats_write_page(const struct container_stats *stats, struct buf *out);
void stats_write_header(struct buf *out);
void stats_write_row(const struct container_stats *stats, struct buf *out);

/* Whose limit made the OOM killer end processes of the container, as a sentence. OOM must not be OOM_NONE. */
void stats_oom_sentence(const struct cgroup_oom *oom, struct buf *out);

enum device_counter {
	IO_READ_BYTES,
	IO_WRITE_BYTES,
	IO_DISCARD_BYTES,
	IO_READS,
	IO_WRITES,
	IO_DISCARDS,
	IO_COUNTERS
};

/* What the lists of struct cgroup_stats say of one block device. */
struct device_io {
	uint32_t major, minor;
	struct stat_value counters[IO_COUNTERS];
};

/* The device that begins at *AT of the list STAT_IO_BYTES, *AT is moved on; false at its end. */
bool stats_next_device(const struct cgroup_stats *cg, size_t *at, struct device_io *ret);
