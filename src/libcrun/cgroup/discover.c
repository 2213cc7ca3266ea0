// SPDX-License-Identifier: Apache-2.0
// Finds the mounted cgroup hierarchies: the usual layout below /sys/fs/cgroup first, the mount table only without it.
#include "cgroup/internal.h"

#include "base/log.h"
#include "base/str.h"
#include "sys/file.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const struct cg_controller_name cg_controller_names[CG_CONTROLLERS] = {
	[CG_CPU] = {"cpu", "cpu"},
	[CG_CPUACCT] = {"cpuacct", NULL},
	[CG_CPUSET] = {"cpuset", "cpuset"},
	[CG_MEMORY] = {"memory", "memory"},
	[CG_PIDS] = {"pids", "pids"},
	[CG_DEVICES] = {"devices", NULL},
	[CG_FREEZER] = {"freezer", NULL},
	[CG_IO] = {"blkio", "io"},
	[CG_HUGETLB] = {"hugetlb", "hugetlb"},
	[CG_NET_CLS] = {"net_cls", NULL},
	[CG_NET_PRIO] = {"net_prio", NULL},
	[CG_RDMA] = {"rdma", "rdma"},
	[CG_MISC] = {"misc", "misc"},
	[CG_DMEM] = {NULL, "dmem"},
	[CG_PERF_EVENT] = {"perf_event", NULL},
	[CG_SYSTEMD] = {"systemd", NULL},
};

unsigned cg_controller_bits(const char *list, const char *separators, bool v2)
{
	unsigned bits = 0;

	while (*list) {
		size_t n = strcspn(list, separators);

		for (unsigned c = 0; c < CG_CONTROLLERS; c++) {
			const char *name =
				v2 ? cg_controller_names[c].v2 : cg_controller_names[c].v1;

			if (name && strlen(name) == n && strncmp(name, list, n) == 0)
				bits |= CG_BIT(c);
		}
		list += n;
		list += strspn(list, separators);
	}
	return bits;
}

/* Adds the hierarchy mounted at ROOT (FD is taken over); a superblock that is known already is merged. */
static int add_hier(struct cgroup *cg, const char *root, const char *name, int fd, bool v2,
		    struct crun_error *err)
{
	_cleanup_close_ int owned = fd;
	struct cg_hier *h;
	unsigned bits = v2 ? 0 : cg_controller_bits(name, ",", false);
	struct stat st;
	int r = sys_fstatat(fd, "", &st);

	if (r < 0)
		return err_sys_code(err, CODE_CGROUP_MOUNT, r, "stat cgroup hierarchy `%s`", root);
	if (!v2 && !bits)
		return 0; /* a named hierarchy of somebody else: not ours to join */
	for (size_t i = 0; i < cg->hier_len; i++) {
		if (cg->hier[i].dev == st.st_dev) {
			cg->hier[i].controllers |= bits;
			return 0;
		}
	}
	if (cg->hier_len == CG_MAX_HIER)
		return err_set(err, KIND_UNSUPPORTED, E2BIG,
			       "this host has more than %d cgroup hierarchies", CG_MAX_HIER);
	h = &cg->hier[cg->hier_len];
	*h = (struct cg_hier){.v2 = v2,
			      .controllers = bits,
			      .dev = st.st_dev,
			      .root_fd = FD_NONE,
			      .dir_fd = FD_NONE};
	h->root = strdup(root);
	if (!h->root)
		return err_sys(err, -ENOMEM, "cgroup hierarchy `%s`", root);
	h->root_fd = take_fd(&owned);
	cg->hier_len++;
	return 0;
}

/* A directory of root's on the tmpfs, or a hierarchy that an ordinary user is not to see: he can use none that he cannot open. */
static bool is_not_for_us(const struct cgroup *cg, const char *root, int r)
{
	struct statfs fs;

	if (r != -EACCES)
		return false;
	return cg->plan->unprivileged || sys_statfs(root, &fs) < 0 ||
	       (fs.f_type != CGROUP2_SUPER_MAGIC_ && fs.f_type != CGROUP_SUPER_MAGIC_);
}

/* Opens ROOT when it is a mounted hierarchy; anything else is passed over, but not what nobody could look at. */
static int add_if_cgroup(struct cgroup *cg, const char *root, const char *name,
			 struct crun_error *err)
{
	_cleanup_close_ int fd = sys_openat(AT_FDCWD, root, O_RDONLY | O_DIRECTORY, 0);
	struct statfs fs;
	int r = fd < 0 ? fd : sys_fstatfs(fd, &fs);

	if (r == -ENOENT || r == -ENOTDIR)
		return 0;
	if (r < 0 && is_not_for_us(cg, root, r)) {
		log_debug("cgroup hierarchy `%s`: %s", root, err_describe(-r));
		return 0;
	}
	if (r < 0)
		return err_sys_code(err, CODE_CGROUP_MOUNT, r, "open cgroup hierarchy `%s`", root);
	if (fs.f_type == CGROUP2_SUPER_MAGIC_)
		return add_hier(cg, root, name, take_fd(&fd), true, err);
	if (fs.f_type == CGROUP_SUPER_MAGIC_)
		return add_hier(cg, root, name, take_fd(&fd), false, err);
	return 0;
}

/* v1 and hybrid: a tmpfs with one directory per hierarchy; symbolic links are second names of co-mounted ones. */
static int discover_dirs(struct cgroup *cg, struct crun_error *err)
{
	_cleanup_closedir_ DIR *dir = opendir(CG_ROOT);
	struct dirent *e;
	int r;

	if (!dir)
		return errno == ENOENT
			       ? 0
			       : err_sys_code(err, CODE_CGROUP_MOUNT, -errno, "open `" CG_ROOT "`");
	while (errno = 0, (e = readdir(dir))) {
		char root[sizeof(CG_ROOT) + 256];

		if (e->d_name[0] == '.' || e->d_type == DT_LNK || e->d_type == DT_REG)
			continue;
		snprintf(root, sizeof(root), CG_ROOT "/%s", e->d_name);
		r = add_if_cgroup(cg, root, e->d_name, err);
		if (r < 0)
			return r;
	}
	return errno ? err_sys_code(err, CODE_CGROUP_MOUNT, -errno, "read `" CG_ROOT "`") : 0;
}

/*
 * One line of /proc/self/mountinfo: "36 35 98:0 /root /mount/point options - type source super-options". The controllers of a v1
 * hierarchy are words of the super-options.
 */
static int mountinfo_line(struct cgroup *cg, char *line, struct crun_error *err)
{
	char *sep = strstr(line, " - cgroup");
	char *point = line, *options;

	if (!sep || (sep[9] != ' ' && !str_after(sep + 9, "2 ")))
		return 0;
	options = strrchr(sep, ' ') + 1;
	for (int i = 0; i < 4; i++) {
		point = strchr(point, ' ');
		if (!point || point >= sep)
			return 0;
		point++;
	}
	point[strcspn(point, " ")] = '\0';
	/* A name with an escaped blank: no distribution mounts cgroups there. */
	return strchr(point, '\\') ? 0 : add_if_cgroup(cg, point, options, err);
}

static int discover_mountinfo(struct cgroup *cg, struct crun_error *err)
{
	_cleanup_free_ char *line = NULL;
	size_t size = 0;
	FILE *f = fopen("/proc/self/mountinfo", "re");
	int r = 0;

	if (!f)
		return err_sys_code(err, CODE_PROC_MISSING, -errno, "open /proc/self/mountinfo");
	while (r >= 0 && getline(&line, &size, f) > 0) {
		line[strcspn(line, "\n")] = '\0';
		r = mountinfo_line(cg, line, err);
	}
	if (r >= 0 && !feof(f))
		r = err_sys_code(err, CODE_PROC_MISSING, errno ? -errno : -EIO,
				 "read /proc/self/mountinfo");
	fclose(f);
	return r < 0 ? r : 0;
}

int cg_discover(struct cgroup *cg, enum cgroup_layout layout, struct crun_error *err)
{
	int r;

	if (layout == CGROUP_V2)
		r = add_if_cgroup(cg, CG_ROOT, "", err);
	else if (layout != CGROUP_NONE)
		r = discover_dirs(cg, err);
	else
		r = discover_mountinfo(cg, err);
	return r;
}
