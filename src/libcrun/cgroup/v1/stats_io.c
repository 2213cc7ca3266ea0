// SPDX-License-Identifier: Apache-2.0
// Statistics of the v1 controller blkio, whose files depend on kernel and I/O scheduler.
#include "cgroup/stats_read.h"

#include "base/str.h"

#include <errno.h>
#include <string.h>

/*
 * The candidates for each kind, the best first: counts of cgroups below included, and of all I/O (throttle) rather than of what one
 * scheduler saw.
 */
static const char *const files[STAT_IO_KINDS][4] = {
	[STAT_IO_BYTES] = {"blkio.throttle.io_service_bytes_recursive",
			   "blkio.throttle.io_service_bytes",
			   "blkio.bfq.io_service_bytes_recursive",
			   "blkio.io_service_bytes_recursive"},
	[STAT_IO_SERVICED] = {"blkio.throttle.io_serviced_recursive", "blkio.throttle.io_serviced",
			      "blkio.bfq.io_serviced_recursive", "blkio.io_serviced_recursive"},
	[STAT_IO_QUEUED] = {"blkio.bfq.io_queued_recursive", "blkio.io_queued_recursive"},
	[STAT_IO_SERVICE_TIME] = {"blkio.bfq.io_service_time_recursive",
				  "blkio.io_service_time_recursive"},
	[STAT_IO_WAIT_TIME] = {"blkio.bfq.io_wait_time_recursive", "blkio.io_wait_time_recursive"},
	[STAT_IO_MERGED] = {"blkio.bfq.io_merged_recursive", "blkio.io_merged_recursive"},
	[STAT_IO_TIME] = {"blkio.bfq.time_recursive", "blkio.time_recursive"},
	[STAT_IO_SECTORS] = {"blkio.bfq.sectors_recursive", "blkio.sectors_recursive"},
};

/* "8:0 Read 123", "8:0 123", and a last line "Total 123", which says nothing new. */
static int parse_line(struct cgroup_stats *ret, enum stat_io_kind kind, const char *line)
{
	struct stat_io io = {.op = ""};
	const char *rest;
	size_t n;

	if (!stat_device(line, &io, &rest))
		return 0;
	n = strcspn(rest, " ");
	if (rest[n] == ' ') {
		/* The sum of the others, again. */
		if (n == strlen("Total") && memcmp(rest, "Total", n) == 0)
			return 0;
		io.op = oci_arena_strndup(&ret->arena, rest, n);
		if (!io.op)
			return -ENOMEM;
		rest += n + 1;
	}
	if (!stat_number(rest, strlen(rest), &io.value))
		return 0;
	return stat_io_add(&ret->arena, &ret->io[kind], &io);
}

static int read_kind(int dir, enum stat_io_kind kind, struct cgroup_stats *ret)
{
	for (size_t i = 0; i < ARRAY_LEN(files[kind]) && files[kind][i]; i++) {
		_cleanup_buf_ struct buf text = {0};
		int r = stat_text(dir, files[kind][i], &text);
		char *rest = text.data, *line;

		if (r == -ENOMEM)
			return r;
		if (r < 0)
			continue;
		r = 0;
		while (r >= 0 && (line = strsep(&rest, "\n")))
			r = parse_line(ret, kind, line);
		if (r < 0 || ret->io[kind].len)
			return r;
	}
	return 0;
}

int cg_v1_stats_io(int dir, struct cgroup_stats *ret)
{
	int r = 0;

	for (int kind = 0; r >= 0 && kind < STAT_IO_KINDS; kind++)
		r = read_kind(dir, (enum stat_io_kind)kind, ret);
	return r;
}
