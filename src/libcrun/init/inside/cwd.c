// SPDX-License-Identifier: Apache-2.0
// process.cwd, entered as the final user and verified to be below the container's root.
#include "init/inside/phase.h"

#include "base/cleanup.h"
#include "base/str.h"
#include "fs/inroot.h"
#include "sys/file.h"

#include <errno.h>
#include <limits.h>
#include <sys/syscall.h>
#include <unistd.h>

/* It cannot be anywhere but where it is; only the user may be refused. */
static int enter_root(struct inside *in, struct crun_error *err)
{
	int r = sys_fchdir(in->root_fd);

	if (r < 0) {
		err_sys_code(err, CODE_CWD_REFUSED, r, "chdir to `/`");
		return err_at(err, "/process/cwd");
	}
	in->cwd_fd = sys_dup_cloexec(in->root_fd, 3);
	return in->cwd_fd < 0 ? err_sys(err, in->cwd_fd, "keep `/` open") : 0;
}

int phase_cwd(struct inside *in, struct crun_error *err)
{
	const char *cwd = in->plan->process.cwd;
	int fd;
	char now[PATH_MAX];
	int r;

	if (str_eq(cwd, "/"))
		return enter_root(in, err);
	/* Magic links are how /proc/self/fd/N leads out of the root (CVE-2024-21626): an in-root look-up has none. */
	fd = inroot_open(in->root_fd, cwd, O_PATH | O_DIRECTORY);
	in->cwd_fd = fd < 0 ? FD_NONE : fd;
	r = fd < 0 ? fd : sys_fchdir(fd);
	if (r < 0) {
		err_sys_code(err, r == -ENOENT ? CODE_CWD_MISSING : CODE_CWD_REFUSED, r,
			     "chdir to `%s`", cwd);
		return err_at(err, "/process/cwd");
	}
	/* The kernel puts "(unreachable)" in front of a directory that is not below our root; libc may hide it. */
	r = (int)syscall(SYS_getcwd, now, sizeof(now));
	r = r < 0 ? -errno : 0;
	if (r < 0 && r != -ENOENT) {
		err_sys_code(err, CODE_CWD_REFUSED, r, "chdir to `%s`: find out where that is",
			     cwd);
		return err_at(err, "/process/cwd");
	}
	if (r < 0 || now[0] != '/')
		return err_set(
			err, CODE_CWD_REFUSED, EPERM,
			"chdir to `%s`: it leads out of the container's root: operation not permitted",
			cwd);
	return 0;
}
