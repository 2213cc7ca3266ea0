// SPDX-License-Identifier: Apache-2.0
// Mounts that wait to be attached: see mount_stage.h.
#include "fs/mount_stage.h"

#include "base/cleanup.h"
#include "fs/mount_attr.h"
#include "fs/mount_old.h"
#include "fs/mount_id.h"
#include "sys/file.h"
#include "sys/mount.h"

#include <stdio.h>
#include <string.h>

bool mount_stage_is_open(const struct mount_stage *s)
{
	return s && s->dir_fd >= 0;
}

int mount_stage_open(struct mount_stage *s, int covered, const char *path, struct crun_error *err)
{
	_cleanup_close_ int fd = FD_NONE;
	struct statfs fs;
	uint64_t below, id;
	int r;

	r = mount_old_new(s->proc_fd, covered, "stage", "tmpfs", MS_NOSUID | MS_NODEV | MS_NOEXEC,
			  "mode=0700,size=1m");
	if (r < 0)
		return err_sys(err, r, "mount a tmpfs on `%s`", path);
	fd = sys_openat(AT_FDCWD, path, O_PATH | O_DIRECTORY, 0);
	if (fd < 0)
		return err_sys(err, fd, "open the tmpfs on `%s`", path);
	r = sys_fstatfs(fd, &fs);
	if (r >= 0)
		r = mount_id_of(s->proc_fd, covered, &below);
	if (r >= 0)
		r = mount_id_of(s->proc_fd, fd, &id);
	if (r < 0)
		return err_sys(err, r, "look at the tmpfs on `%s`", path);
	if (fs.f_type != TMPFS_MAGIC_ || id == below)
		return err_set(err, KIND_SYSTEM, ESTALE,
			       "`%s` was replaced while the container was made", path);
	/* No recursive bind mount takes it along. */
	r = mount_old_change(s->proc_fd, fd, MS_UNBINDABLE);
	if (r < 0)
		return err_sys(err, r, "make the tmpfs on `%s` unbindable", path);
	s->dir_fd = take_fd(&fd);
	return 0;
}

/* A new mount point on the stage: a directory, or a file. Returns its O_PATH fd, and its name. */
static int make_slot(struct mount_stage *s, bool is_dir, char name[16])
{
	int r;

	snprintf(name, 16, "%u", s->slots++);
	r = is_dir ? sys_mkdirat(s->dir_fd, name, 0700)
		   : sys_mknodat(s->dir_fd, name, S_IFREG | 0600, 0);
	return r < 0 ? r : sys_openat(s->dir_fd, name, O_PATH | O_NOFOLLOW, 0);
}

/* Only we know the stage: what its name leads to now is what was just mounted there. */
static int open_slot(const struct mount_stage *s, const char *name)
{
	return sys_openat(s->dir_fd, name, O_PATH | O_NOFOLLOW, 0);
}

int mount_stage_clone(struct mount_stage *s, int fd, bool recursive)
{
	_cleanup_close_ int slot = FD_NONE;
	struct stat st;
	char name[16];
	int r;

	if (!mount_stage_is_open(s))
		return sys_open_tree(
			fd, "", OPEN_TREE_CLONE | AT_EMPTY_PATH | (recursive ? AT_RECURSIVE : 0));
	r = sys_fstatat(fd, "", &st);
	if (r < 0)
		return r;
	slot = make_slot(s, S_ISDIR(st.st_mode), name);
	if (slot < 0)
		return slot;
	r = mount_old_bind(s->proc_fd, fd, slot, recursive);
	return r < 0 ? r : open_slot(s, name);
}

int mount_stage_new(struct mount_stage *s, const char *source, const char *fstype, uint64_t attrs,
		    const char *data)
{
	_cleanup_close_ int slot = FD_NONE;
	char name[16];
	int r;

	slot = make_slot(s, true, name);
	if (slot < 0)
		return slot;
	r = mount_old_new(s->proc_fd, slot, source, fstype, mount_attr_flags(attrs), data);
	return r < 0 ? r : open_slot(s, name);
}

/* One option after the other, cut out of OPTIONS. */
static int configure(int fs, char *options)
{
	char *key;
	int r = 0;

	while (r >= 0 && (key = strsep(&options, ",")) != NULL) {
		char *value = strchr(key, '=');

		if (value)
			*value++ = '\0';
		if (*key)
			r = value ? sys_fsconfig_string(fs, key, value)
				  : sys_fsconfig_flag(fs, key);
	}
	return r;
}

int mount_stage_new_simple(struct mount_stage *s, const char *source, const char *fstype,
			   uint64_t attrs, const char *options)
{
	_cleanup_close_ int fs = FD_NONE;
	char copy[256];
	int r;

	if (mount_stage_is_open(s))
		return mount_stage_new(s, source, fstype, attrs, options);
	if (strlen(options) >= sizeof(copy))
		return -ENAMETOOLONG;
	memcpy(copy, options, strlen(options) + 1);
	fs = sys_fsopen(fstype);
	if (fs < 0)
		return fs;
	r = sys_fsconfig_string(fs, "source", source);
	if (r >= 0)
		r = configure(fs, copy);
	if (r >= 0)
		r = sys_fsconfig_create(fs);
	return r < 0 ? r : sys_fsmount(fs, (unsigned)attrs);
}

int mount_stage_attach(const struct mount_stage *s, int mount, int target)
{
	if (!mount_stage_is_open(s))
		return sys_move_mount(mount, target);
	return mount_old_move(s->proc_fd, mount, target);
}
