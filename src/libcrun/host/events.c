// SPDX-License-Identifier: Apache-2.0
// crun events: statistics of a running container at regular intervals, and lack of memory at once.
#include "host/stats.h"
#include "host/stream.h"

#include "cgroup/cgroup.h"

#include <errno.h>

#define DEFAULT_INTERVAL_MS 5000

static int write_line(struct oci_json *json, FILE *out, struct crun_error *err)
{
	_cleanup_buf_ struct buf line = {0};
	int r = oci_json_finish(json);

	if (r < 0)
		return err_sys(err, r, "events");
	buf_printf(&line, "%s\n", json->data);
	if (line.failed)
		return err_sys(err, -ENOMEM, "events");
	return stream_write(out, line.data, line.len, err);
}

/* Whose statistics are written. */
struct source {
	const struct container *container;
	const struct cgroup *cgroup;
	struct intelrdt rdt; /* base_fd FD_NONE: no class of service */
};

static int write_stats(const struct source *s, FILE *out, struct crun_error *err)
{
	_cleanup_container_stats_ struct container_stats stats = {0};
	_cleanup_(oci_json_free) struct oci_json json = {0};
	int r = container_stats_read(s->container, s->cgroup, &stats, err);

	if (r < 0)
		return r;
	if (s->rdt.base_fd >= 0 && (r = intelrdt_stats_read(&s->rdt, &stats.rdt)) < 0)
		return err_sys(err, r, "statistics of container `%s`", stats.id);
	events_write(&stats, &json);
	return write_line(&json, out, err);
}

static int write_oom(const struct container *c, uint64_t count, FILE *out, struct crun_error *err)
{
	int r = STREAM_TICK;

	for (uint64_t i = 0; r == STREAM_TICK && i < count; i++) {
		_cleanup_(oci_json_free) struct oci_json json = {0};

		oci_json_begin_object(&json);
		oci_json_member_string(&json, "type", "oom");
		oci_json_member_string(&json, "id", c->dir.id);
		oci_json_end_object(&json);
		r = write_line(&json, out, err);
	}
	return r;
}

/* Until the container stops; what happened up to then is told. */
static int stream(const struct source *s, struct cgroup_oom_watch *watch, int64_t interval,
		  FILE *out, struct crun_error *err)
{
	const struct container *c = s->container;
	int64_t next = clock_ms();

	for (;;) {
		int event = stream_wait(out, c->pidfd, watch->fd, next);
		int r = STREAM_TICK;

		if (event < 0)
			return err_sys(err, event, "wait for events of container `%s`", c->dir.id);
		if (event == STREAM_UNREAD)
			return 0;
		if (event == STREAM_TICK) {
			r = write_stats(s, out, err);
			/* Not one after the other when we were stopped for a while. */
			next = next + interval > clock_ms() ? next + interval
							    : clock_ms() + interval;
		}
		if (r == STREAM_TICK)
			r = write_oom(c, cgroup_oom_since(s->cgroup, watch), out, err);
		if (r != STREAM_TICK || event == STREAM_ENDED)
			return r < 0 ? r : 0;
	}
}

static int with_cgroup(const struct source *s, const struct libcrun_events_options *opts, FILE *out,
		       struct crun_error *err)
{
	struct cgroup_oom_watch watch = CGROUP_OOM_WATCH_NONE;
	int r;

	if (!cgroup_exists(s->cgroup))
		return container_stats_none(s->container, err);
	if (opts->once) {
		r = write_stats(s, out, err);
		return r == STREAM_UNREAD
			       ? err_sys_code(err, CODE_OUTPUT, -EPIPE, "write to the output")
			       : r;
	}
	r = cgroup_oom_watch(s->cgroup, &watch, err);
	if (r < 0)
		return r;
	r = stream(s, &watch, opts->interval_ms > 0 ? opts->interval_ms : DEFAULT_INTERVAL_MS, out,
		   err);
	cgroup_oom_unwatch(&watch);
	return r;
}

int libcrun_events(const struct libcrun_context *ctx, const char *id,
		   const struct libcrun_events_options *opts, FILE *out, struct crun_error *err)
{
	_cleanup_container_ struct container c = CONTAINER_EMPTY;
	struct source s = {.container = &c, .rdt = {.base_fd = FD_NONE}};
	struct cgroup *cg = NULL;
	int r = container_open(ctx, id, &c, err);

	if (r < 0)
		return r;
	if (c.pidfd < 0)
		return container_not_running(&c, err);
	r = cgroup_open(c.record, &cg, err);
	if (r < 0)
		return r;
	s.cgroup = cg;
	r = intelrdt_stats_open(&c, &c.arena, &s.rdt, err);
	if (r >= 0)
		r = with_cgroup(&s, opts, out, err);
	close_fd(&s.rdt.base_fd);
	cgroup_free(cg);
	return r;
}
