// SPDX-License-Identifier: Apache-2.0
// The self-audit's part about the process itself: see audit.h.
#include "init/last/audit.h"

#include "base/cleanup.h"
#include "fs/label.h"
#include "init/last/filtered.h"
#include "init/last/phase.h"
#include "sys/cred.h"
#include "sys/file.h"
#include "sys/keyring.h"
#include "sys/process.h"
#include "sys/ret.h"

#include <errno.h>
#include <limits.h>
#include <linux/capability.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

/* What somebody may have left open is looked for up to here, above FDS_ASKED so many numbers at a time. */
#define FDS_LOOKED_AT	  65536
#define FDS_ASKED	  1024
#define FDS_AT_ONCE	  1024

#define differs(err, ...) err_set(err, CODE_SELF_AUDIT, EPERM, "self-audit: " __VA_ARGS__)

static bool is_wanted(const struct last *last, int fd)
{
	return fd == last->channel->fd || fd == last->label_fd || fd == last->status_fd ||
	       (last->filtered && filtered_holds(last->filtered, fd));
}

/*
 * One poll(2) tells of many numbers; of no more than RLIMIT_NOFILE, which may be low by now, while what is open may be above. It does not see
 * descriptors with O_PATH: these are looked for one by one, where numbers are given out first.
 */
static int open_one(const struct last *last, int first, int len)
{
	static struct pollfd fds[FDS_AT_ONCE];
	int r;

	for (int i = 0; i < len; i++)
		fds[i] = (struct pollfd){.fd = first + i};
	do {
		r = poll(fds, (nfds_t)len, 0);
	} while (r < 0 && errno == EINTR);
	if (r < 0)
		return -errno;
	for (int i = 0; i < len; i++) {
		if (!(fds[i].revents & POLLNVAL) && !is_wanted(last, fds[i].fd))
			return fds[i].fd;
	}
	return 0;
}

static bool is_open(const struct last *last, int fd)
{
	return fcntl(fd, F_GETFD) >= 0 && !is_wanted(last, fd);
}

int audit_fds(const struct last *last, struct crun_error *err)
{
	int fd = 3 + (int)last->plan->process.preserve_fds, step = FDS_AT_ONCE;
	struct rlimit limit;

	for (; fd < FDS_ASKED; fd++) {
		if (is_open(last, fd))
			return differs(err, "file descriptor %d is open", fd);
	}
	if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur < FDS_AT_ONCE)
		step = limit.rlim_cur > 0 ? (int)limit.rlim_cur : 1;
	for (; fd < FDS_LOOKED_AT; fd += step) {
		int r = open_one(last, fd, step);

		/* A limit of 0 leaves only the slow way, and nothing that could be opened. */
		if (r == -EINVAL)
			r = is_open(last, fd) ? fd : 0;
		if (r < 0)
			return err_sys(err, r, "self-audit: look for open file descriptors");
		if (r > 0)
			return differs(err, "file descriptor %d is open", r);
	}
	return 0;
}

static int audit_ids(const struct plan_process *p, struct crun_error *err)
{
	uid_t u[3];
	gid_t g[3];

	if (getresuid(&u[0], &u[1], &u[2]) < 0 || getresgid(&g[0], &g[1], &g[2]) < 0)
		return err_sys(err, -errno, "self-audit: read our ids");
	for (int i = 0; i < 3; i++) {
		if (u[i] != p->uid)
			return differs(err, "a user id is %u, not %u", u[i], p->uid);
		if (g[i] != p->gid)
			return differs(err, "a group id is %u, not %u", g[i], p->gid);
	}
	/* An id that cannot be set is how the present one is asked for (setfsuid(2)). */
	if ((uid_t)syscall(SYS_setfsuid, -1) != p->uid ||
	    (gid_t)syscall(SYS_setfsgid, -1) != p->gid)
		return differs(err, "the ids for access to files are not %u:%u", p->uid, p->gid);
	return 0;
}

static bool has_group(const gid_t *groups, size_t len, gid_t gid)
{
	for (size_t i = 0; i < len; i++) {
		if (groups[i] == gid)
			return true;
	}
	return false;
}

static int audit_groups(const struct launch_plan *plan, struct crun_error *err)
{
	static gid_t groups[NGROUPS_MAX];
	const struct plan_process *p = &plan->process;
	bool may_be_denied = plan_ns_is_own(plan, NS_USER) || plan->facts.in_userns;
	int n;

	/* inside/credentials.c: where the user namespace denies setgroups there was nothing to set. */
	if (p->keep_groups || !p->set_groups || (may_be_denied && p->groups_len == 0))
		return 0;
	n = getgroups(NGROUPS_MAX, groups);
	if (n < 0)
		return err_sys(err, -errno, "self-audit: getgroups");
	for (int i = 0; i < n; i++) {
		if (!has_group(p->groups, p->groups_len, groups[i]))
			return differs(err, "we are in group %u", groups[i]);
	}
	return 0;
}

static int audit_caps(const struct launch_plan *plan, struct crun_error *err)
{
	const struct plan_caps *want = &plan->process.caps;
	uint64_t bounding = plan->process.has_caps ? want->bounding : 0;
	/* inside/credentials.c: it is for seccomp(2), and execve takes it away. */
	uint64_t extra =
		plan->sync_filter && !plan->process.no_new_privs ? UINT64_C(1) << CAP_SYS_ADMIN : 0;
	struct sys_caps now;
	int r = sys_capget(&now);

	if (r < 0)
		return err_sys(err, r, "self-audit: capget");
	if (now.permitted & ~(want->permitted | extra))
		return differs(err, "permitted capabilities are %#llx, not %#llx",
			       (unsigned long long)now.permitted,
			       (unsigned long long)want->permitted);
	if (now.effective & ~(want->effective | extra))
		return differs(err, "effective capabilities are %#llx, not %#llx",
			       (unsigned long long)now.effective,
			       (unsigned long long)want->effective);
	if (now.inheritable & ~want->inheritable)
		return differs(err, "inheritable capabilities are %#llx, not %#llx",
			       (unsigned long long)now.inheritable,
			       (unsigned long long)want->inheritable);
	for (unsigned cap = 0; cap <= plan->facts.last_cap; cap++) {
		uint64_t bit = UINT64_C(1) << cap;

		if (!(bounding & bit) && sys_capbset_read((int)cap) == 1)
			return differs(err, "capability %u is in the bounding set", cap);
		if (!(want->ambient & bit) &&
		    prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_IS_SET, cap, 0, 0) == 1)
			return differs(err, "capability %u is ambient", cap);
	}
	return 0;
}

int audit_credentials(const struct launch_plan *plan, struct crun_error *err)
{
	int r = audit_ids(&plan->process, err);

	if (r == 0)
		r = audit_groups(plan, err);
	if (r == 0)
		r = audit_caps(plan, err);
	if (r < 0)
		return r;
	if (sys_prctl(PR_GET_SECUREBITS, 0, 0) != 0)
		return differs(err, "securebits are set");
	if (plan->process.no_new_privs && sys_prctl(PR_GET_NO_NEW_PRIVS, 0, 0) != 1)
		return differs(err, "no_new_privs is not set");
	if (sys_prctl(PR_GET_DUMPABLE, 0, 0) != 0)
		return differs(err, "we are dumpable: the container could trace us");
	return 0;
}

int audit_label(const struct launch_plan *plan, int label_fd, struct crun_error *err)
{
	const struct oci_process *p = plan->config->process;
	bool is_apparmor, is_right;
	static char now[LABEL_MAX];
	const char *want;
	int r;

	if (!plan->wants_label)
		return 0;
	is_apparmor = plan_label_is_apparmor(plan);
	want = is_apparmor ? p->apparmor_profile : p->selinux_label;
	now[0] = '\0';
	r = label_read(label_fd, now, sizeof(now));
	/* So AppArmor answers when none was set (apparmor_getprocattr). */
	if (r < 0 && r != -EINVAL)
		return err_sys(err, r, "self-audit: read `/proc/self/attr/exec`");
	is_right = is_apparmor ? label_is_apparmor(want, now) : label_is_selinux(want, now);
	return is_right ? 0 : differs(err, "the label is `%s`, not `%s`", now, want);
}

int audit_keyring(int32_t keyring, struct crun_error *err)
{
	int32_t now;

	if (!keyring)
		return 0;
	now = sys_keyring_session();
	if (now < 0)
		return err_sys(err, now, "self-audit: find our session keyring");
	return now == keyring ? 0 : differs(err, "the session keyring is %d, not %d", now, keyring);
}

static int audit_limits(const struct plan_process *p, struct crun_error *err)
{
	struct rlimit now;

	for (size_t i = 0; i < p->rlimits_len; i++) {
		const struct plan_rlimit *l = &p->rlimits[i];

		if (getrlimit((__rlimit_resource_t)l->resource, &now) < 0)
			return err_sys(err, -errno, "self-audit: read %s", l->name);
		if (now.rlim_cur != l->soft || now.rlim_max != l->hard)
			return differs(err, "%s is %llu:%llu, not %llu:%llu", l->name,
				       (unsigned long long)now.rlim_cur,
				       (unsigned long long)now.rlim_max,
				       (unsigned long long)l->soft, (unsigned long long)l->hard);
	}
	return 0;
}

int audit_process(const struct launch_plan *plan, struct crun_error *err)
{
	static char cwd[PATH_MAX];
	struct sigaction action;
	sigset_t mask;
	mode_t now;
	int r;

	/* As in inside/cwd.c: "(unreachable)" in front is a directory that is not below our root (CVE-2024-21626). */
	r = SYS_RET((int)syscall(SYS_getcwd, cwd, sizeof(cwd)));
	if (r < 0 && r != -ENOENT)
		return err_sys(err, r, "self-audit: find out the working directory");
	if (r < 0 || cwd[0] != '/')
		return differs(err, "the working directory is not below the container's root");
	now = umask(0);
	umask(now);
	if (now != plan->process.umask)
		return differs(err, "the umask is %04o, not %04o", now, plan->process.umask);
	if (sigprocmask(SIG_BLOCK, NULL, &mask) < 0 || sigaction(SIGPIPE, NULL, &action) < 0)
		return err_sys(err, -errno, "self-audit: read how signals are handled");
	for (int sig = 1; sig < NSIG; sig++) {
		if (sigismember(&mask, sig) == 1)
			return differs(err, "signal %d is blocked", sig);
	}
	if (action.sa_handler != SIG_DFL)
		return differs(err, "SIGPIPE is not as it is by default");
	return audit_limits(&plan->process, err);
}

int phase_audit_mounts(struct last *last, struct crun_error *err)
{
	_cleanup_close_ int root = FD_NONE;

	/* exec joins a mount namespace that its processes may have changed since, as they please. */
	if (last->plan->exec || !plan_ns_is_own(last->plan, NS_MNT))
		return 0;
	root = sys_openat(FD_NONE, "/", O_PATH | O_DIRECTORY, 0);
	if (root < 0)
		return err_sys(err, root, "self-audit: open the root");
	return audit_mounts(last->plan, root, err);
}

int phase_audit(struct last *last, struct crun_error *err)
{
	int r = audit_fds(last, err);

	if (r == 0)
		r = audit_label(last->plan, last->label_fd, err);
	close_fd(&last->label_fd);
	if (r == 0)
		r = audit_keyring(last->keyring, err);
	if (r == 0)
		r = audit_credentials(last->plan, err);
	return r == 0 ? audit_process(last->plan, err) : r;
}
