// SPDX-License-Identifier: Apache-2.0
// A directory below the container's cgroup that is the payload's own to manage.
#include "cgroup/internal.h"

#include "sys/file.h"
#include "sys/io.h"

#include <errno.h>
#include <stdio.h>

/* The files by which processes and cgroups are moved and made (cgroups.rst, "Delegation"); limits are set in the directory above. */
static int give_away(int fd, uid_t owner)
{
	static const char *const files[] = {"", "cgroup.procs", "cgroup.threads",
					    "cgroup.subtree_control"};
	int r = 0;

	for (size_t i = 0; r >= 0 && i < ARRAY_LEN(files); i++)
		r = sys_fchownat(fd, files[i], owner, (gid_t)-1,
				 AT_EMPTY_PATH | AT_SYMLINK_NOFOLLOW);
	return r;
}

static int delegate_in(const struct cgroup *cg, const struct cg_hier *h, pid_t pid,
		       struct crun_error *err)
{
	const char *name = cg->plan->delegate;
	_cleanup_close_ int fd = FD_NONE;
	mode_t saved = umask(0022);
	char text[16];
	int r = sys_mkdirat(h->dir_fd, name, 0755);

	umask(saved);
	if (r < 0)
		return err_sys_code(err, CODE_CGROUP_CREATE, r, "make cgroup `%s%s/%s`", h->root,
				    cg->path, name);
	fd = sys_openat(h->dir_fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW, 0);
	r = fd;
	if (r >= 0 && cg->plan->owner != (uid_t)-1)
		r = give_away(fd, cg->plan->owner);
	if (r < 0)
		return err_sys_code(err, CODE_CGROUP_CREATE, r, "give away cgroup `%s%s/%s`",
				    h->root, cg->path, name);
	snprintf(text, sizeof(text), "%d", (int)pid);
	r = io_write_file_at(fd, "cgroup.procs", text);
	if (r < 0)
		return err_sys_code(err, CODE_CGROUP_ATTACH, r,
				    "move process %d into cgroup `%s%s/%s`", (int)pid, h->root,
				    cg->path, name);
	return 0;
}

int cgroup_delegate(struct cgroup *cg, pid_t pid, struct crun_error *err)
{
	int r = 0;

	if (!cg->plan->delegate || cg->absent)
		return 0;
	for (size_t i = 0; r >= 0 && i < cg->hier_len; i++) {
		if (cg->hier[i].v2 && cg->hier[i].dir_fd >= 0)
			r = delegate_in(cg, &cg->hier[i], pid, err);
	}
	return r;
}
