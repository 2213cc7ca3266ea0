// SPDX-License-Identifier: Apache-2.0
// Freezing the container and letting it go on.
#include "cgroup/internal.h"

#include "base/str.h"
#include "sys/file.h"
#include "sys/io.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Without --timeout: how long the kernel may take to freeze all processes, or to let them go on. */
#define FREEZE_MS 10000
/* The longest pause between two looks at a v1 freezer, which notifies nobody. */
#define V1_PAUSE_MAX_MS 32

/* The v1 freezer, wherever it is mounted, and every v2 directory but a root can freeze. */
static const char *freeze_file(const struct cg_hier *h)
{
	return h->v2 ? "cgroup.freeze" : "freezer.state";
}

/*
 * Whether the directory itself was frozen, not one above it: 1, 0, or -errno. A directory that is gone, or a kernel without freezer, has
 * nothing frozen.
 */
static int self_frozen(int fd, bool v2)
{
	char text[64];
	_cleanup_close_ int file = FD_NONE;
	ssize_t n;

	if (fd < 0)
		return 0;
	file = sys_openat(fd, v2 ? "cgroup.freeze" : "freezer.self_freezing", O_RDONLY, 0);
	n = file < 0 ? file : io_read_start(file, text, sizeof(text));
	if (cg_is_gone((int)n))
		return 0;
	return n < 0 ? (int)n : n > 0 && text[0] == '1';
}

int cgroup_is_frozen(struct cgroup *cg, bool *ret, struct crun_error *err)
{
	*ret = false;
	for (size_t i = 0; i < cg->hier_len; i++) {
		int r = self_frozen(cg->hier[i].dir_fd, cg->hier[i].v2);

		if (r < 0)
			return err_sys_code(err, CODE_CGROUP_READ, r,
					    "read the freezer state of cgroup `%s%s`",
					    cg->hier[i].root, cg->path);
		*ret |= r > 0;
	}
	return 0;
}

int cgroup_look_frozen(const struct oci_record *record, bool *ret, struct crun_error *err)
{
	struct cgroup *cg = NULL;
	int r = cg_open_record(record, &cg, err);

	if (r < 0)
		return r;
	r = cgroup_is_frozen(cg, ret, err);
	cgroup_free(cg);
	return r;
}

int cgroup_thaw(struct cgroup *cg, struct crun_error *err)
{
	/* The reverse of cgroup_freeze: v1 first. */
	for (int v2 = 0; v2 <= 1; v2++) {
		for (size_t i = 0; i < cg->hier_len; i++) {
			const struct cg_hier *h = &cg->hier[i];
			int r;

			if (h->v2 != v2 || !h->leaf_made)
				continue;
			r = self_frozen(h->dir_fd, h->v2);
			if (r == -EACCES && cg_take_back(h->dir_fd) >= 0)
				r = self_frozen(h->dir_fd, h->v2);
			if (r > 0)
				r = io_write_file_at(h->dir_fd, freeze_file(h),
						     h->v2 ? "0" : "THAWED");
			if (r < 0 && !cg_is_gone(r))
				return err_sys(err, r, "thaw cgroup `%s%s`", h->root, cg->path);
		}
	}
	return 0;
}

static int thaw_one(int fd, void *data)
{
	int r = self_frozen(fd, false);

	(void)data;
	/* What fails here shows in a process that does not die. */
	if (r > 0)
		r = io_write_file_at(fd, "freezer.state", "THAWED");
	return r < 0 ? 0 : r;
}

int cgroup_thaw_to_die(struct cgroup *cg, struct crun_error *err)
{
	int r = cgroup_thaw(cg, err);

	for (size_t i = 0; i < cg->hier_len; i++) {
		const struct cg_hier *h = &cg->hier[i];

		if (!h->v2 && h->leaf_made && faccessat(h->dir_fd, "freezer.state", F_OK, 0) == 0)
			cg_walk(h->dir_fd, thaw_one, NULL);
	}
	return r;
}

/* v2: cgroup.events says "frozen 0" or "frozen 1" of all that is below, and the kernel notifies of a change. */
static int wait_v2(int dir_fd, const char *line, const struct deadline *deadline)
{
	_cleanup_close_ int fd = sys_openat(dir_fd, "cgroup.events", O_RDONLY, 0);
	char text[256];

	if (fd < 0)
		return fd;
	for (;;) {
		struct pollfd p = {.fd = fd, .events = POLLPRI};
		ssize_t n = io_read_start(fd, text, sizeof(text) - 1);
		int r;

		if (n < 0)
			return (int)n;
		text[n] = '\0';
		if (strstr(text, line))
			return 0;
		r = deadline_poll(deadline, &p, 1);
		if (r < 0)
			return r;
	}
}

/* A task that was forked or woken meanwhile is missed by the kernel until FROZEN is written again. */
static int freeze_v1(int dir_fd, const struct deadline *deadline)
{
	char text[64];
	int pause = 1;

	for (;;) {
		int r = io_write_file_at(dir_fd, "freezer.state", "FROZEN");

		if (r >= 0)
			r = io_read_file_at(dir_fd, "freezer.state", text, sizeof(text));
		if (r < 0)
			return r;
		if (str_eq(text, "FROZEN"))
			return 0;
		r = deadline_pause(deadline, pause);
		if (r < 0)
			return r;
		pause = pause * 2 > V1_PAUSE_MAX_MS ? V1_PAUSE_MAX_MS : pause * 2;
	}
}

/* WAIT: unless the processes stand still already and so can never report to v2. */
static int freeze_v2(int dir_fd, bool wait, const struct deadline *deadline)
{
	int r = io_write_file_at(dir_fd, "cgroup.freeze", "1");

	return r < 0 || !wait ? r : wait_v2(dir_fd, "frozen 1", deadline);
}

/* Hybrid: somebody has frozen a v1 cgroup above ours. */
static bool v1_frozen(const struct cgroup *cg)
{
	char text[64];

	for (size_t i = 0; i < cg->hier_len; i++) {
		const struct cg_hier *h = &cg->hier[i];

		if (!h->v2 && h->dir_fd >= 0 &&
		    io_read_file_at(h->dir_fd, "freezer.parent_freezing", text, sizeof(text)) >= 0)
			return str_eq(text, "1");
	}
	return false;
}

/* The name and the state letter of a process; false when it is gone. */
static bool describe_process(pid_t pid, char comm[32], char *state)
{
	char path[32], text[512];
	char *open, *close;

	snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
	if (io_read_file_at(AT_FDCWD, path, text, sizeof(text)) < 0)
		return false;
	open = strchr(text, '(');
	close = strrchr(text, ')');
	if (!open || !close || close < open || close[1] != ' ')
		return false;
	*close = '\0';
	snprintf(comm, 32, "%s", open + 1);
	/* Any byte but NUL: the container chose it. */
	for (char *c = comm; *c; c++)
		*c = *c < ' ' || *c > '~' ? '?' : *c;
	*state = close[2];
	return true;
}

/* A process that waits for something that cannot be interrupted is what keeps a cgroup from freezing; one at work was not seen in time. */
static void name_culprit(int dir_fd, char *buf, size_t size)
{
	struct cg_pids pids = {0};
	char comm[32], state;

	buf[0] = '\0';
	if (cg_read_pids(dir_fd, &pids) < 0)
		pids.len = 0;
	for (size_t i = 0; i < pids.len; i++) {
		if (!describe_process(pids.pids[i], comm, &state) || !strchr("DR", state))
			continue;
		snprintf(buf, size, ": process %d (%s) is in state %c", (int)pids.pids[i], comm,
			 state);
		break;
	}
	free(pids.pids);
}

static int not_frozen(struct cgroup *cg, const struct cg_hier *h, int r,
		      const struct deadline *deadline, struct crun_error *err)
{
	char culprit[128];

	if (r != -ETIMEDOUT)
		return deadline_err(deadline, r, err, "freeze cgroup `%s%s`", h->root, cg->path);
	name_culprit(h->dir_fd, culprit, sizeof(culprit));
	return err_set(err, CODE_FREEZE_TIMEOUT, ETIMEDOUT,
		       "cgroup `%s%s` did not freeze within %lld ms%s; it was thawed again",
		       h->root, cg->path, (long long)deadline->limit, culprit);
}

static bool is_own_cgroup(const struct cgroup *cg)
{
	bool found = false;

	for (size_t i = 0; i < cg->hier_len && !found; i++) {
		struct cg_pids pids = {0};

		if (cg->hier[i].dir_fd >= 0 && cg_read_pids(cg->hier[i].dir_fd, &pids) >= 0) {
			for (size_t k = 0; k < pids.len; k++)
				found |= pids.pids[k] == getpid();
		}
		free(pids.pids);
	}
	return found;
}

static int freeze_each(struct cgroup *cg, const struct deadline *deadline, size_t *ret_frozen,
		       struct crun_error *err)
{
	bool held = v1_frozen(cg);

	/* v2 first: a task in the v1 refrigerator never gets to where v2 would count it, but the reverse works. */
	for (int v2 = 1; v2 >= 0; v2--) {
		for (size_t i = 0; i < cg->hier_len; i++) {
			const struct cg_hier *h = &cg->hier[i];
			int r;

			if (h->v2 != v2 || h->dir_fd < 0 || !h->leaf_made)
				continue;
			r = h->v2 ? freeze_v2(h->dir_fd, !held, deadline)
				  : freeze_v1(h->dir_fd, deadline);
			if (r == -ENOENT)
				continue; /* another controller, or no freezer in this kernel */
			if (r < 0)
				return not_frozen(cg, h, r, deadline, err);
			(*ret_frozen)++;
		}
	}
	return 0;
}

int cgroup_freeze(struct cgroup *cg, struct crun_error *err)
{
	struct deadline deadline = deadline_or(cg->deadline, FREEZE_MS);
	size_t frozen = 0;
	int r;

	if (is_own_cgroup(cg))
		return err_set(err, KIND_STATE, EDEADLK,
			       "this process is in cgroup `%s` itself: frozen it could not report",
			       cg->path);
	r = freeze_each(cg, &deadline, &frozen, err);
	if (r < 0) {
		if (cgroup_thaw(cg, ERR_IGNORED) < 0)
			err_in(err, "left frozen");
		return r;
	}
	if (frozen == 0)
		return err_set(
			err, CODE_FREEZER, EOPNOTSUPP,
			"cgroup `%s` has no freezer: neither cgroup v2 (Linux 5.2) nor the v1 "
			"controller `freezer` is there",
			cg->path ? cg->path : "");
	return 0;
}

/* The nearest directory above the container's that is frozen itself: the number of its components, or -1. */
static int frozen_above(const struct cgroup *cg, const struct cg_hier *h)
{
	char rel[CG_PATH_SIZE];

	for (size_t n = cg->depth; n-- > 0;) {
		_cleanup_close_ int fd = FD_NONE;

		cg_prefix(cg, n, rel);
		fd = sys_openat(h->root_fd, n ? rel : ".", O_RDONLY | O_DIRECTORY, 0);
		if (self_frozen(fd, h->v2) > 0)
			return (int)n;
	}
	return -1;
}

int cgroup_resume(struct cgroup *cg, struct crun_error *err)
{
	struct deadline deadline = deadline_or(cg->deadline, FREEZE_MS);
	int r = cgroup_thaw(cg, err);

	for (size_t i = 0; r >= 0 && i < cg->hier_len; i++) {
		const struct cg_hier *h = &cg->hier[i];
		char rel[CG_PATH_SIZE];
		int above;

		if (h->dir_fd < 0)
			continue;
		above = frozen_above(cg, h);
		if (above >= 0) {
			cg_prefix(cg, (size_t)above, rel);
			return err_set(err, CODE_CGROUP_FROZEN, EBUSY,
				       "cgroup `%s%s` is thawed, but stays frozen because cgroup "
				       "`%s/%s` above it is",
				       h->root, cg->path, h->root, rel);
		}
		r = h->v2 ? wait_v2(h->dir_fd, "frozen 0", &deadline) : 0;
		if (r < 0 && !cg_is_gone(r))
			return deadline_err(&deadline, r, err, "letting cgroup `%s%s` go on",
					    h->root, cg->path);
		r = 0;
	}
	return r;
}

void cgroup_leave_frozen(const struct cgroup *cg, pid_t pid)
{
	char text[16];

	snprintf(text, sizeof(text), "%d", (int)pid);
	for (size_t i = 0; i < cg->hier_len; i++) {
		const struct cg_hier *h = &cg->hier[i];

		if (!h->v2 && (h->controllers & CG_BIT(CG_FREEZER)))
			(void)io_write_file_at(h->root_fd, "cgroup.procs", text);
	}
}
