// SPDX-License-Identifier: Apache-2.0
// The phase `symlinks`: the links that every /dev has.
#include "init/outside/phase.h"

#include "base/cleanup.h"
#include "base/str.h"
#include "fs/inroot.h"
#include "fs/procfs.h"
#include "init/outside/mount.h"
#include "sys/file.h"

#include <limits.h>

static const struct dev_link {
	const char *name, *target;
	bool replace; /* what is there instead is removed */
} dev_links[] = {
	{"fd", "/proc/self/fd", false},
	{"stdin", "/proc/self/fd/0", false},
	{"stdout", "/proc/self/fd/1", false},
	{"stderr", "/proc/self/fd/2", false},
	/* A ptmx node would open a terminal of whatever devpts it was made for: it has to be the container's own. */
	{"ptmx", "pts/ptmx", true},
};

static bool is_link_to(int dir, const char *name, const char *target)
{
	char text[PATH_MAX];

	return sys_readlinkat(dir, name, text, sizeof(text)) >= 0 && str_eq(text, target);
}

static int make_link(int dir, const struct dev_link *link, struct crun_error *err)
{
	int r = sys_symlinkat(link->target, dir, link->name);

	if (r == -EEXIST && (!link->replace || is_link_to(dir, link->name, link->target)))
		return 0;
	if (r == -EEXIST) {
		r = sys_unlinkat(dir, link->name, 0);
		/* EBUSY: the configuration mounted something there. */
		if (r == -EBUSY)
			return 0;
		if (r >= 0)
			r = sys_symlinkat(link->target, dir, link->name);
	}
	if (r < 0)
		return err_sys(err, r, "symlink `/dev/%s` to `%s`", link->name, link->target);
	return 0;
}

/* /dev/core is only made where the kernel has what it points to. */
static bool has_kcore(const struct outside *o)
{
	struct stat st;

	return sys_fstatat(o->proc_fd, "kcore", &st) >= 0;
}

int phase_symlinks(struct outside *o, struct crun_error *err)
{
	static const struct dev_link core = {"core", "/proc/kcore", false};
	_cleanup_close_ int dir = FD_NONE;
	struct stat st;
	int r;

	if (mount_dev_is_bind(o))
		return 0;
	/* /dev itself may be a link in an image; it leads to where it would in a chroot (CVE-2026-41579, CVE-2026-47766). */
	dir = inroot_make(o->root_fd, "/dev", S_IFDIR | 0755, 0, NULL, err);
	if (dir < 0)
		return dir;
	r = sys_fstatat(dir, "", &st);
	if (r < 0 || !S_ISDIR(st.st_mode))
		return err_sys(err, r < 0 ? r : -ENOTDIR, "`/dev` in the root filesystem");
	for (size_t i = 0; i < ARRAY_LEN(dev_links); i++) {
		r = make_link(dir, &dev_links[i], err);
		if (r < 0)
			return r;
	}
	return has_kcore(o) ? make_link(dir, &core, err) : 0;
}
