// SPDX-License-Identifier: Apache-2.0
// crun ps: the processes of a container. What a stopped one left behind is listed, too.
#include "host/ps.h"

#include "base/str.h"
#include "cgroup/cgroup.h"
#include "sys/file.h"

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>

static void pids_done(struct ps_pids *pids)
{
	free(pids->pids);
	*pids = (struct ps_pids){0};
}

static int compare(const void *a, const void *b)
{
	const pid_t *x = a, *y = b;

	return (*x > *y) - (*x < *y);
}

/* A process that moved while the tree was read can be there twice. */
static void sort_unique(struct ps_pids *pids)
{
	size_t n = 0;

	if (pids->len == 0)
		return;
	qsort(pids->pids, pids->len, sizeof(pid_t), compare);
	for (size_t i = 1; i < pids->len; i++) {
		if (pids->pids[i] != pids->pids[n])
			pids->pids[++n] = pids->pids[i];
	}
	pids->len = n + 1;
}

static int add(struct ps_pids *pids, pid_t pid)
{
	pid_t *grown = reallocarray(pids->pids, pids->len + 1, sizeof(pid_t));

	if (!grown)
		return -ENOMEM;
	pids->pids = grown;
	pids->pids[pids->len++] = pid;
	return 0;
}

static bool pid_namespace(pid_t pid, char *buf, size_t size)
{
	char path[32];

	snprintf(path, sizeof(path), "/proc/%d/ns/pid", (int)pid);
	return sys_readlinkat(AT_FDCWD, path, buf, size) > 0;
}

/* The others of a pid namespace that is the container's own. Links that we may not read are not ours either. */
static int add_pid_namespace(struct ps_pids *pids, pid_t init)
{
	_cleanup_closedir_ DIR *proc = opendir("/proc");
	char ours[64], theirs[64];
	struct dirent *e;
	int r = 0;

	if (!proc || !pid_namespace(init, ours, sizeof(ours)))
		return 0;
	while (r >= 0 && (e = readdir(proc))) {
		uint64_t pid;

		if (str_to_u64(e->d_name, INT32_MAX, &pid) < 0 || (pid_t)pid == init ||
		    !pid_namespace((pid_t)pid, theirs, sizeof(theirs)) || !str_eq(ours, theirs))
			continue;
		r = add(pids, (pid_t)pid);
	}
	return r;
}

static int without_cgroup(const struct container *c, struct ps_pids *ret)
{
	int r;

	if (c->pidfd < 0)
		return 0;
	r = add(ret, c->record->pid);
	if (r == 0 && c->record->has_private_pid)
		r = add_pid_namespace(ret, c->record->pid);
	return r;
}

/* Those in its cgroup and below; without a cgroup of its own those of its pid namespace, or else init alone. None is not an error. */
static int collect(const struct container *c, struct ps_pids *ret, struct crun_error *err)
{
	struct cgroup *cg = NULL;
	int r = cgroup_open(c->record, &cg, err);

	if (r < 0)
		return r;
	if (cgroup_exists(cg)) {
		r = cgroup_pids(cg, &ret->pids, &ret->len, err);
	} else {
		r = without_cgroup(c, ret);
		if (r < 0)
			err_sys(err, r, "processes of container `%s`", c->dir.id);
	}
	cgroup_free(cg);
	if (r >= 0)
		sort_unique(ret);
	return r;
}

static int write_json(const struct ps_pids *pids, FILE *out, struct crun_error *err)
{
	_cleanup_(oci_json_free) struct oci_json json = {.pretty = true};
	int r;

	oci_json_begin_array(&json);
	for (size_t i = 0; i < pids->len; i++)
		oci_json_int(&json, pids->pids[i]);
	oci_json_end_array(&json);
	r = oci_json_finish(&json);
	if (r < 0)
		return err_sys(err, r, "list of processes");
	return write_output(out, json.data, json.len, "the list of processes", err);
}

static int write_table(const struct ps_pids *pids, char *const *ps_args, FILE *out,
		       struct crun_error *err)
{
	_cleanup_buf_ struct buf text = {0};
	int r = 0;

	if (ps_args && ps_args[0])
		r = ps_program(pids, ps_args, &text, err);
	else
		ps_table(pids, &text);
	if (r < 0)
		return r;
	if (text.failed)
		return err_sys(err, -ENOMEM, "list of processes");
	return write_output(out, text.data, text.len, "the list of processes", err);
}

int libcrun_ps(const struct libcrun_context *ctx, const char *id, enum libcrun_ps_format format,
	       char *const *ps_args, FILE *out, struct crun_error *err)
{
	_cleanup_container_ struct container c = CONTAINER_EMPTY;
	_cleanup_(pids_done) struct ps_pids pids = {0};
	int r = container_open(ctx, id, &c, err);

	if (r < 0)
		return r;
	r = collect(&c, &pids, err);
	if (r < 0)
		return r;
	if (format == LIBCRUN_PS_JSON)
		return write_json(&pids, out, err);
	return write_table(&pids, ps_args, out, err);
}
