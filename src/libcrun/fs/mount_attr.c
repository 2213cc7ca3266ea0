// SPDX-License-Identifier: Apache-2.0
// Attributes of a mount: see mount_attr.h.
#include "fs/mount_attr.h"

#include "base/cleanup.h"
#include "fs/procfs.h"
#include "sys/file.h"
#include "sys/mount.h"

#include <stdio.h>

#define ST_NOSYMFOLLOW_ 0x2000 /* statfs(2), 5.10 */

/* One flag in the three alphabets that the kernel has for it. */
static const struct attr_name {
	uint64_t attr;
	unsigned long ms;
	unsigned long st;
	const char *name;
} attr_names[] = {
	{MOUNT_ATTR_RDONLY, MS_RDONLY, 0x0001, "ro"},
	{MOUNT_ATTR_NOSUID, MS_NOSUID, 0x0002, "nosuid"},
	{MOUNT_ATTR_NODEV, MS_NODEV, 0x0004, "nodev"},
	{MOUNT_ATTR_NOEXEC, MS_NOEXEC, 0x0008, "noexec"},
	{MOUNT_ATTR_NOSYMFOLLOW, MS_NOSYMFOLLOW, ST_NOSYMFOLLOW_, "nosymfollow"},
};

#define ST_NOATIME_    0x0400
#define ST_NODIRATIME_ 0x0800
#define ST_RELATIME_   0x1000

int mount_attr_change(int fd, const struct mount_change *c)
{
	uint64_t rec_propagation = c->propagation_rec ? c->propagation : 0;
	uint64_t top_propagation = c->propagation_rec ? 0 : c->propagation;
	int r;

	if (c->rec_set || c->rec_clr || rec_propagation) {
		r = sys_mount_setattr(fd, 1, c->rec_set, c->rec_clr, rec_propagation);
		if (r < 0)
			return r;
	}
	if (c->set || c->clr || top_propagation) {
		r = sys_mount_setattr(fd, 0, c->set, c->clr, top_propagation);
		if (r < 0)
			return r;
	}
	return 0;
}

/* mount(2) knows only paths: the one of FD in procfs leads to FD and nowhere else. */
static int mount_by_fd(int proc_fd, int fd, const char *source, const char *fstype,
		       unsigned long flags, const char *data)
{
	_cleanup_close_ int dir = FD_NONE;
	_cleanup_close_ int saved = FD_NONE;
	char name[16];
	int r, back;

	dir = procfs_open(proc_fd, "self/fd", O_PATH | O_DIRECTORY);
	if (dir < 0)
		return dir;
	saved = sys_openat(AT_FDCWD, ".", O_PATH | O_DIRECTORY, 0);
	if (saved < 0)
		return saved;
	r = sys_fchdir(dir);
	if (r < 0)
		return r;
	snprintf(name, sizeof(name), "%d", fd);
	r = sys_mount(source, name, fstype, flags, data);
	back = sys_fchdir(saved);
	return r < 0 ? r : back;
}

/* The flags of mount(2) that leave the mount of FD as it is. */
static int current_flags(int fd, unsigned long *ret)
{
	struct statfs st;
	unsigned long ms = 0;
	int r;

	r = sys_fstatfs(fd, &st);
	if (r < 0)
		return r;
	for (size_t i = 0; i < ARRAY_LEN(attr_names); i++) {
		if ((unsigned long)st.f_flags & attr_names[i].st)
			ms |= attr_names[i].ms;
	}
	if (st.f_flags & ST_NOATIME_)
		ms |= MS_NOATIME;
	else if (!(st.f_flags & ST_RELATIME_))
		ms |= MS_STRICTATIME;
	if (st.f_flags & ST_NODIRATIME_)
		ms |= MS_NODIRATIME;
	*ret = ms;
	return 0;
}

static unsigned long change_flags(unsigned long ms, const struct mount_change *c)
{
	for (size_t i = 0; i < ARRAY_LEN(attr_names); i++) {
		if (c->clr & attr_names[i].attr)
			ms &= ~attr_names[i].ms;
		if (c->set & attr_names[i].attr)
			ms |= attr_names[i].ms;
	}
	if (c->clr & MOUNT_ATTR__ATIME) {
		ms &= ~(unsigned long)(MS_NOATIME | MS_STRICTATIME | MS_RELATIME);
		if ((c->set & MOUNT_ATTR__ATIME) == MOUNT_ATTR_NOATIME)
			ms |= MS_NOATIME;
		else if ((c->set & MOUNT_ATTR__ATIME) == MOUNT_ATTR_STRICTATIME)
			ms |= MS_STRICTATIME;
		else
			ms |= MS_RELATIME;
	}
	if (c->clr & MOUNT_ATTR_NODIRATIME)
		ms &= ~(unsigned long)MS_NODIRATIME;
	if (c->set & MOUNT_ATTR_NODIRATIME)
		ms |= MS_NODIRATIME;
	return ms;
}

int mount_attr_remount(int proc_fd, int fd, const struct mount_change *c)
{
	unsigned long ms;
	int r;

	if (c->rec_set || c->rec_clr)
		return -ENOSYS;
	if (c->set || c->clr) {
		r = current_flags(fd, &ms);
		if (r < 0)
			return r;
		r = mount_by_fd(proc_fd, fd, NULL, NULL, MS_REMOUNT | MS_BIND | change_flags(ms, c),
				NULL);
		if (r < 0)
			return r;
	}
	if (c->propagation)
		return mount_by_fd(proc_fd, fd, NULL, NULL,
				   c->propagation | (c->propagation_rec ? MS_REC : 0), NULL);
	return 0;
}

int mount_over_fd(int proc_fd, int fd, const char *source, const char *fstype, uint64_t attrs,
		  const char *data)
{
	const struct mount_change c = {.set = attrs, .clr = MOUNT_ATTR__ATIME};

	return mount_by_fd(proc_fd, fd, source, fstype, change_flags(0, &c), data);
}

int mount_attr_apply(int proc_fd, int fd, const struct mount_change *c)
{
	int r = mount_attr_change(fd, c);

	return r == -ENOSYS ? mount_attr_remount(proc_fd, fd, c) : r;
}

int mount_attr_get(int fd, uint64_t *ret)
{
	struct statfs st;
	uint64_t attrs = 0;
	int r;

	r = sys_fstatfs(fd, &st);
	if (r < 0)
		return r;
	for (size_t i = 0; i < ARRAY_LEN(attr_names); i++) {
		if ((unsigned long)st.f_flags & attr_names[i].st)
			attrs |= attr_names[i].attr;
	}
	*ret = attrs;
	return 0;
}

int mount_attr_verify(int fd, uint64_t attrs, struct crun_error *err)
{
	uint64_t got, missing;

	attrs &= MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC |
		 MOUNT_ATTR_NOSYMFOLLOW;
	if (!attrs)
		return 0;
	/* FUSE lets nobody but its owner ask; the kernel took the flags without an error. */
	if (mount_attr_get(fd, &got) < 0)
		return 0;
	missing = attrs & ~got;
	if (missing)
		return err_set(err, KIND_SYSTEM, EIO, "mount option `%s` did not take effect",
			       mount_attr_name(missing));
	return 0;
}

int mount_attr_verify_atime(int fd, uint64_t set, uint64_t clr, struct crun_error *err)
{
	static const struct {
		uint64_t mode;
		const char *name;
	} modes[] = {
		{MOUNT_ATTR_RELATIME, "relatime"},
		{MOUNT_ATTR_NOATIME, "noatime"},
		{MOUNT_ATTR_STRICTATIME, "strictatime"},
	};
	uint64_t wanted = set & MOUNT_ATTR__ATIME, got = MOUNT_ATTR_STRICTATIME;
	struct statfs st;

	if ((!(clr & MOUNT_ATTR__ATIME) && !(set & MOUNT_ATTR_NODIRATIME)) ||
	    sys_fstatfs(fd, &st) < 0)
		return 0;
	if (st.f_flags & ST_NOATIME_)
		got = MOUNT_ATTR_NOATIME;
	else if (st.f_flags & ST_RELATIME_)
		got = MOUNT_ATTR_RELATIME;
	for (size_t i = 0; i < ARRAY_LEN(modes); i++) {
		if ((clr & MOUNT_ATTR__ATIME) && modes[i].mode == wanted && wanted != got)
			return err_set(err, KIND_SYSTEM, EIO,
				       "mount option `%s` did not take effect", modes[i].name);
	}
	if ((set & MOUNT_ATTR_NODIRATIME) && !(st.f_flags & ST_NODIRATIME_))
		return err_set(err, KIND_SYSTEM, EIO,
			       "mount option `nodiratime` did not take effect");
	return 0;
}

const char *mount_attr_name(uint64_t attrs)
{
	for (size_t i = 0; i < ARRAY_LEN(attr_names); i++) {
		if (attrs & attr_names[i].attr)
			return attr_names[i].name;
	}
	if (attrs & MOUNT_ATTR__ATIME)
		return "atime";
	return (attrs & MOUNT_ATTR_NODIRATIME) ? "nodiratime" : "(none)";
}
