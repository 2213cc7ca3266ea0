// SPDX-License-Identifier: Apache-2.0
// Hidden paths: see cover.h.
#include "fs/cover.h"

#include "base/cleanup.h"
#include "fs/inroot.h"
#include "sys/file.h"

/* Before 6.15 only an attached mount can be cloned: so the first use attaches the object itself. */
static int attach(struct mount_stage *stage, int object, bool *used, int target)
{
	_cleanup_close_ int clone = FD_NONE;
	int r;

	if (!*used) {
		r = mount_stage_attach(stage, object, target);
		*used = r >= 0;
		return r;
	}
	clone = mount_stage_clone(stage, object, false);
	return clone < 0 ? clone : mount_stage_attach(stage, clone, target);
}

/* 1 when FD is the object, 0 when it is another file. */
static int is_object(int fd, int object)
{
	struct stat a, b;
	int r;

	r = sys_fstatat(fd, "", &a);
	if (r >= 0)
		r = sys_fstatat(object, "", &b);
	return r < 0 ? r : a.st_dev == b.st_dev && a.st_ino == b.st_ino;
}

int cover_path(struct mount_stage *stage, struct covers *covers, int root_fd, const char *path,
	       struct crun_error *err)
{
	_cleanup_close_ int fd = FD_NONE;
	struct stat st;
	bool is_dir;
	int r, object;

	fd = inroot_open(root_fd, path, O_PATH);
	/* What init cannot reach with all capabilities of the container (EACCES) nobody in it can. */
	if (fd == -ENOENT || fd == -ENOTDIR || fd == -EACCES)
		return 0;
	if (fd < 0)
		return err_sys(err, fd, "open");
	r = sys_fstatat(fd, "", &st);
	if (r < 0)
		return err_sys(err, r, "stat");
	is_dir = S_ISDIR(st.st_mode);
	object = is_dir ? covers->dir_fd : covers->file_fd;
	if (is_object(fd, object) == 1)
		return 0;
	r = attach(stage, object, is_dir ? &covers->dir_used : &covers->file_used, fd);
	if (r < 0)
		return err_sys(err, r, "cover it");
	/* Looked up again: what a process in the container would get is the cover. */
	close_fd(&fd);
	fd = inroot_open(root_fd, path, O_PATH);
	if (fd < 0)
		return err_sys(err, fd, "open it again");
	r = is_object(fd, object);
	if (r < 0)
		return err_sys(err, r, "stat");
	if (r == 0)
		return err_set(err, KIND_SYSTEM, EIO, "the mask did not take effect");
	return 0;
}
