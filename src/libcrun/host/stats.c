// SPDX-License-Identifier: Apache-2.0
// crun stats: what the kernel counts for one container or for all, once or again and again.
#include "host/stats.h"
#include "host/stream.h"

#include "base/log.h"
#include "base/str.h"
#include "cgroup/cgroup.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#define DEFAULT_INTERVAL_MS 2000

/* One sample of a container's CPU time, to compare the next one with. */
struct sample {
	char *id;
	uint64_t usage_ns, taken_ms;
};

struct collection {
	const struct libcrun_context *ctx;
	const struct libcrun_stats_options *opts;
	const char *only; /* the id, or NULL for all */
	struct sample *samples;
	size_t samples_len;
	int pidfd; /* of the one container */
	struct buf text;
	struct oci_json json;
};

static void collection_done(struct collection *l)
{
	for (size_t i = 0; i < l->samples_len; i++)
		free(l->samples[i].id);
	free(l->samples);
	close_fd(&l->pidfd);
	buf_done(&l->text);
	oci_json_free(&l->json);
}

/* Those of containers that are gone stay: there are not so many, and an id may come back. */
static struct sample *find_sample(struct collection *l, const char *id)
{
	struct sample *grown;

	for (size_t i = 0; i < l->samples_len; i++) {
		if (str_eq(l->samples[i].id, id))
			return &l->samples[i];
	}
	grown = reallocarray(l->samples, l->samples_len + 1, sizeof(*grown));
	if (!grown)
		return NULL;
	l->samples = grown;
	grown[l->samples_len] = (struct sample){.id = str_printf("%s", id)};
	return grown[l->samples_len].id ? &grown[l->samples_len++] : NULL;
}

/* How busy it was since the last sample. */
static int compare_sample(struct collection *l, struct container_stats *stats)
{
	const struct stat_value *usage = &stats->cg.cpu.usage_ns;
	struct sample *s = find_sample(l, stats->id);

	if (!s)
		return -ENOMEM;
	if (!usage->known)
		return 0;
	if (s->taken_ms && stats->taken_ms > s->taken_ms && usage->value >= s->usage_ns)
		stats->cpu_permille = (struct stat_value){
			.known = true,
			/* Nanoseconds per millisecond are millionths. */
			.value = (usage->value - s->usage_ns) / (stats->taken_ms - s->taken_ms) /
				 1000,
		};
	s->usage_ns = usage->value;
	s->taken_ms = stats->taken_ms;
	return 0;
}

static void write_one(struct collection *l, const struct container_stats *stats)
{
	if (l->opts->format == LIBCRUN_STATS_JSON)
		stats_write_json(stats, &l->json);
	else if (l->only)
		stats_write_page(stats, &l->text);
	else
		stats_write_row(stats, &l->text);
}

static int add_open(struct collection *l, const struct container *c, struct cgroup *cg,
		    struct crun_error *err)
{
	_cleanup_container_stats_ struct container_stats stats = {0};
	int r = container_stats_read(c, cg, &stats, err);

	if (r < 0)
		return r;
	if (!stats.any && l->only)
		return container_stats_none(c, err);
	r = compare_sample(l, &stats);
	if (r < 0)
		return err_sys(err, r, "statistics of container `%s`", stats.id);
	write_one(l, &stats);
	return 0;
}

static int add_container(struct collection *l, const char *id, struct crun_error *err)
{
	_cleanup_container_ struct container c = CONTAINER_EMPTY;
	struct cgroup *cg = NULL;
	int r = container_open(l->ctx, id, &c, err);

	if (r >= 0)
		r = cgroup_open(c.record, &cg, err);
	if (r < 0)
		return r;
	r = add_open(l, &c, cg, err);
	cgroup_free(cg);
	if (l->only) {
		close_fd(&l->pidfd);
		l->pidfd = take_fd(&c.pidfd);
	}
	return r;
}

static int add_each(const char *id, void *data)
{
	struct collection *l = data;
	struct crun_error why;
	int r = add_container(l, id, &why);

	/* Deleted meanwhile; and one that cannot be read does not hide the others. */
	if (r < 0 && why.kind != KIND_NOT_FOUND)
		log_warning("%s", why.text);
	return 0;
}

/* Everything once, into l->text or l->json. */
static int collect(struct collection *l, struct crun_error *err)
{
	bool json = l->opts->format == LIBCRUN_STATS_JSON;
	int r;

	buf_done(&l->text);
	oci_json_free(&l->json);
	l->text = (struct buf){0};
	l->json = (struct oci_json){.pretty = !l->opts->watch};
	if (l->only) {
		r = add_container(l, l->only, err);
	} else {
		if (json)
			oci_json_begin_array(&l->json);
		else
			stats_write_header(&l->text);
		r = libcrun_each_id(l->ctx, add_each, l, err);
		if (json)
			oci_json_end_array(&l->json);
	}
	if (r < 0 || !json)
		return r;
	r = oci_json_finish(&l->json);
	if (r < 0)
		return err_sys(err, r, "statistics");
	buf_append(&l->text, l->json.data, l->json.len);
	if (l->opts->watch)
		buf_puts(&l->text, "\n");
	return 0;
}

static int collect_and_write(struct collection *l, const char *before, FILE *out,
			     struct crun_error *err)
{
	_cleanup_buf_ struct buf all = {0};
	int r = collect(l, err);

	if (r < 0)
		return r;
	buf_puts(&all, before);
	buf_append(&all, l->text.data, l->text.len);
	if (l->text.failed || all.failed)
		return err_sys(err, -ENOMEM, "statistics");
	return stream_write(out, all.data, all.len, err);
}

/* A new page on a terminal, where the screen is cleared; an empty line between two in a file. */
static const char *separator(const struct collection *l, FILE *out, bool first)
{
	if (l->opts->format == LIBCRUN_STATS_JSON)
		return "";
	if (isatty(fileno(out)))
		return "\033[H\033[J";
	return first ? "" : "\n";
}

static int watch(struct collection *l, FILE *out, struct crun_error *err)
{
	int64_t interval = l->opts->interval_ms > 0 ? l->opts->interval_ms : DEFAULT_INTERVAL_MS;

	for (bool first = true;; first = false) {
		int r = collect_and_write(l, separator(l, out, first), out, err);

		/* Stopped and deleted since the last look: the end, not a failure. */
		if (r < 0 && !first && (err->kind == KIND_NOT_FOUND || err->errnum == ESRCH))
			return 0;
		if (r != STREAM_TICK || (l->only && l->pidfd < 0))
			return r < 0 ? r : 0;
		r = stream_wait(out, l->pidfd, FD_NONE, clock_ms() + interval);
		if (r < 0)
			return err_sys(err, r, "wait for container `%s`", l->only ? l->only : "");
		if (r == STREAM_UNREAD)
			return 0;
	}
}

int libcrun_stats(const struct libcrun_context *ctx, const char *id,
		  const struct libcrun_stats_options *opts, FILE *out, struct crun_error *err)
{
	_cleanup_(collection_done) struct collection l = {
		.ctx = ctx, .opts = opts, .only = id, .pidfd = FD_NONE};
	int r;

	if (opts->watch)
		return watch(&l, out, err);
	r = collect_and_write(&l, "", out, err);
	return r == STREAM_UNREAD ? err_sys_code(err, CODE_OUTPUT, -EPIPE, "write to the output")
				  : r;
}
