// SPDX-License-Identifier: Apache-2.0
// cgroup v2: hands controllers down to the container's directory (cgroup.subtree_control of all above it).
#include "cgroup/internal.h"

#include "base/cleanup.h"
#include "sys/file.h"
#include "sys/io.h"

#include <errno.h>
#include <stdio.h>

/* Enabled without being asked for: engines read memory.events, cpu.stat and pids.current of every container. */
#define USUAL \
	(CG_BIT(CG_CPU) | CG_BIT(CG_CPUSET) | CG_BIT(CG_IO) | CG_BIT(CG_MEMORY) | CG_BIT(CG_PIDS))

struct level {
	char dir[CG_PATH_SIZE]; /* relative, with a trailing slash unless it is the root */
	const char *root;
	int root_fd;
};

static void level_init(struct level *l, const struct cgroup *cg, const struct cg_hier *h, size_t n)
{
	size_t len;

	cg_prefix(cg, n, l->dir);
	len = n ? cg->ends[n - 1] : 0;
	if (len) {
		l->dir[len++] = '/';
		l->dir[len] = '\0';
	}
	l->root = h->root;
	l->root_fd = h->root_fd;
}

static int read_bits(const struct level *l, const char *file)
{
	char path[CG_PATH_SIZE + 32], text[512];
	int r;

	snprintf(path, sizeof(path), "%s%s", l->dir, file);
	r = io_read_file_at(l->root_fd, path, text, sizeof(text));
	return r < 0 ? r : (int)cg_controller_bits(text, " ", true);
}

static int write_bits(const struct level *l, unsigned bits)
{
	char path[CG_PATH_SIZE + 32], text[256];
	size_t len = 0;

	for (unsigned c = 0; c < CG_CONTROLLERS; c++) {
		if (bits & CG_BIT(c))
			len += (size_t)snprintf(text + len, sizeof(text) - len, "%s+%s",
						len ? " " : "", cg_controller_names[c].v2);
	}
	snprintf(path, sizeof(path), "%scgroup.subtree_control", l->dir);
	return io_write_file_at(l->root_fd, path, text);
}

/* Controllers that work for each thread (kernel/cgroup: cgroup_threaded_ss_mask). */
#define THREADED (CG_BIT(CG_CPU) | CG_BIT(CG_CPUSET) | CG_BIT(CG_PIDS))

/*
 * Below a cgroup with processes the kernel enables threaded controllers alone without a word, and makes it the root of a threaded subtree
 * by that (cgroup_vet_subtree_control_enable): what is below then takes no process, ours included. The root, which has no cgroup.type, may
 * have both.
 */
static bool has_processes(const struct level *l)
{
	char path[CG_PATH_SIZE + 32], text[16];
	_cleanup_close_ int fd = FD_NONE;
	struct stat st;

	snprintf(path, sizeof(path), "%scgroup.type", l->dir);
	if (sys_fstatat(l->root_fd, path, &st) < 0)
		return false;
	snprintf(path, sizeof(path), "%scgroup.procs", l->dir);
	fd = sys_openat(l->root_fd, path, O_RDONLY, 0);
	return fd >= 0 && io_read_start(fd, text, sizeof(text)) > 0;
}

static int cannot_enable(const struct level *l, unsigned c, int r, struct crun_error *err)
{
	const char *name = cg_controller_names[c].v2;

	if (r == -EBUSY)
		return err_set(
			err, CODE_CGROUP_BUSY, EBUSY,
			"controller `%s` cannot be enabled in `%s/%scgroup.subtree_control`: that cgroup "
			"has processes of its own (no internal processes rule); move them into a cgroup "
			"below it, or choose another linux.cgroupsPath",
			name, l->root, l->dir);
	return err_sys_code(err, CODE_CGROUP_CONTROLLER, r,
			    "enable controller `%s` in `%s/%scgroup.subtree_control`", name,
			    l->root, l->dir);
}

static int not_available(const struct level *l, unsigned c, struct crun_error *err)
{
	return err_set(
		err, CODE_CGROUP_CONTROLLER, EOPNOTSUPP,
		"the cgroup controller `%s` is not available: `%s/%scgroup.controllers` does not list it; %s",
		cg_controller_names[c].v2, l->root, l->dir,
		l->dir[0]
			? "it must be enabled in cgroup.subtree_control of the cgroup above"
			: "the kernel has it off, or it is not delegated to this cgroup namespace, or it "
			  "is mounted as a cgroup v1 hierarchy");
}

int cg_v2_no_controller(const struct cgroup *cg, const struct cg_hier *h, enum cg_controller c,
			struct crun_error *err)
{
	struct level l;

	/* The topmost that lacks it is where something can be done; what all above have is not handed on to the container's own. */
	for (size_t n = 0; n <= cg->depth; n++) {
		int bits;

		level_init(&l, cg, h, n);
		bits = read_bits(&l, "cgroup.controllers");
		if (bits >= 0 && !((unsigned)bits & CG_BIT(c)))
			break;
	}
	return not_available(&l, c, err);
}

static int check_available(const struct level *l, unsigned available, unsigned required,
			   struct crun_error *err)
{
	for (unsigned c = 0; c < CG_CONTROLLERS; c++) {
		if (required & ~available & CG_BIT(c))
			return not_available(l, c, err);
	}
	return 0;
}

/* None is enabled then: that would be the threaded ones. */
static int missing_in_use(const struct level *l, unsigned required, int enabled,
			  struct crun_error *err)
{
	for (unsigned c = 0; c < CG_CONTROLLERS; c++) {
		if (required & CG_BIT(c))
			return cannot_enable(l, c, -EBUSY, err);
	}
	return enabled;
}

/* Enables what of WANTED is available and missing. ENABLED: what is, or negative: not known. Returns the bits that are enabled then. */
static int enable_level(const struct level *l, unsigned wanted, unsigned required, int enabled,
			struct crun_error *err)
{
	int available = read_bits(l, "cgroup.controllers");
	unsigned missing;
	int r;

	if (enabled < 0)
		enabled = read_bits(l, "cgroup.subtree_control");
	if (available < 0 || enabled < 0)
		return err_sys_code(err, CODE_CGROUP_READ, available < 0 ? available : enabled,
				    "read the controllers of cgroup `%s/%s`", l->root, l->dir);
	r = check_available(l, (unsigned)available, required, err);
	if (r < 0)
		return r;
	missing = wanted & (unsigned)available & ~(unsigned)enabled;
	if (!missing)
		return enabled;
	r = !(missing & ~THREADED) && has_processes(l) ? -EBUSY : write_bits(l, missing);
	if (r >= 0)
		return enabled | (int)missing;
	if (r == -EBUSY)
		return missing_in_use(l, missing & required, enabled, err);
	/* The kernel takes all or nothing; one that refuses must not keep the others away. */
	for (unsigned c = 0; c < CG_CONTROLLERS; c++) {
		if (!(missing & CG_BIT(c)))
			continue;
		r = write_bits(l, CG_BIT(c));
		if (r >= 0)
			enabled |= (int)CG_BIT(c);
		else if (required & CG_BIT(c))
			return cannot_enable(l, c, r, err);
	}
	return enabled;
}

int cg_v2_enable(const struct cgroup *cg, struct cg_hier *h, unsigned required,
		 struct crun_error *err)
{
	unsigned wanted = required | (USUAL & ~cg_v1_controllers(cg));
	struct level l;
	int bits, parents = -ENODATA;

	/* What the parent has enabled, all above it have. */
	if (h->existing + 1 >= cg->depth) {
		level_init(&l, cg, h, cg->depth - 1);
		parents = read_bits(&l, "cgroup.subtree_control");
		if (parents >= 0 && !(wanted & ~(unsigned)parents)) {
			h->controllers = (unsigned)parents;
			return 0;
		}
	}
	/* systemd has given the scope what there is, and is the only one to write above it. */
	if (cg->scope_depth == cg->depth) {
		level_init(&l, cg, h, cg->depth);
		bits = read_bits(&l, "cgroup.controllers");
		if (bits < 0)
			return err_sys_code(err, CODE_CGROUP_READ, bits,
					    "read the controllers of cgroup `%s/%s`", l.root,
					    l.dir);
		h->controllers = (unsigned)bits;
		return check_available(&l, (unsigned)bits, required, err);
	}
	for (size_t n = cg->scope_depth; n < cg->depth; n++) {
		level_init(&l, cg, h, n);
		bits = enable_level(&l, wanted, required, n + 1 == cg->depth ? parents : -ENODATA,
				    err);
		if (bits < 0)
			return bits;
		h->controllers = (unsigned)bits;
	}
	return 0;
}
