// SPDX-License-Identifier: Apache-2.0
// The journal of an update: see changes.h.
#include "cgroup/changes.h"

#include "base/cleanup.h"
#include "base/str.h"
#include "spawn/writer.h"
#include "sys/io.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* Files with a line per device and without one that has the default value: what is written to return to that. */
static const struct {
	const char *file, *words;
} line_defaults[] = {
	{"io.max", " rbps=max wbps=max riops=max wiops=max"},
	{"io.latency", " target=0"},
	{"io.weight", " default"},
	{"io.bfq.weight", " default"},
	{"blkio.weight_device", " 0"},
	{"blkio.leaf_weight_device", " 0"},
	{"blkio.bfq.weight_device", " default"},
	{"blkio.throttle.read_bps_device", " 0"},
	{"blkio.throttle.write_bps_device", " 0"},
	{"blkio.throttle.read_iops_device", " 0"},
	{"blkio.throttle.write_iops_device", " 0"},
	{"rdma.max", " hca_handle=max hca_object=max"},
};

/* The length of the name that VALUE begins with ("8:0 1000", "mlx5_0 hca_handle=2"), 0 for a plain setting ("max 100000"). */
static size_t name_length(const char *value)
{
	size_t n = strcspn(value, " ");

	if (!value[n] || (n == 3 && strncmp(value, "max", 3) == 0))
		return 0;
	if (memchr(value, ':', n) || isalpha((unsigned char)value[0]))
		return n;
	return 0;
}

/* The line of TEXT that begins with the N bytes of NAME as a word; *ret_len is its length. */
static const char *find_line(const char *text, const char *name, size_t n, size_t *ret_len)
{
	while (*text) {
		size_t len = strcspn(text, "\n");

		if (len >= n && strncmp(text, name, n) == 0 && (len == n || text[n] == ' ')) {
			*ret_len = len;
			return text;
		}
		text += len + (text[len] == '\n');
	}
	return NULL;
}

static char *default_line(const char *file, const char *name, size_t n)
{
	for (size_t i = 0; i < ARRAY_LEN(line_defaults); i++) {
		if (str_eq(line_defaults[i].file, file))
			return str_printf("%.*s%s", (int)n, name, line_defaults[i].words);
	}
	return NULL;
}

int cg_changes_pick(const char *file, const char *text, const char *value, char **ret)
{
	size_t n = name_length(value), len = strcspn(text, "\n");
	const char *line = text;

	*ret = NULL;
	if (n) {
		line = find_line(text, value, n, &len);
		if (!line) {
			*ret = default_line(file, value, n);
			return 0;
		}
	} else if (str_eq(file, "memory.oom_control")) {
		/* "oom_kill_disable 0" is read, "0" written. */
		const char *blank = memchr(line, ' ', len);

		if (blank) {
			len -= (size_t)(blank + 1 - line);
			line = blank + 1;
		}
	}
	*ret = strndup(line, len);
	return *ret ? 0 : -ENOMEM;
}

/* Whole files: a line for each of hundreds of devices. */
static char *read_text(const struct cg_dir *dir, const char *file)
{
	const size_t size = 64 * 1024;
	char *text = malloc(size);

	if (text && io_read_file_at(dir->fd, file, text, size) >= 0)
		return text;
	free(text);
	return NULL;
}

static char *read_setting(const struct cg_dir *dir, const char *file, const char *value)
{
	_cleanup_free_ char *text = read_text(dir, file);
	char *setting = NULL;

	if (text && cg_changes_pick(file, text, value, &setting) < 0)
		return NULL;
	return setting;
}

static int no_file(const struct cg_dir *dir, const char *file, const char *at,
		   struct crun_error *err)
{
	/* Not ENOENT's own words: engines take them for a missing command. */
	err_set(err, CODE_CGROUP_FEATURE, EOPNOTSUPP,
		"cgroup file `%s/%s` does not exist: this kernel was built or booted without it",
		dir->path, file);
	err_at(err, "/linux/resources/%s", at);
	return cg_changes_unsupported(dir->changes, at, err);
}

static int failed(const struct cg_dir *dir, const char *at, const char *path, const char *before,
		  struct crun_error *err)
{
	if (update_report_add(dir->changes->report, at, UPDATE_FAILED, path, before, NULL,
			      err->text) < 0)
		return -err->errnum;
	return err_at(err, "/linux/resources/%s", at);
}

/* mm/memcontrol.c: a limit below the usage is written only after memory was taken back. kernel/cgroup/cpuset.c: all memory moves to the new nodes. */
bool cg_write_is_slow(const char *file)
{
	static const char *const files[] = {
		"memory.max",
		"memory.high",
		"memory.limit_in_bytes",
		"memory.memsw.limit_in_bytes",
		"cpuset.mems",
	};

	for (size_t i = 0; i < ARRAY_LEN(files); i++) {
		if (str_eq(files[i], file))
			return true;
	}
	return false;
}

/* The kernel takes a limit first and makes it true then (memory_max_write), so that the former one has to be put back. */
static int given_up(const struct cg_dir *dir, const char *file, const char *at, const char *before,
		    int reason, struct crun_error *err)
{
	int r = deadline_err(dir->changes->deadline, reason, err, "updating cgroup `%s`, file `%s`",
			     dir->path, file);

	r = failed(dir, at, file, before, err) < 0 ? -err->errnum : r;
	if (cg_changes_note(dir->changes, dir, file, before) < 0)
		err_and(err, "`%s/%s` may keep the new value", dir->path, file);
	return r;
}

/* What cannot be noted cannot be undone later. */
static int note(const struct cg_dir *dir, const char *file, const char *before, const char *path,
		struct crun_error *err)
{
	int r = cg_changes_note(dir->changes, dir, file, before);

	if (r == 0)
		return 0;
	err_sys_code(err, CODE_LIMIT_REFUSED, r, "update `%s`", path);
	if (cg_changes_put_back(dir->changes, dir->fd, file, before) < 0)
		cg_changes_kept(path, err);
	return r;
}

int cg_changes_write(const struct cg_dir *dir, const char *file, const char *value, const char *at,
		     struct crun_error *err)
{
	struct cg_changes *c = dir->changes;
	_cleanup_free_ char *path = NULL, *before = NULL, *after = NULL;
	bool same;
	int r;

	if (!cg_has_file(dir, file))
		return no_file(dir, file, at, err);
	if (c->checking)
		return 0;
	/* Most writes do not wait; in between we may be told to give up. */
	r = deadline_check(c->deadline);
	if (r < 0)
		return deadline_err(c->deadline, r, err, "updating cgroup `%s`", dir->path);
	path = str_printf("%s/%s", dir->path, file);
	before = read_setting(dir, file, value);
	if (!path)
		return err_sys(err, -ENOMEM, "update `%s`", file);
	same = before && str_eq(before, value);
	if (!same) {
		r = cg_write_is_slow(file) ? spawn_write_at(dir->fd, file, value, c->deadline)
					   : io_write_file_at(dir->fd, file, value);
		if (r == -ETIMEDOUT || r == -ECANCELED)
			return given_up(dir, file, at, before, r, err);
		if (r < 0) {
			err_sys_code(err, CODE_LIMIT_REFUSED, r, "write `%s` to `%s`", value, path);
			return failed(dir, at, path, before, err);
		}
		after = read_setting(dir, file, value);
		same = before && after && str_eq(before, after);
	}
	r = same ? 0 : note(dir, file, before, path, err);
	if (r < 0)
		return r;
	/* A kernel may round what it is given: what it says counts. */
	r = update_report_add(c->report, at, same ? UPDATE_UNCHANGED : UPDATE_APPLIED, path, before,
			      same ? before : after, NULL);
	return r < 0 ? err_sys_code(err, CODE_LIMIT_REFUSED, r, "update `%s`", path) : 0;
}

int cg_changes_also(struct cg_changes *c, const char *at, const char *like, struct crun_error *err)
{
	for (size_t i = 0; i < c->report->len; i++) {
		const struct update_entry *e = &c->report->items[i];

		if (str_eq(e->key + 1, like) &&
		    update_report_add(c->report, at, e->verdict, e->file, e->before, e->after,
				      e->reason) < 0)
			return err_sys(err, -ENOMEM, "update `%s`", at);
	}
	return 0;
}

int cg_changes_unsupported(struct cg_changes *c, const char *at, struct crun_error *err)
{
	int r = update_report_add(c->report, at, UPDATE_UNSUPPORTED, NULL, NULL, NULL, err->text);

	if (r < 0)
		return err_sys_code(err, CODE_LIMIT_REFUSED, r, "update `%s`", at);
	if (!c->checking)
		return -err->errnum;
	if (!c->first.kind)
		c->first = *err;
	return 0;
}
