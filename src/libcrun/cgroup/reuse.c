// SPDX-License-Identifier: Apache-2.0
// A cgroup that was there before the container: whether it can live in it, and what has to be taken back there afterwards.
#include "cgroup/internal.h"

#include "base/log.h"
#include "base/str.h"
#include "sys/bpf.h"
#include "sys/file.h"
#include "sys/io.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* More programs the kernel does not let anybody attach to one cgroup (BPF_CGROUP_MAX_PROGS). */
#define MAX_PROGRAMS 64

static int refuse(const char *dir, const char *reason, struct crun_error *err)
{
	err_set(err, CODE_CGROUP_IN_USE, EEXIST,
		"cgroup `%s` exists already and %s: choose another linux.cgroupsPath", dir, reason);
	return err_at(err, "/linux/cgroupsPath");
}

/*
 * Reads FILE of a cgroup that may have no such file: the root, and kernels that are older than it. Returns 1; 0 when it has none; -errno with *err
 * set, for who does not know must not take it for "no".
 */
static int read_optional(int dirfd, const char *dir, const char *file, char *text, size_t size,
			 struct crun_error *err)
{
	int r = io_read_file_at(dirfd, file, text, size);

	if (r >= 0 || cg_is_gone(r))
		return r >= 0;
	return err_sys_code(err, CODE_CGROUP_READ, r, "read `%s/%s`", dir, file);
}

/* 1, 0, or -errno with *err set. Both files tell of a freezer above as well. */
static int is_frozen(const struct cg_hier *h, int dirfd, const char *dir, struct crun_error *err)
{
	char text[256];
	int r;

	if (!h->v2 && !(h->controllers & CG_BIT(CG_FREEZER)))
		return 0;
	r = read_optional(dirfd, dir, h->v2 ? "cgroup.events" : "freezer.state", text, sizeof(text),
			  err);
	if (r <= 0)
		return r;
	return h->v2 ? strstr(text, "frozen 1") != NULL : !str_eq(text, "THAWED");
}

int cg_check_thawed(const struct cg_hier *h, int dirfd, const char *dir, struct crun_error *err)
{
	int r = is_frozen(h, dirfd, dir, err);

	if (r <= 0)
		return r;
	err_set(err, CODE_CGROUP_FROZEN, EBUSY,
		"cgroup `%s` is frozen, and so would be the container: thaw it, or choose another "
		"linux.cgroupsPath",
		dir);
	return err_at(err, "/linux/cgroupsPath");
}

/* Processes that another pid namespace has for itself are listed as 0, which cg_read_pids leaves out. */
static int is_populated(const struct cg_hier *h, int dirfd, const char *dir, struct crun_error *err)
{
	char text[256];
	int r = read_optional(dirfd, dir, h->v2 ? "cgroup.events" : "cgroup.procs", text,
			      sizeof(text), err);

	if (r <= 0)
		return r;
	return h->v2 ? strstr(text, "populated 1") != NULL : text[0] != '\0';
}

static int check_empty(const struct cg_hier *h, int dirfd, const char *dir, struct crun_error *err)
{
	struct cg_pids pids = {0};
	char reason[96];
	size_t n;
	int r = cg_read_pids(dirfd, &pids);

	n = pids.len;
	free(pids.pids);
	if (r < 0)
		return err_sys_code(err, CODE_CGROUP_READ, r, "read the processes of cgroup `%s`",
				    dir);
	r = n == 0 ? is_populated(h, dirfd, dir, err) : 0;
	if (r < 0 || (n == 0 && r == 0))
		return r;
	if (n == 0)
		return refuse(dir, "holds processes of another pid namespace", err);
	snprintf(reason, sizeof(reason), "holds %zu process%s that %s not this container's", n,
		 n == 1 ? "" : "es", n == 1 ? "is" : "are");
	return refuse(dir, reason, err);
}

/* cgroup-v2.rst, "No Internal Process Constraint" and "Threads": others take no process, which the kernel would say as EBUSY only. */
static int check_type(int dirfd, const char *dir, struct crun_error *err)
{
	char text[256];
	int r = read_optional(dirfd, dir, "cgroup.subtree_control", text, sizeof(text), err);

	if (r < 0)
		return r;
	if (r > 0 && text[0])
		return refuse(dir,
			      "gives its controllers to cgroups below it, so it takes no process",
			      err);
	r = read_optional(dirfd, dir, "cgroup.type", text, sizeof(text), err);
	if (r < 0)
		return r;
	if (r > 0 && text[0] && !str_eq(text, "domain"))
		return refuse(dir, "is part of a threaded subtree, so it takes no process", err);
	return 0;
}

int cg_check_reuse(const struct cgroup *cg, const struct cg_hier *h, const char *dir,
		   struct crun_error *err)
{
	_cleanup_close_ int fd = sys_openat(h->root_fd, cg->path + 1, O_RDONLY | O_DIRECTORY, 0);
	struct stat st;
	char reason[64];
	int r = fd < 0 ? fd : sys_fstatat(fd, "", &st);

	if (r < 0)
		return err_sys_code(err, CODE_CGROUP_READ, r, "open cgroup `%s`", dir);
	/* Whoever owns it could move its processes, freeze and kill them. */
	if (st.st_uid != geteuid()) {
		snprintf(reason, sizeof(reason), "belongs to uid %u, and we are uid %u", st.st_uid,
			 geteuid());
		return refuse(dir, reason, err);
	}
	r = check_empty(h, fd, dir, err);
	if (r >= 0)
		r = cg_check_thawed(h, fd, dir, err);
	if (r >= 0 && h->v2)
		r = check_type(fd, dir, err);
	return r < 0 ? r : 0;
}

void cg_name_filter(struct cgroup *cg, const char *id, int runtime_pid)
{
	uint64_t hash = cg_hash(id) ^ (uint64_t)(unsigned)runtime_pid * 0x9e3779b97f4a7c15;

	/*
	 * The 15 characters that the kernel keeps of a name. It must stay what it is: containers of older builds are deleted by newer ones, and
	 * a filter that is not found stays at the cgroup for those who use it next.
	 */
	snprintf(cg->filter_name, sizeof(cg->filter_name), "crun_%010llx",
		 (unsigned long long)(hash & 0xffffffffff));
}

static int detach_if_ours(const struct cgroup *cg, const struct cg_hier *h, uint32_t id)
{
	_cleanup_close_ int fd = sys_bpf_prog_open(id);
	struct bpf_prog_info info;
	int r = fd < 0 ? fd : sys_bpf_prog_info(fd, &info);

	if (r < 0 || !str_eq(info.name, cg->filter_name))
		return r == -ENOENT ? 0 : r;
	return sys_bpf_prog_detach(h->dir_fd, fd, BPF_CGROUP_DEVICE);
}

void cg_detach_filters(const struct cgroup *cg)
{
	uint32_t ids[MAX_PROGRAMS];

	/* Programs of others may have no name at all. */
	if (!cg->filter_name[0])
		return;
	for (size_t i = 0; i < cg->hier_len; i++) {
		const struct cg_hier *h = &cg->hier[i];
		/* Without the power to ask, nothing could be attached. */
		int n = h->used && h->v2 && h->dir_fd >= 0
				? sys_bpf_prog_ids(h->dir_fd, BPF_CGROUP_DEVICE, ids, MAX_PROGRAMS)
				: 0;

		for (int k = 0; k < n; k++) {
			int r = detach_if_ours(cg, h, ids[k]);

			if (r < 0)
				log_warning("the device filter %u may stay at cgroup `%s%s`: %s",
					    ids[k], h->root, cg->path, err_describe(-r));
		}
	}
}
