// SPDX-License-Identifier: Apache-2.0
// The self-audit's part about what the payload sees of the file system: see audit.h.
#include "init/last/audit.h"

#include "base/cleanup.h"
#include "base/str.h"
#include "fs/inroot.h"
#include "fs/mount_attr.h"
#include "sys/file.h"

#include <errno.h>
#include <linux/mount.h>
#include <sys/sysmacros.h>

#define JUDGED (MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC)

/* What the payload's user cannot reach is of no use to it. -ENOENT: not there, or out of reach. */
static int open_as_payload(int root_fd, const char *path)
{
	int fd = inroot_open(root_fd, path, O_PATH);

	return fd == -EACCES || fd == -ENOTDIR ? -ENOENT : fd;
}

static int differs_at(const char *what, const char *path, struct crun_error *err)
{
	return err_set(err, CODE_SELF_AUDIT, EPERM, "self-audit: %s `%s`: %s", what, path,
		       "it is not as the configuration wants it");
}

static int check_flags(int root_fd, const char *what, const char *path, uint64_t attrs,
		       struct crun_error *err)
{
	_cleanup_close_ int fd = open_as_payload(root_fd, path);
	struct crun_error why;

	if (fd == -ENOENT)
		return 0;
	if (fd < 0)
		return err_sys(err, fd, "self-audit: open `%s`", path);
	if (mount_attr_verify(fd, attrs, &why) >= 0)
		return 0;
	return err_set(err, CODE_SELF_AUDIT, EPERM, "self-audit: %s `%s`: %s", what, path,
		       why.text);
}

/* A directory must be empty to everybody, which no access right is as good at as a read-only file system; all else the null device. */
static int check_mask(int root_fd, const char *path, struct crun_error *err)
{
	_cleanup_close_ int fd = open_as_payload(root_fd, path);
	uint64_t attrs = 0;
	struct stat st;
	int r;

	if (fd == -ENOENT)
		return 0;
	r = fd < 0 ? fd : sys_fstatat(fd, "", &st);
	if (r < 0)
		return err_sys(err, r, "self-audit: look at `%s`", path);
	if (S_ISCHR(st.st_mode) && st.st_rdev == makedev(1, 3))
		return 0;
	/* An empty directory of a tmpfs has two links and no size beyond its dots. */
	if (!S_ISDIR(st.st_mode) || st.st_nlink > 2)
		return differs_at("masked path", path, err);
	r = mount_attr_get(fd, &attrs);
	if (r < 0 || !(attrs & MOUNT_ATTR_RDONLY))
		return differs_at("masked path", path, err);
	return 0;
}

static bool is_same_or_above(const char *above, const char *path)
{
	const char *rest = str_after(path, above);

	return rest && (*rest == '\0' || *rest == '/' || str_eq(above, "/"));
}

static bool is_masked(const struct launch_plan *plan, const char *path)
{
	for (size_t i = 0; i < plan->masked_paths_len; i++) {
		if (is_same_or_above(plan->masked_paths[i], path))
			return true;
	}
	return false;
}

/* Whether what is at the destination of mount I in the end may be something else: destinations are compared as text only. */
static bool is_covered(const struct launch_plan *plan, size_t i)
{
	const char *path = plan->mounts[i].destination;

	for (size_t k = i + 1; k < plan->mounts_len; k++) {
		if (is_same_or_above(plan->mounts[k].destination, path))
			return true;
	}
	return is_masked(plan, path);
}

int audit_mounts(const struct launch_plan *plan, int root_fd, struct crun_error *err)
{
	int r = 0;

	if (plan_hooks_could_mount(plan))
		return 0;
	if (plan->root_readonly)
		r = check_flags(root_fd, "root filesystem", "/", MOUNT_ATTR_RDONLY, err);
	for (size_t i = 0; r == 0 && i < plan->mounts_len; i++) {
		const struct mount_op *op = &plan->mounts[i];
		uint64_t attrs = (op->attr_set | op->rec_set) & ~op->attr_clr & JUDGED;

		if (attrs && op->kind != MOUNT_CGROUP && !op->dest_nofollow && !is_covered(plan, i))
			r = check_flags(root_fd, "mount to", op->destination, attrs, err);
	}
	for (size_t i = 0; r == 0 && i < plan->readonly_paths_len; i++) {
		const char *path = plan->readonly_paths[i];

		if (!is_masked(plan, path))
			r = check_flags(root_fd, "read-only path", path, MOUNT_ATTR_RDONLY, err);
	}
	for (size_t i = 0; r == 0 && i < plan->masked_paths_len; i++)
		r = check_mask(root_fd, plan->masked_paths[i], err);
	return r;
}
