// SPDX-License-Identifier: Apache-2.0
// Finds the payload as its own user would, so that a missing or forbidden command fails `create` and not `start`.
#include "init/inside/phase.h"

#include "base/str.h"
#include "sys/file.h"

#include <errno.h>
#include <stdio.h>
#include <unistd.h>

/* 0 when PATH (a relative one: below CWD_FD) can be executed by us, else the reason. */
static int check_executable(int cwd_fd, const char *path)
{
	struct stat st;

	if (fstatat(cwd_fd, path, &st, 0) < 0)
		return -errno;
	if (!S_ISREG(st.st_mode))
		return S_ISDIR(st.st_mode) ? -EISDIR : -EPERM;
	return sys_access(cwd_fd, path, X_OK);
}

/* The wordings are what Docker, Podman, CRI-O and nerdctl look for; the errno text comes last. */
static int explain(const char *path, int r, struct crun_error *err)
{
	switch (r) {
	case -ENOENT:
	case -ENOTDIR:
		return err_set(err, CODE_COMMAND_MISSING, ENOENT,
			       "executable file `%s` not found: No such file or directory", path);
	case -EISDIR:
	case -EPERM:
		return err_set(err, CODE_COMMAND_REFUSED, EPERM,
			       "exec: permission denied: the path `%s` is not a regular file: "
			       "Operation not permitted",
			       path);
	case -EACCES:
		return err_set(err, CODE_COMMAND_REFUSED, EACCES,
			       "exec: permission denied: open executable `%s`: Permission denied",
			       path);
	default:
		return err_sys(err, r, "open executable `%s`", path);
	}
}

static int search(int cwd_fd, const char *name, const char *path, char *found, size_t size,
		  struct crun_error *err)
{
	int denied = 0;
	char candidate[4096];

	for (;;) {
		size_t n = strcspn(path, ":");
		int r;

		/* An empty element means the current directory (environ(7)). */
		if ((size_t)snprintf(candidate, sizeof(candidate), "%.*s%s%s", (int)n, path,
				     n ? "/" : "", name) < sizeof(candidate)) {
			r = check_executable(cwd_fd, candidate);
			if (r == 0) {
				memcpy(found, candidate, size);
				return 0;
			}
			if ((r == -EACCES || r == -EPERM) && !denied)
				denied = r;
		}
		if (path[n] == '\0')
			break;
		path += n + 1;
	}
	if (denied)
		return explain(name, denied, err);
	return err_set(
		err, CODE_COMMAND_MISSING, ENOENT,
		"executable file not found in $PATH: executable file `%s` not found in $PATH: "
		"No such file or directory",
		name);
}

int phase_exec_path(struct inside *in, struct crun_error *err)
{
	const struct plan_process *p = &in->plan->process;
	const char *name = p->argv[0];
	int r;

	if (name[0] == '\0')
		return err_set(err, CODE_COMMAND_MISSING, ENOENT,
			       "cannot find `` in $PATH: No such file or directory");
	if (!strchr(name, '/'))
		return search(in->cwd_fd, name, p->path, in->exec_path, sizeof(in->exec_path), err);
	if (strlen(name) >= sizeof(in->exec_path))
		return err_sys(err, -ENAMETOOLONG, "open executable `%.64s...`", name);
	r = check_executable(in->cwd_fd, name);
	if (r < 0)
		return explain(name, r, err);
	memcpy(in->exec_path, name, strlen(name) + 1);
	return 0;
}
