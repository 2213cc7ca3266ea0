// SPDX-License-Identifier: Apache-2.0
// cgroup v1: the cpuset controller.
#include "cgroup/controllers.h"

#include "sys/io.h"

#include <errno.h>
#include <stdio.h>

#define LIST_SIZE 4096

/* Copies FILE from PARENT (relative directory, "" is the root) to DIR when DIR's is empty. */
static int inherit_file(const struct cg_hier *h, const char *parent, const char *dir,
			const char *file, struct crun_error *err)
{
	char path[CG_PATH_SIZE + 32], list[LIST_SIZE];
	int r;

	snprintf(path, sizeof(path), "%s/%s", dir, file);
	r = io_read_file_at(h->root_fd, path, list, sizeof(list));
	if (r > 0)
		return 0;
	if (r < 0)
		return err_sys_code(err, CODE_CGROUP_CREATE, r, "read `%s/%s`", h->root, path);
	snprintf(path, sizeof(path), "%s%s%s", parent, parent[0] ? "/" : "", file);
	r = io_read_file_at(h->root_fd, path, list, sizeof(list));
	if (r < 0)
		return err_sys_code(err, CODE_CGROUP_CREATE, r, "read `%s/%s`", h->root, path);
	snprintf(path, sizeof(path), "%s/%s", dir, file);
	r = io_write_file_at(h->root_fd, path, list);
	return r < 0 ? err_sys_code(err, CODE_CGROUP_CREATE, r, "write `%s` to `%s/%s`", list,
				    h->root, path)
		     : 0;
}

int cg_v1_cpuset_inherit(const struct cgroup *cg, const struct cg_hier *h, struct crun_error *err)
{
	char parent[CG_PATH_SIZE], dir[CG_PATH_SIZE];
	int r = 0;

	for (size_t n = 1; r >= 0 && n <= cg->depth; n++) {
		cg_prefix(cg, n - 1, parent);
		cg_prefix(cg, n, dir);
		r = inherit_file(h, parent, dir, "cpuset.cpus", err);
		if (r >= 0)
			r = inherit_file(h, parent, dir, "cpuset.mems", err);
	}
	return r;
}

/* The kernel's numbers say little here: why it keeps a list as it is. */
static int write_list(const struct cg_dir *dir, const char *file, const char *list, const char *at,
		      struct crun_error *err)
{
	int r = cg_write(dir, file, list, at, err);

	if (r == -EBUSY)
		return err_in(err, "a cgroup below the container's own has more in its `%s`", file);
	if (r == -EACCES)
		return err_in(err, "the cgroup above the container's own has less in its `%s`",
			      file);
	return r;
}

int cg_v1_cpuset(const struct cg_dir *dir, const struct oci_linux_resources *res,
		 struct crun_error *err)
{
	const struct oci_linux_cpu *cpu = res->cpu;
	int r = 0;

	if (cpu->cpus && cpu->cpus[0])
		r = write_list(dir, "cpuset.cpus", cpu->cpus, "cpu/cpus", err);
	if (r >= 0 && cpu->mems && cpu->mems[0])
		r = write_list(dir, "cpuset.mems", cpu->mems, "cpu/mems", err);
	return r;
}
