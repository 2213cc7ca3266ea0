// SPDX-License-Identifier: Apache-2.0
// Mounts of type "cgroup": the container's own part of every hierarchy, whatever layout the host has.
#include "init/outside/mount.h"

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/log.h"
#include "base/str.h"
#include "fs/mount_source.h"
#include "fs/mountinfo.h"
#include "sys/file.h"
#include "sys/mount.h"

#include <stdio.h>

/* One line of /proc/self/cgroup: "ID:CONTROLLERS:PATH"; v2 has ID 0 and no controllers. */
struct hierarchy {
	const char *controllers; /* "cpu,cpuacct", "name=systemd", "" for v2 */
	const char *path;	 /* our cgroup, below the root of our cgroup namespace */
};

static bool is_v2(const struct hierarchy *h)
{
	return h->controllers[0] == '\0';
}

static const char *fstype_of(const struct hierarchy *h)
{
	return is_v2(h) ? "cgroup2" : "cgroup";
}

static int next_hierarchy(char **cursor, struct hierarchy *ret)
{
	char *line, *id;

	while (*cursor && **cursor) {
		line = strsep(cursor, "\n");
		id = strsep(&line, ":");
		ret->controllers = strsep(&line, ":");
		ret->path = line;
		if (id && ret->controllers && ret->path)
			return 1;
	}
	return 0;
}

/*
 * A mount of the hierarchy that shows our cgroup namespace's root as its own. v1: the controllers are flags of the file system, a named
 * hierarchy is a parameter. Returns the fd or -errno.
 */
static int new_view(struct outside *o, const struct hierarchy *h, uint64_t attrs)
{
	return mount_stage_new_simple(&o->stage, "cgroup", fstype_of(h), attrs, h->controllers);
}

/* The first controller (or "name=...") tells v1 hierarchies apart. */
static bool is_mount_of(const struct mountinfo *m, const struct hierarchy *h)
{
	return str_eq(m->fstype, fstype_of(h)) &&
	       (is_v2(h) || mountinfo_has_option(m->super_options, h->controllers,
						 strcspn(h->controllers, ",")));
}

/*
 * What of PATH lies below a mount whose root mountinfo shows as ROOT; NULL when the mount does not have it. Inside a new cgroup
 * namespace, whose root PATH is, roots are shown from there: "/../.." is two levels up.
 */
static const char *path_below(const char *root, const char *path, bool own_namespace)
{
	const char *rest = path + strlen(path);

	if (!own_namespace) {
		rest = str_eq(root, "/") ? path : str_after(path, root);
		return rest && (*rest == '\0' || *rest == '/') ? rest : NULL;
	}
	if (str_eq(root, "/"))
		return rest;
	for (; str_after(root, "/.."); root += 3) {
		while (rest > path && *--rest != '/')
			;
		if (*rest != '/')
			return NULL;
	}
	return *root == '\0' ? rest : NULL;
}

/* The mount table has mounts too that later ones cover. 1, 0, or -errno when that cannot be found out just now. */
static int is_in_sight(const struct outside *o, const char *path)
{
	_cleanup_close_ int fd = sys_openat(o->proc_fd, path, O_PATH | O_DIRECTORY, 0);

	return fd < 0 && err_is_lack(fd) ? fd : fd >= 0;
}

/* Puts the host path of our cgroup PATH in the hierarchy into BUF: below a mount of it, whose own root may be anywhere. */
static int host_path(const struct outside *o, const struct hierarchy *h, const char *path,
		     char *buf, size_t size, struct crun_error *err)
{
	_cleanup_buf_ struct buf text = {0};
	struct mountinfo m;
	char *cursor;
	int r;

	r = mountinfo_read(o->proc_fd, "self/mountinfo", &text, err);
	if (r < 0)
		return r;
	cursor = text.data;
	while (mountinfo_next(&cursor, &m)) {
		const char *rest;

		if (!is_mount_of(&m, h))
			continue;
		rest = path_below(m.root, path, plan_ns_is_own(o->plan, NS_CGROUP));
		if (!rest || snprintf(buf, size, "%s%s", m.mount_point, rest) >= (int)size)
			continue;
		r = is_in_sight(o, buf);
		if (r < 0)
			return err_sys(err, r, "open cgroup `%s`", buf);
		if (r > 0)
			return 0;
	}
	return err_set(
		err, KIND_UNSUPPORTED, ENOENT,
		"the cgroup hierarchy `%s` is not mounted on the host where `%s` can be seen",
		is_v2(h) ? "unified" : h->controllers, path);
}

/* Our cgroup as the mounts of the host name it. */
static const char *own_path(const struct outside *o, const struct hierarchy *h)
{
	/* In a new cgroup namespace our own file says "/": the host side told where we are. */
	if (plan_ns_is_own(o->plan, NS_CGROUP))
		return o->cgroup_path;
	return h->path;
}

/* A bind of our own cgroup's directory. Returns the mount, for which *later may be left to do, or -errno. */
static int bound_view(struct outside *o, const struct mount_op *op, const struct hierarchy *h,
		      struct mount_change *later, struct crun_error *err)
{
	const struct mount_change c = {
		.set = op->attr_set & ~(uint64_t)MOUNT_ATTR__ATIME,
		.propagation = MS_PRIVATE,
	};
	_cleanup_close_ int fd = FD_NONE;
	const char *path = own_path(o, h);
	char source[PATH_MAX];
	int r;

	if (!path)
		return err_set(err, KIND_UNSUPPORTED, ENOENT,
			       "the container has no cgroup that could be shown");
	r = host_path(o, h, path, source, sizeof(source), err);
	if (r < 0)
		return r;
	fd = mount_source_open(&o->stage, source, false, true, err);
	if (fd < 0)
		return fd;
	r = mount_tree_change(o, fd, &c, false, err);
	if (r < 0)
		return r;
	if (r > 0)
		*later = c;
	log_debug("mount to %s: bound %s", op->destination, source);
	return take_fd(&fd);
}

/* The container's view of one hierarchy: a new mount in a cgroup namespace, which ends at its root; a bind otherwise. */
static int make_view(struct outside *o, const struct mount_op *op, const struct hierarchy *h,
		     struct mount_change *later, struct crun_error *err)
{
	int fd;

	if (plan_ns_is_own(o->plan, NS_CGROUP)) {
		fd = new_view(o, h, op->attr_set);
		/* A user namespace needs a cgroup namespace of its own making and an uncovered mount to look at. */
		if (fd != -EPERM && fd != -EBUSY)
			return fd < 0 ? err_sys(err, fd, "mount the %s hierarchy `%s`",
						fstype_of(h), h->controllers)
				      : fd;
	}
	return bound_view(o, op, h, later, err);
}

/* Our line of the v2 hierarchy in self/cgroup, which TEXT holds. */
static int find_unified(const struct outside *o, struct buf *text, struct hierarchy *ret,
			struct crun_error *err)
{
	char *cursor;
	int r = mountinfo_read(o->proc_fd, "self/cgroup", text, err);

	if (r < 0)
		return r;
	cursor = text->data;
	while (next_hierarchy(&cursor, ret)) {
		if (is_v2(ret))
			return 0;
	}
	return err_set(err, KIND_UNSUPPORTED, ENODEV, "we are in no cgroup2 hierarchy");
}

/* A v2 host: the destination is the hierarchy. */
static int mount_unified(struct outside *o, const struct mount_op *op,
			 const struct mount_target *target, struct crun_error *err)
{
	/* In a cgroup namespace of our own we are its root, and nothing has to be found out. */
	struct hierarchy h = {.controllers = "", .path = "/"};
	_cleanup_buf_ struct buf text = {0};
	struct mount_change later = {0};
	_cleanup_close_ int fd = FD_NONE;
	int r;

	if (!plan_ns_is_own(o->plan, NS_CGROUP)) {
		r = find_unified(o, &text, &h, err);
		if (r < 0)
			return r;
	}
	fd = make_view(o, op, &h, &later, err);
	if (fd < 0)
		return fd;
	return mount_attach_verified(o, op, fd, target, later.set ? &later : NULL, err);
}

/* The directory that a hierarchy is mounted on below /sys/fs/cgroup: "cpu,cpuacct", "systemd", "unified". */
static const char *directory_name(const struct hierarchy *h)
{
	const char *name = str_after(h->controllers, "name=");

	if (is_v2(h))
		return "unified";
	return name ? name : h->controllers;
}

static int add_hierarchy(struct outside *o, const struct mount_op *op, int tmpfs,
			 const struct hierarchy *h, struct crun_error *err)
{
	struct mount_target t = {.fd = FD_NONE};
	struct mount_change later = {0};
	_cleanup_close_ int fd = FD_NONE;
	const char *name = directory_name(h);
	int r;

	if (!str_is_filename(name))
		return 0;
	fd = make_view(o, op, h, &later, err);
	/* The kernel lists hierarchies that the host has nowhere mounted: who made it without them can do without them inside. */
	if (fd == -ENOENT && err->kind == KIND_UNSUPPORTED) {
		log_debug("mount to %s: %s", op->destination, err->text);
		return 0;
	}
	if (fd < 0)
		return fd;
	r = sys_mkdirat(tmpfs, name, 0755);
	if (r < 0 && r != -EEXIST)
		return err_sys(err, r, "mkdir `%s`", name);
	t.fd = sys_openat(tmpfs, name, O_PATH | O_DIRECTORY | O_NOFOLLOW, 0);
	if (t.fd < 0)
		return err_sys(err, t.fd, "open `%s`", name);
	snprintf(t.path, sizeof(t.path), "%s/%s", op->destination, name);
	r = mount_attach_verified(o, op, fd, &t, later.set ? &later : NULL, err);
	close_fd(&t.fd);
	return r;
}

/* Co-mounted controllers are known by their single names too: "cpu" -> "cpu,cpuacct". */
static int add_links(int tmpfs, const struct hierarchy *h, struct crun_error *err)
{
	const char *list = h->controllers;
	char word[64];
	int r;

	if (!strchr(list, ',') || str_after(list, "name="))
		return 0;
	while (*list) {
		size_t n = strcspn(list, ",");

		if (n < sizeof(word)) {
			memcpy(word, list, n);
			word[n] = '\0';
			r = sys_symlinkat(h->controllers, tmpfs, word);
			if (r < 0 && r != -EEXIST)
				return err_sys(err, r, "symlink `%s`", word);
		}
		list += n + (list[n] == ',');
	}
	return 0;
}

/* The directory that holds the hierarchies of a v1 host. */
static int make_directory(struct outside *o, const struct mount_op *op, struct crun_error *err)
{
	int r = mount_stage_new_simple(&o->stage, "tmpfs", "tmpfs",
				       op->attr_set & ~(uint64_t)MOUNT_ATTR_RDONLY, "mode=755");

	return r < 0 ? err_sys(err, r, "make a tmpfs for the cgroup hierarchies") : r;
}

static int fill_directory(struct outside *o, const struct mount_op *op, int tmpfs,
			  struct crun_error *err)
{
	_cleanup_buf_ struct buf text = {0};
	struct hierarchy h;
	size_t found = 0;
	char *cursor;
	int r;

	r = mountinfo_read(o->proc_fd, "self/cgroup", &text, err);
	if (r < 0)
		return r;
	cursor = text.data;
	for (; next_hierarchy(&cursor, &h); found++) {
		if (is_v2(&h) && o->plan->facts.cgroup_layout != CGROUP_HYBRID)
			continue;
		r = add_hierarchy(o, op, tmpfs, &h, err);
		if (r >= 0)
			r = add_links(tmpfs, &h, err);
		if (r < 0)
			return r;
	}
	/* Every process is in a cgroup of each hierarchy that is mounted. */
	if (!found && o->plan->facts.cgroup_layout != CGROUP_NONE)
		return err_set(err, CODE_PROC_MISSING, EIO,
			       "read /proc/self/cgroup: it is empty, although cgroups are mounted");
	return 0;
}

/* A v1 or hybrid host: a directory with a mount for each hierarchy. */
static int mount_hierarchies(struct outside *o, const struct mount_op *op,
			     const struct mount_target *target, struct crun_error *err)
{
	const struct mount_change readonly = {.set = MOUNT_ATTR_RDONLY};
	struct mount_op writable = *op;
	_cleanup_close_ int tmpfs = FD_NONE;
	int r;

	/* Attached first: before 6.15 a mount cannot be put on a detached one. */
	writable.attr_set &= ~(uint64_t)MOUNT_ATTR_RDONLY;
	tmpfs = make_directory(o, op, err);
	if (tmpfs < 0)
		return tmpfs;
	r = mount_attach_verified(o, &writable, tmpfs, target, NULL, err);
	if (r < 0)
		return r;
	r = fill_directory(o, op, tmpfs, err);
	if (r < 0)
		return r;
	if (!(op->attr_set & MOUNT_ATTR_RDONLY))
		return 0;
	r = mount_attr_apply(o->proc_fd, tmpfs, &readonly);
	if (r < 0)
		return err_sys(err, r, "make the directory of the cgroup hierarchies read-only");
	return mount_attr_verify(tmpfs, MOUNT_ATTR_RDONLY, err);
}

int mount_cgroup(struct outside *o, const struct mount_op *op, struct crun_error *err)
{
	struct mount_target t = {.fd = FD_NONE};
	int r;

	r = mount_target_open(o, op, S_IFDIR, FD_NONE, &t, err);
	if (r >= 0) {
		if (o->plan->facts.cgroup_layout == CGROUP_V2)
			r = mount_unified(o, op, &t, err);
		else
			r = mount_hierarchies(o, op, &t, err);
	}
	close_fd(&t.fd);
	return r;
}
