// SPDX-License-Identifier: Apache-2.0
// Hidden paths: see cover.h.
#include "fs/cover.h"

#include "base/cleanup.h"
#include "fs/inroot.h"
#include "sys/file.h"
#include "sys/mount.h"

/*
 * The mount to attach. Before 6.15 only an attached mount can be cloned: so the first use takes the object itself. What is to be closed
 * is put into *ret_clone.
 */
static int next_mount(struct mount_stage *stage, struct covers *covers, bool is_dir, int *ret_clone)
{
	bool *used = is_dir ? &covers->dir_used : &covers->file_used;
	int object = is_dir ? covers->dir_fd : covers->file_fd;

	if (!*used) {
		*used = true;
		return object;
	}
	*ret_clone = mount_stage_clone(stage, object, false);
	return *ret_clone;
}

/* 1 when ST is the object of its kind already, 0 when it is another file. */
static int is_object(const struct covers *covers, const struct stat *st)
{
	int object = S_ISDIR(st->st_mode) ? covers->dir_fd : covers->file_fd;
	struct stat other;
	int r;

	r = sys_fstatat(object, "", &other);
	return r < 0 ? r : st->st_dev == other.st_dev && st->st_ino == other.st_ino;
}

/* What init cannot reach with all capabilities of the container (EACCES) nobody in it can. */
static bool is_missing(int r)
{
	return r == -ENOENT || r == -ENOTDIR || r == -EACCES;
}

/*
 * NAME in a directory of the kernel's, which leads to the same after this as before: the mount that was attached is what a look-up ends
 * at, and a path that is listed twice is covered twice. Returns 1 for a link, which is for a look-up.
 */
static int cover_name(struct mount_stage *stage, struct covers *covers, int dir, const char *name,
		      struct crun_error *err)
{
	_cleanup_close_ int clone = FD_NONE;
	struct stat st;
	int r = sys_fstatat(dir, name, &st);

	if (is_missing(r))
		return 0;
	if (r < 0)
		return err_sys(err, r, "stat");
	if (S_ISLNK(st.st_mode))
		return 1;
	r = next_mount(stage, covers, S_ISDIR(st.st_mode), &clone);
	if (r >= 0)
		r = sys_move_mount_at(r, dir, name);
	return r < 0 ? err_sys(err, r, "cover it") : 0;
}

static int cover_found(struct mount_stage *stage, struct covers *covers, int root_fd,
		       const char *path, struct crun_error *err)
{
	_cleanup_close_ int fd = FD_NONE;
	_cleanup_close_ int clone = FD_NONE;
	struct stat st;
	int r;

	fd = inroot_open(root_fd, path, O_PATH);
	if (is_missing(fd))
		return 0;
	if (fd < 0)
		return err_sys(err, fd, "open");
	r = sys_fstatat(fd, "", &st);
	if (r < 0)
		return err_sys(err, r, "stat");
	if (is_object(covers, &st) == 1)
		return 0;
	r = next_mount(stage, covers, S_ISDIR(st.st_mode), &clone);
	if (r >= 0)
		r = mount_stage_attach(stage, r, fd);
	if (r < 0)
		return err_sys(err, r, "cover it");
	/* Looked up again: what a process in the container would get is the cover. */
	close_fd(&fd);
	fd = inroot_open(root_fd, path, O_PATH);
	if (fd < 0)
		return err_sys(err, fd, "open it again");
	r = sys_fstatat(fd, "", &st);
	if (r >= 0)
		r = is_object(covers, &st);
	if (r < 0)
		return err_sys(err, r, "stat");
	if (r == 0)
		return err_set(err, KIND_SYSTEM, EIO, "the mask did not take effect");
	return 0;
}

int cover_path(struct mount_stage *stage, struct covers *covers, int root_fd, const char *path,
	       struct crun_error *err)
{
	struct kernel_name at = {.own_fd = FD_NONE};
	int r = 0;

	if (covers->dirs && !mount_stage_is_open(stage))
		r = kernel_dirs_find(covers->dirs, path, &at);
	/* The kernel has no such directory. */
	if (r < 0)
		return 0;
	r = r == 1 ? cover_name(stage, covers, at.dir_fd, at.name, err) : 1;
	close_fd(&at.own_fd);
	return r == 1 ? cover_found(stage, covers, root_fd, path, err) : r;
}
