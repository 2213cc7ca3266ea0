// SPDX-License-Identifier: Apache-2.0
// A copy of a hostile directory tree: see tree_copy.h.
#include "fs/tree_copy.h"

#include "base/cleanup.h"
#include "base/str.h"
#include "sys/file.h"
#include "sys/io.h"
#include "sys/statx.h"

#include <dirent.h>
#include <limits.h>
#include <sys/xattr.h>

/* Each level holds two open directories; deeper trees are a denial of service, not somebody's /etc. */
#define MAX_DEPTH 128

struct copy {
	uint64_t mount_id; /* of the tree; 0: unknown to this kernel */
	char data[65536];
};

static int copy_level(struct copy *c, int from, int to, int depth, struct crun_error *err);

/* Extended attributes are best effort for names that a tmpfs does not take, but a file that loses its capabilities must not pass silently. */
static int copy_xattrs(int from, int to)
{
	char names[4096], value[4096];
	ssize_t len = flistxattr(from, names, sizeof(names));

	if (len < 0)
		return errno == EOPNOTSUPP ? 0 : -errno;
	for (const char *name = names; name < names + len; name += strlen(name) + 1) {
		ssize_t n = fgetxattr(from, name, value, sizeof(value));

		if (n < 0)
			return -errno;
		if (fsetxattr(to, name, value, (size_t)n, 0) < 0 && errno != EOPNOTSUPP &&
		    (errno != EPERM || str_after(name, "security.capability")))
			return -errno;
	}
	return 0;
}

/* Owner, mode and times of ST for the open file FD. Owner first: a change of it clears set-id bits. */
static int copy_attributes(int fd, const struct stat *st)
{
	const struct timespec times[2] = {st->st_atim, st->st_mtim};
	int r;

	r = sys_fchownat(fd, "", st->st_uid, st->st_gid, AT_EMPTY_PATH);
	if (r < 0)
		return r;
	r = sys_fchmod(fd, st->st_mode & 07777);
	if (r < 0)
		return r;
	return futimens(fd, times) < 0 ? -errno : 0;
}

static int copy_data(struct copy *c, int from, int to)
{
	ssize_t n;
	int r;

	while ((n = io_read_full(from, c->data, sizeof(c->data))) > 0) {
		r = io_write_all(to, c->data, (size_t)n);
		if (r < 0)
			return r;
	}
	return (int)n;
}

static int copy_file(struct copy *c, int from_dir, int to_dir, const char *name)
{
	_cleanup_close_ int from = FD_NONE;
	_cleanup_close_ int to = FD_NONE;
	struct stat st;
	int r;

	/* O_NONBLOCK: should it have become a FIFO meanwhile, opening it does not wait. */
	from = sys_openat(from_dir, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY, 0);
	if (from < 0)
		return from;
	r = sys_fstatat(from, "", &st);
	if (r < 0)
		return r;
	if (!S_ISREG(st.st_mode))
		return -ESTALE;
	to = sys_openat(to_dir, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, 0600);
	if (to < 0)
		return to;
	r = copy_data(c, from, to);
	if (r >= 0)
		r = copy_xattrs(from, to);
	return r < 0 ? r : copy_attributes(to, &st);
}

static int copy_link(int from_dir, int to_dir, const char *name, const struct stat *st)
{
	char target[PATH_MAX];
	int r;

	r = sys_readlinkat(from_dir, name, target, sizeof(target));
	if (r < 0)
		return r;
	r = sys_symlinkat(target, to_dir, name);
	if (r < 0)
		return r;
	return sys_fchownat(to_dir, name, st->st_uid, st->st_gid, AT_SYMLINK_NOFOLLOW);
}

static int copy_special(int to_dir, const char *name, const struct stat *st)
{
	int r;

	r = sys_mknodat(to_dir, name, st->st_mode, st->st_rdev);
	/* A user namespace has no device nodes; what a device in an image means there is nothing anyway. */
	if (r == -EPERM && (S_ISCHR(st->st_mode) || S_ISBLK(st->st_mode)))
		return 0;
	if (r < 0)
		return r;
	r = sys_fchownat(to_dir, name, st->st_uid, st->st_gid, AT_SYMLINK_NOFOLLOW);
	/* The umask may have taken bits; nobody else can reach the new tree. */
	return r < 0 ? r : sys_fchmodat(to_dir, name, st->st_mode & 07777);
}

/* True when the directory FD belongs to another mount than the tree. */
static bool is_other_mount(const struct copy *c, int fd)
{
	struct sys_mount_place place;

	return c->mount_id && sys_mount_place(fd, &place) == 0 && place.mount_id != c->mount_id;
}

static int copy_directory(struct copy *c, int from_dir, int to_dir, const char *name, int depth,
			  struct crun_error *err)
{
	_cleanup_close_ int from = FD_NONE;
	_cleanup_close_ int to = FD_NONE;
	int r;

	from = sys_openat(from_dir, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW, 0);
	if (from < 0)
		return err_sys(err, from, "open `%s`", name);
	r = sys_mkdirat(to_dir, name, 0700);
	if (r < 0)
		return err_sys(err, r, "mkdir `%s`", name);
	to = sys_openat(to_dir, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW, 0);
	if (to < 0)
		return err_sys(err, to, "open the copy of `%s`", name);
	if (is_other_mount(c, from))
		return 0;
	if (depth >= MAX_DEPTH)
		return err_set(err, KIND_SYSTEM, ELOOP, "`%s` lies more than %d directories deep",
			       name, MAX_DEPTH);
	return copy_level(c, from, to, depth + 1, err);
}

static int copy_entry(struct copy *c, int from, int to, const char *name, int depth,
		      struct crun_error *err)
{
	struct stat st;
	int r;

	r = sys_fstatat(from, name, &st);
	if (r < 0)
		return err_sys(err, r, "stat `%s`", name);
	if (S_ISDIR(st.st_mode))
		return copy_directory(c, from, to, name, depth, err);
	if (S_ISREG(st.st_mode))
		r = copy_file(c, from, to, name);
	else if (S_ISLNK(st.st_mode))
		r = copy_link(from, to, name, &st);
	else
		r = copy_special(to, name, &st);
	return r < 0 ? err_sys(err, r, "copy `%s`", name) : 0;
}

/* The entries of FROM, then its attributes: the copies would change its times. */
static int copy_level(struct copy *c, int from, int to, int depth, struct crun_error *err)
{
	_cleanup_closedir_ DIR *dir = NULL;
	struct dirent *entry;
	struct stat st;
	int fd, r;

	fd = sys_openat(from, ".", O_RDONLY | O_DIRECTORY, 0);
	if (fd < 0)
		return err_sys(err, fd, "open the directory");
	dir = fdopendir(fd);
	if (!dir) {
		r = -errno;
		close(fd);
		return err_sys(err, r, "read the directory");
	}
	while ((errno = 0, entry = readdir(dir)) != NULL) {
		if (str_eq(entry->d_name, ".") || str_eq(entry->d_name, ".."))
			continue;
		r = copy_entry(c, from, to, entry->d_name, depth, err);
		if (r < 0)
			return r;
	}
	if (errno)
		return err_sys(err, -errno, "read the directory");
	if (depth == 0)
		return 0;
	r = sys_fstatat(from, "", &st);
	if (r >= 0)
		r = copy_xattrs(from, to);
	if (r >= 0)
		r = copy_attributes(to, &st);
	return r < 0 ? err_sys(err, r, "set owner and mode of the copied directory") : 0;
}

int tree_copy(int from, int to, struct crun_error *err)
{
	struct sys_mount_place place;
	struct copy *c;
	int r;

	c = calloc(1, sizeof(*c));
	if (!c)
		return err_sys(err, -ENOMEM, "copy a directory");
	if (sys_mount_place(from, &place) == 0)
		c->mount_id = place.mount_id;
	r = copy_level(c, from, to, 0, err);
	free(c);
	return r;
}
