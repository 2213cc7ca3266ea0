// SPDX-License-Identifier: Apache-2.0
// A process to try things in: see probe.h.
#include "spawn/probe.h"

#include "base/cleanup.h"
#include "sys/io.h"
#include "sys/mount.h"
#include "sys/pidfd.h"
#include "sys/process.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>

/* How long one that was sent SIGKILL may take to die: in uninterruptible sleep it does not, and is left behind. */
#define DEATH_MS 1000

struct outcome {
	bool done;
	int result;
	char text[PROBE_TEXT];
};

/* user_namespaces(7): an ordinary user maps itself, and only after giving up setgroups(2). */
static int map_self(uid_t uid, gid_t gid, char text[PROBE_TEXT])
{
	char line[32];
	int r = io_write_file_at(AT_FDCWD, "/proc/self/setgroups", "deny");

	if (r < 0) {
		snprintf(text, PROBE_TEXT, "write /proc/self/setgroups");
		return r;
	}
	snprintf(line, sizeof(line), "0 %u 1\n", gid);
	r = io_write_file_at(AT_FDCWD, "/proc/self/gid_map", line);
	if (r < 0) {
		snprintf(text, PROBE_TEXT, "write /proc/self/gid_map");
		return r;
	}
	snprintf(line, sizeof(line), "0 %u 1\n", uid);
	r = io_write_file_at(AT_FDCWD, "/proc/self/uid_map", line);
	if (r < 0)
		snprintf(text, PROBE_TEXT, "write /proc/self/uid_map");
	return r;
}

static int prepare(const struct probe *p, uid_t uid, gid_t gid, char text[PROBE_TEXT])
{
	int r = 0;

	if (p->flags & CLONE_NEWUSER)
		r = map_self(uid, gid, text);
	if (r >= 0 && (p->flags & CLONE_NEWNS)) {
		r = sys_mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL);
		if (r < 0)
			snprintf(text, PROBE_TEXT, "mount / as private");
	}
	return r;
}

/* PARENT: a handle of it, made before the child was, or a negative errno. In a new pid namespace getppid(2) says 0 whatever happens. */
static void __attribute__((noreturn))
child(const struct probe *p, uid_t uid, gid_t gid, int parent, struct outcome *shared)
{
	(void)sys_prctl(PR_SET_PDEATHSIG, SIGKILL, 0);
	/* One that died before sends no signal any more, and whatever hangs would hang for ever. */
	if (parent >= 0 && sys_pidfd_has_ended(parent))
		_exit(0);
	shared->result = prepare(p, uid, gid, shared->text);
	if (shared->result >= 0)
		shared->result = p->run(p->arg, shared->text);
	shared->done = true;
	_exit(0);
}

/* Returns how it ended, -ETIMEDOUT, or -errno. */
static int reap(pid_t pid, int64_t limit_ms)
{
	_cleanup_close_ int pidfd = sys_pidfd_open(pid);
	struct deadline d = deadline_in(limit_ms);
	int status = 0, r = pidfd < 0 ? 0 : sys_pidfd_wait(&d, pidfd), waited;

	if (r < 0) {
		(void)sys_pidfd_send_signal(pidfd, SIGKILL);
		d = deadline_in(DEATH_MS);
		(void)sys_pidfd_wait(&d, pidfd);
	}
	waited = sys_waitpid(pid, &status, r < 0 ? WNOHANG : 0);
	if (r < 0)
		return r;
	return waited < 0 ? waited : status;
}

int probe_run(const struct probe *p, char text[PROBE_TEXT])
{
	struct sys_clone_args args = {.flags = p->flags, .exit_signal = SIGCHLD};
	int64_t limit = p->limit_ms ? p->limit_ms : PROBE_LIMIT_MS;
	uid_t uid = geteuid();
	gid_t gid = getegid();
	_cleanup_close_ int self = sys_pidfd_open(getpid());
	struct outcome *shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE,
				      MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	pid_t pid;
	int r;

	text[0] = '\0';
	if (shared == MAP_FAILED)
		return -errno;
	if (p->cgroup_fd >= 0) {
		args.flags |= CLONE_INTO_CGROUP;
		args.cgroup = (unsigned)p->cgroup_fd;
	}
	pid = sys_clone3(&args);
	if (pid == 0)
		child(p, uid, gid, self, shared);
	r = pid < 0 ? pid : reap(pid, limit);
	if (pid < 0) {
		snprintf(text, PROBE_TEXT, "clone3");
	} else if (r == -ETIMEDOUT) {
		snprintf(text, PROBE_TEXT, "no answer within %d ms", (int)limit);
	} else if (r >= 0 && shared->done) {
		r = shared->result;
		snprintf(text, PROBE_TEXT, "%s", shared->text);
	} else if (r >= 0) {
		snprintf(text, PROBE_TEXT, "killed by signal %d", WTERMSIG(r));
		r = -ECHILD;
	}
	munmap(shared, sizeof(*shared));
	return r;
}
