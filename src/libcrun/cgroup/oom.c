// SPDX-License-Identifier: Apache-2.0
// Processes that were killed for lack of memory: how many, whose limit it was, and telling of it at once. See stats.h.
#include "cgroup/internal.h"
#include "cgroup/stats_read.h"

#include "base/log.h"
#include "base/str.h"
#include "sys/file.h"
#include "sys/io.h"
#include "sys/notify.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* Cgroups below the container's that are looked into, in depth. */
#define MAX_DEPTH 32

/* What one directory says of itself. */
struct oom_counts {
	struct stat_value kills; /* its processes that were killed; on v2 with those below it */
	struct stat_value local; /* how often its own limit was reached; v1: 1 if it was */
	struct stat_value all;	 /* its own and those below */
	struct stat_value limit;
};

/* The hierarchy that has the memory controller. */
static const struct cg_hier *memory_hier(const struct cgroup *cg)
{
	for (size_t i = 0; i < cg->hier_len; i++) {
		const struct cg_hier *h = &cg->hier[i];

		if (h->dir_fd >= 0 &&
		    faccessat(h->dir_fd, h->v2 ? "memory.events" : "memory.oom_control", F_OK, 0) ==
			    0)
			return h;
	}
	return NULL;
}

/*
 * Whether the limit of a v1 counter was ever reached: it was in the way of a charge, or the highest usage is so near to it that not even a
 * batch of pages (64 of them) would have gone in. Not every kernel counts the former, 6.18 does not.
 */
static bool reached_v1(int dir, const char *counter, struct stat_value *ret_limit)
{
	uint64_t batch = 64 * (uint64_t)sysconf(_SC_PAGESIZE);
	struct stat_value failed, max;
	char name[64];

	snprintf(name, sizeof(name), "%s.limit_in_bytes", counter);
	if (!stat_file(dir, name, ret_limit))
		return false;
	snprintf(name, sizeof(name), "%s.failcnt", counter);
	if (stat_file(dir, name, &failed) && failed.value > 0)
		return true;
	snprintf(name, sizeof(name), "%s.max_usage_in_bytes", counter);
	return stat_file(dir, name, &max) && max.value + batch > ret_limit->value;
}

static void read_counts(int dir, bool v2, struct oom_counts *ret)
{
	static const struct stat_field events[] = {
		{"oom_kill", offsetof(struct oom_counts, kills), 1},
		{"oom", offsetof(struct oom_counts, all), 1},
	};
	static const struct stat_field local[] = {{"oom", offsetof(struct oom_counts, local), 1}};
	struct stat_value limit;

	*ret = (struct oom_counts){0};
	if (v2) {
		stat_keys(dir, "memory.events", events, ARRAY_LEN(events), ret);
		stat_keys(dir, "memory.events.local", local, ARRAY_LEN(local), ret);
		stat_file(dir, "memory.max", &ret->limit);
		return;
	}
	stat_keys(dir, "memory.oom_control", events, 1, ret);
	if (reached_v1(dir, "memory", &ret->limit))
		ret->local = (struct stat_value){.known = true, .value = 1};
	else if (reached_v1(dir, "memory.memsw", &limit))
		*ret = (struct oom_counts){.kills = ret->kills, .local = {true, 1}, .limit = limit};
	else
		ret->local = (struct stat_value){.known = ret->kills.known};
}

static int open_child(int dir, const char *name)
{
	return sys_openat(dir, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW, 0);
}

/* v1 counts each directory for itself: adds what those below DIR count. */
static void add_below(int dir, struct oom_counts *sum, unsigned depth)
{
	_cleanup_closedir_ DIR *d = NULL;
	int fd = open_child(dir, ".");
	struct dirent *e;

	if (fd >= 0)
		d = fdopendir(fd);
	if (fd >= 0 && !d)
		close(fd);
	while (d && depth < MAX_DEPTH && (e = readdir(d))) {
		_cleanup_close_ int child = FD_NONE;
		struct oom_counts counts;

		if (e->d_type != DT_DIR || str_eq(e->d_name, ".") || str_eq(e->d_name, ".."))
			continue;
		child = open_child(dir, e->d_name);
		if (child < 0)
			continue;
		read_counts(child, false, &counts);
		sum->kills.value += counts.kills.value;
		sum->all.value += counts.local.value;
		add_below(child, sum, depth + 1);
	}
}

/* The nearest cgroup above whose own limit was reached. */
static bool find_above(const struct cgroup *cg, const struct cg_hier *h, struct cgroup_oom *ret)
{
	char rel[CG_PATH_SIZE];

	for (size_t n = cg->depth; n-- > 0;) {
		_cleanup_close_ int dir = FD_NONE;
		struct oom_counts counts;

		cg_prefix(cg, n, rel);
		dir = open_child(h->root_fd, n ? rel : ".");
		if (dir < 0)
			continue;
		read_counts(dir, h->v2, &counts);
		if (!counts.local.known || counts.local.value == 0)
			continue;
		snprintf(ret->path, sizeof(ret->path), "/%s", rel);
		ret->limit = counts.limit;
		return true;
	}
	return false;
}

void cgroup_oom_read(const struct cgroup *cg, struct cgroup_oom *ret)
{
	const struct cg_hier *h = memory_hier(cg);
	struct oom_counts own;

	*ret = (struct cgroup_oom){.scope = OOM_NONE};
	if (!h)
		return;
	read_counts(h->dir_fd, h->v2, &own);
	if (!h->v2)
		add_below(h->dir_fd, &own, 0);
	ret->kills = own.kills.value;
	ret->likely = !h->v2;
	if (ret->kills == 0)
		return;
	if (!own.local.known) {
		ret->scope = OOM_UNKNOWN;
	} else if (own.local.value > 0) {
		ret->scope = OOM_OWN;
		snprintf(ret->path, sizeof(ret->path), "%s", cg->path);
		ret->limit = own.limit;
	} else if (own.all.value > own.local.value) {
		ret->scope = OOM_BELOW;
	} else {
		ret->scope = find_above(cg, h, ret) ? OOM_ABOVE : OOM_HOST;
	}
}

static uint64_t count_kills(int dir)
{
	struct oom_counts counts;

	read_counts(dir, true, &counts);
	return counts.kills.value;
}

/* v1: an eventfd that is told of each time the cgroup or one above it is out of memory. */
static int watch_v1(int dir, struct cgroup_oom_watch *w)
{
	char text[64];

	w->fd = sys_eventfd();
	if (w->fd < 0)
		return w->fd;
	w->control = sys_openat(dir, "memory.oom_control", O_RDONLY, 0);
	if (w->control < 0)
		return w->control;
	snprintf(text, sizeof(text), "%d %d", w->fd, w->control);
	return io_write_file_at(dir, "cgroup.event_control", text);
}

int cgroup_oom_watch(const struct cgroup *cg, struct cgroup_oom_watch *ret, struct crun_error *err)
{
	const struct cg_hier *h = memory_hier(cg);
	int r;

	*ret = (struct cgroup_oom_watch)CGROUP_OOM_WATCH_NONE;
	if (!h)
		return 0;
	if (h->v2) {
		ret->fd = sys_inotify_modify(h->dir_fd, "memory.events");
		ret->told = count_kills(h->dir_fd);
		r = ret->fd;
	} else {
		r = watch_v1(h->dir_fd, ret);
	}
	if (r >= 0)
		return 0;
	cgroup_oom_unwatch(ret);
	/* An ordinary user may read a v1 cgroup but not ask for its events; a realtime kernel has no such file. */
	if (r == -EACCES || r == -EPERM || r == -ENOENT) {
		log_warning("cgroup `%s%s`: lack of memory will not be told: %s", h->root, cg->path,
			    err_describe(-r));
		return 0;
	}
	return err_sys_code(err, CODE_CGROUP_READ, r, "watch cgroup `%s%s` for lack of memory",
			    h->root, cg->path);
}

uint64_t cgroup_oom_since(const struct cgroup *cg, struct cgroup_oom_watch *watch)
{
	const struct cg_hier *h = memory_hier(cg);
	uint64_t count = 0, since;
	char events[4096];

	if (watch->fd < 0)
		return 0;
	if (watch->control >= 0) {
		if (read(watch->fd, &count, sizeof(count)) != (ssize_t)sizeof(count))
			return 0;
		/* The removal of the cgroup is told the same way. */
		return h ? count : 0;
	}
	while (read(watch->fd, events, sizeof(events)) > 0)
		;
	if (!h)
		return 0;
	count = count_kills(h->dir_fd);
	since = count > watch->told ? count - watch->told : 0;
	watch->told += since;
	return since;
}

void cgroup_oom_unwatch(struct cgroup_oom_watch *watch)
{
	close_fd(&watch->fd);
	close_fd(&watch->control);
}
