// SPDX-License-Identifier: Apache-2.0
// The processes below the container's directories: listing, signalling, killing.
#include "cgroup/internal.h"

#include "base/log.h"
#include "sys/file.h"
#include "sys/io.h"
#include "sys/pidfd.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* Looks for processes that were forked while the others were signalled. */
#define SIGNAL_ROUNDS 100

static int add_pid(struct cg_pids *pids, pid_t pid)
{
	if (pids->len == pids->cap) {
		size_t cap = pids->cap ? 2 * pids->cap : 64;
		pid_t *p = reallocarray(pids->pids, cap, sizeof(pid_t));

		if (!p)
			return -ENOMEM;
		pids->pids = p;
		pids->cap = cap;
	}
	pids->pids[pids->len++] = pid;
	return 0;
}

static int read_procs(int dirfd, struct cg_pids *pids)
{
	_cleanup_close_ int fd = sys_openat(dirfd, "cgroup.procs", O_RDONLY, 0);
	char text[4096];
	int64_t pid = -1;
	int r = 0;

	if (fd < 0)
		return fd;
	for (;;) {
		ssize_t n = io_read_full(fd, text, sizeof(text));

		if (n <= 0)
			return (int)n;
		for (ssize_t i = 0; r >= 0 && i < n; i++) {
			if (text[i] >= '0' && text[i] <= '9') {
				if (pid <= INT32_MAX) /* what is beyond is nobody's */
					pid = (pid < 0 ? 0 : pid * 10) + (text[i] - '0');
				continue;
			}
			if (pid > 0 && pid <= INT32_MAX)
				r = add_pid(pids, (pid_t)pid);
			pid = -1;
		}
		if (r < 0)
			return r;
	}
}

static int visit(int fd, void *data)
{
	int r = read_procs(fd, data);

	/* Threaded: then the processes are listed in the domain above it. */
	return r == -EOPNOTSUPP ? 0 : r;
}

int cg_read_pids(int fd, struct cg_pids *ret)
{
	return cg_walk(fd, visit, ret);
}

/*
 * The directory in which the container's processes are best counted, or FD_NONE. Signals only go where all processes are the container's:
 * a directory of somebody else's may have got others meanwhile.
 */
static int procs_fd(const struct cgroup *cg, bool with_used)
{
	int fd = FD_NONE;

	for (size_t i = 0; i < cg->hier_len; i++) {
		const struct cg_hier *h = &cg->hier[i];

		if (h->dir_fd < 0 || !(h->leaf_made || (with_used && h->used)))
			continue;
		if (h->v2)
			return h->dir_fd;
		if (fd < 0 || (h->controllers & (CG_BIT(CG_FREEZER) | CG_BIT(CG_PIDS))))
			fd = h->dir_fd;
	}
	return fd;
}

int cgroup_pids(struct cgroup *cg, pid_t **ret, size_t *ret_len, struct crun_error *err)
{
	struct cg_pids pids = {0};
	int fd = procs_fd(cg, true);
	int r = fd < 0 ? 0 : cg_read_pids(fd, &pids);

	if (r < 0) {
		free(pids.pids);
		return err_sys_code(err, CODE_CGROUP_READ, r, "read the processes of cgroup `%s`",
				    cg->path);
	}
	*ret = pids.pids;
	*ret_len = pids.len;
	return 0;
}

static bool has_pid(const struct cg_pids *pids, pid_t pid)
{
	for (size_t i = 0; i < pids->len; i++) {
		if (pids->pids[i] == pid)
			return true;
	}
	return false;
}

struct batch {
	int pidfds[64];
	pid_t pids[64];
	size_t len;
};

/*
 * A pid may have been reused between the look at the list and pidfd_open: a process is signalled through its pidfd, and only when its pid
 * is still listed now.
 */
static int signal_batch(int dirfd, int sig, struct batch *b, struct cg_pids *done)
{
	struct cg_pids now = {0};
	int r = b->len ? cg_read_pids(dirfd, &now) : 0, first = 0;

	for (size_t i = 0; i < b->len; i++) {
		if (r >= 0 && has_pid(&now, b->pids[i])) {
			int sent = sys_pidfd_send_signal(b->pidfds[i], sig);

			/* A security module may protect some and not others: those are not to be spared. */
			if (sent < 0 && sent != -ESRCH && first == 0)
				first = sent;
			r = add_pid(done, b->pids[i]);
		}
		close_fd(&b->pidfds[i]);
	}
	b->len = 0;
	free(now.pids);
	return r < 0 ? r : first;
}

/* Signals the processes of the directory that DONE does not list; it gets them. */
static int signal_once(int dirfd, int sig, struct cg_pids *done)
{
	struct cg_pids pids = {0};
	struct batch b = {.len = 0};
	int r = cg_read_pids(dirfd, &pids), last;

	for (size_t i = 0; i < pids.len; i++) {
		int pidfd;

		if (pids.pids[i] == getpid() || has_pid(done, pids.pids[i]))
			continue;
		pidfd = sys_pidfd_open(pids.pids[i]);
		if (pidfd < 0)
			continue;
		b.pids[b.len] = pids.pids[i];
		b.pidfds[b.len++] = pidfd;
		if (b.len == ARRAY_LEN(b.pids)) {
			last = signal_batch(dirfd, sig, &b, done);
			r = r < 0 ? r : last;
		}
	}
	last = signal_batch(dirfd, sig, &b, done);
	free(pids.pids);
	return r < 0 ? r : last;
}

/* cgroup.kill: 5.14, and atomic against fork. 1 when it was done. */
static int kill_at_once(const struct cg_hier *h)
{
	int r = h->v2 ? io_write_file_at(h->dir_fd, "cgroup.kill", "1") : -ENOENT;

	if (r == -EACCES && cg_take_back(h->dir_fd) >= 0)
		r = io_write_file_at(h->dir_fd, "cgroup.kill", "1");
	if (r >= 0)
		return 1;
	return r == -ENOENT || r == -EOPNOTSUPP ? 0 : r;
}

/* Signals until a look finds no process that was not signalled: new ones may be forked meanwhile. */
static int signal_dir(const struct cg_hier *h, int sig)
{
	struct cg_pids done = {0};
	int r = 0;

	for (int i = 0; i < SIGNAL_ROUNDS; i++) {
		size_t before = done.len;
		int once = signal_once(h->dir_fd, sig, &done);

		r = r < 0 ? r : once;
		if (done.len == before)
			break;
	}
	free(done.pids);
	return r;
}

int cgroup_signal(struct cgroup *cg, int sig, struct crun_error *err)
{
	const struct cg_hier *best = NULL;
	int fd = procs_fd(cg, false), r = 0;

	for (size_t i = 0; i < cg->hier_len; i++) {
		if (fd >= 0 && cg->hier[i].dir_fd == fd)
			best = &cg->hier[i];
	}
	if (!best)
		return 0;
	if (sig == SIGKILL)
		r = kill_at_once(best);
	if (r == 0)
		r = signal_dir(best, sig);
	if (r < 0 && r != -ENODEV && r != -ENOENT)
		return err_sys_code(err, CODE_SIGNAL_REFUSED, r, "signal %d to cgroup `%s%s`", sig,
				    best->root, cg->path);
	return sig == SIGKILL ? cgroup_thaw_to_die(cg, err) : 0;
}

/* v2: the kernel notifies cgroup.events when the last process below is gone. */
static int wait_populated(int dirfd, const struct deadline *d)
{
	_cleanup_close_ int fd = sys_openat(dirfd, "cgroup.events", O_RDONLY, 0);
	char text[256];

	if (fd == -EACCES && cg_take_back(dirfd) >= 0)
		fd = sys_openat(dirfd, "cgroup.events", O_RDONLY, 0);
	if (fd < 0)
		return fd == -ENOENT ? 0 : fd;
	for (;;) {
		struct pollfd p = {.fd = fd, .events = POLLPRI};
		ssize_t n = io_read_start(fd, text, sizeof(text) - 1);
		int r;

		if (n < 0)
			return n == -ENODEV ? 0 : (int)n;
		text[n] = '\0';
		if (strstr(text, "populated 0"))
			return 0;
		r = deadline_poll(d, &p, 1);
		if (r < 0)
			return r;
	}
}

/* Waits for the end of each process; *ret_others is how many there were besides ourselves. */
static int wait_pids(const struct cg_pids *pids, const struct deadline *d, size_t *ret_others)
{
	*ret_others = 0;
	for (size_t i = 0; i < pids->len; i++) {
		_cleanup_close_ int pidfd = FD_NONE;
		int r;

		if (pids->pids[i] == getpid())
			continue;
		(*ret_others)++;
		pidfd = sys_pidfd_open(pids->pids[i]);
		r = pidfd < 0 ? 0 : sys_pidfd_wait(d, pidfd);
		if (r == -ETIMEDOUT || r == -ECANCELED)
			return r;
	}
	return 0;
}

/* v1: kills what is listed and waits for each through its pidfd, until nothing is listed. */
static int kill_listed(int dirfd, const struct deadline *d)
{
	for (;;) {
		struct cg_pids pids = {0}, done = {0};
		size_t others = 0;
		int r = cg_read_pids(dirfd, &pids);

		if (r >= 0)
			r = signal_once(dirfd, SIGKILL, &done);
		if (r >= 0)
			r = wait_pids(&pids, d, &others);
		free(pids.pids);
		free(done.pids);
		if (r < 0 || !others)
			return r;
		r = deadline_check(d);
		if (r < 0)
			return r;
	}
}

int cg_kill_dir(const struct cg_hier *h, const struct deadline *d)
{
	int r = kill_at_once(h);

	if (r == 0)
		r = kill_listed(h->dir_fd, d);
	if (r == -ENODEV || r == -ENOENT)
		return 0;
	if (r < 0)
		return r;
	return h->v2 ? wait_populated(h->dir_fd, d) : 0;
}
