// SPDX-License-Identifier: Apache-2.0
// A look-up by single steps: see walk.h.
#include "fs/walk.h"

#include "base/cleanup.h"
#include "base/str.h"
#include "fs/mount_id.h"
#include "sys/file.h"

#include <stdio.h>

#define PROC_ROOT_INODE 1  /* the root of every procfs */
#define MAX_LINKS	40 /* what the kernel follows in one look-up (MAXSYMLINKS) */
/* A component that somebody removes as fast as we create it. */
#define MAX_TRIES 16

/* What this process found out: it need not be tried again. */
static bool no_openat2;

static int try_openat2(int dirfd, const char *path, int flags, unsigned long resolve)
{
	int r;

	if (no_openat2)
		return -ENOSYS;
	r = sys_openat2(dirfd, path, flags, 0, resolve);
	no_openat2 = r == -ENOSYS;
	return r;
}

static int check_mount(const struct walk *w, int fd)
{
	uint64_t id;
	int r;

	if (!(w->resolve & RESOLVE_NO_XDEV))
		return 0;
	/* Who says NO_XDEV looks up in a procfs. */
	r = mount_id_of(w->root_fd, fd, &id);
	if (r < 0)
		return r;
	return id == w->mount_id ? 0 : -EXDEV;
}

/* Goes to the directory DONE, which was reached before: a link in it now means that somebody is racing with us. */
static int walk_goto(struct walk *w)
{
	_cleanup_close_ int fd = FD_NONE;
	char name[NAME_MAX + 1];
	const char *rest = w->done;
	int next;

	fd = try_openat2(w->root_fd, w->done[0] ? w->done : ".", O_PATH | O_DIRECTORY,
			 RESOLVE_IN_ROOT | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS);
	if (fd == -ENOSYS)
		fd = sys_openat(w->root_fd, ".", O_PATH | O_DIRECTORY, 0);
	else
		rest = "";
	while (fd >= 0 && *rest) {
		size_t len = strcspn(rest, "/");

		memcpy(name, rest, len);
		name[len] = '\0';
		rest += len + (rest[len] == '/');
		next = sys_openat(fd, name, O_PATH | O_NOFOLLOW | O_DIRECTORY, 0);
		close_fd(&fd);
		fd = next;
	}
	if (fd < 0)
		return fd;
	close_fd(&w->dir_fd);
	w->dir_fd = take_fd(&fd);
	return 0;
}

/* "..": the parent, or the root again, as in a chroot. */
static int walk_up(struct walk *w)
{
	char *slash = strrchr(w->done, '/');

	if (!w->done[0] && !(w->resolve & RESOLVE_IN_ROOT))
		return -EXDEV;
	if (slash)
		*slash = '\0';
	else
		w->done[0] = '\0';
	return walk_goto(w);
}

static int walk_down(struct walk *w, const char *name, int fd)
{
	size_t used = strlen(w->done);
	int n;

	n = snprintf(w->done + used, sizeof(w->done) - used, "%s%s", used ? "/" : "", name);
	if (n < 0 || (size_t)n >= sizeof(w->done) - used) {
		w->done[used] = '\0';
		close_fd(&fd);
		return -ENAMETOOLONG;
	}
	close_fd(&w->dir_fd);
	w->dir_fd = fd;
	return 0;
}

/*
 * Magic links exist in procfs only, and their text is a host path or no path at all. In its root there are but ordinary ones: self,
 * thread-self, net, mounts.
 */
static bool is_magic(const struct walk *w, int fd)
{
	struct statfs fs;
	struct stat st;

	if (sys_fstatfs(fd, &fs) < 0)
		return true;
	if (fs.f_type != PROC_SUPER_MAGIC_)
		return false;
	return sys_fstatat(w->dir_fd, "", &st) < 0 || st.st_ino != PROC_ROOT_INODE ||
	       sys_fstatfs(w->dir_fd, &fs) < 0 || fs.f_type != PROC_SUPER_MAGIC_;
}

/* Puts the target of the link FD in front of what is left. */
static int walk_link(struct walk *w, int fd, const char *rest)
{
	char target[PATH_MAX], joined[PATH_MAX];
	int r, n;

	if ((w->resolve & RESOLVE_NO_SYMLINKS) || is_magic(w, fd) || ++w->links > MAX_LINKS)
		return -ELOOP;
	r = sys_readlinkat(fd, "", target, sizeof(target));
	if (r < 0)
		return r;
	n = snprintf(joined, sizeof(joined), "%s%s%s", target, rest[0] ? "/" : "", rest);
	if (n < 0 || (size_t)n >= sizeof(joined))
		return -ENAMETOOLONG;
	memcpy(w->todo, joined, (size_t)n + 1);
	if (target[0] != '/')
		return 0;
	if (!(w->resolve & RESOLVE_IN_ROOT))
		return -EXDEV;
	w->done[0] = '\0';
	return walk_goto(w);
}

/* Creates NAME in the current directory; that it exists by now is fine. */
static int walk_create(struct walk *w, const char *name, bool last)
{
	mode_t mode = last ? w->create : (mode_t)(S_IFDIR | 0755);
	int r;

	/* mknod instead of open(O_CREAT): whatever is there by now is never opened (a FIFO would block). */
	if (S_ISDIR(mode))
		r = sys_mkdirat(w->dir_fd, name, mode & 07777);
	else
		r = sys_mknodat(w->dir_fd, name, mode, 0);
	if (r == -EEXIST)
		return 0;
	if (r == 0 && last)
		w->created = true;
	return r;
}

/* An O_PATH fd of NAME in the current directory, created when it is missing. */
static int walk_enter(struct walk *w, const char *name, bool last)
{
	_cleanup_close_ int fd = FD_NONE;
	int r;

	for (int i = 0; i < MAX_TRIES; i++) {
		fd = sys_openat(w->dir_fd, name, O_PATH | O_NOFOLLOW, 0);
		if (fd != -ENOENT || !w->create)
			break;
		r = walk_create(w, name, last);
		if (r < 0)
			return r;
	}
	if (fd < 0)
		return fd;
	r = check_mount(w, fd);
	return r < 0 ? r : take_fd(&fd);
}

/* Takes the component NAME, before REST. Returns an fd when it was the last one, -EINPROGRESS to go on. */
static int walk_step(struct walk *w, const char *name, const char *rest)
{
	bool last = rest[strspn(rest, "/")] == '\0';
	/* "link/" is what the link leads to, and has to be a directory. */
	bool is_dir = rest[0] == '/' && !w->create;
	_cleanup_close_ int fd = FD_NONE;
	struct stat st;
	int r;

	if (str_eq(name, "."))
		return -EINPROGRESS;
	if (str_eq(name, "..")) {
		r = walk_up(w);
		return r < 0 ? r : -EINPROGRESS;
	}
	fd = walk_enter(w, name, last);
	if (fd < 0)
		return fd;
	r = sys_fstatat(fd, "", &st);
	if (r < 0)
		return r;
	if (S_ISLNK(st.st_mode) && !(last && w->nofollow && !is_dir)) {
		r = walk_link(w, fd, rest);
		return r < 0 ? r : -EINPROGRESS;
	}
	if (last && !(is_dir && !S_ISDIR(st.st_mode)))
		return take_fd(&fd);
	if (!S_ISDIR(st.st_mode))
		return -ENOTDIR;
	r = walk_down(w, name, take_fd(&fd));
	return r < 0 ? r : -EINPROGRESS;
}

static int walk_run(struct walk *w)
{
	int r = -EINPROGRESS;

	while (r == -EINPROGRESS) {
		char rest[PATH_MAX];
		const char *from = w->todo + strspn(w->todo, "/");
		size_t len = strcspn(from, "/");

		if (len == 0) { /* the path ended with "..", "." or a slash */
			w->ends_here = true;
			return sys_dup_cloexec(w->dir_fd, 3);
		}
		if (len >= sizeof(w->name))
			return -ENAMETOOLONG;
		memcpy(w->name, from, len);
		w->name[len] = '\0';
		snprintf(rest, sizeof(rest), "%s", from + len);
		/* A link replaces todo: set it before the step. */
		memcpy(w->todo, rest, strlen(rest) + 1);
		r = walk_step(w, w->name, rest);
	}
	return r;
}

int walk_to(struct walk *w, const char *path)
{
	int r;

	w->dir_fd = FD_NONE;
	w->done[0] = w->name[0] = '\0';
	w->links = 0;
	w->created = w->ends_here = false;
	if (strlen(path) >= sizeof(w->todo))
		return -ENAMETOOLONG;
	if (path[0] == '/' && !(w->resolve & RESOLVE_IN_ROOT))
		return -EXDEV;
	memcpy(w->todo, path, strlen(path) + 1);
	if (w->resolve & RESOLVE_NO_XDEV) {
		r = mount_id_of(w->root_fd, w->root_fd, &w->mount_id);
		if (r < 0)
			return r;
	}
	r = walk_goto(w);
	return r < 0 ? r : walk_run(w);
}

void walk_done(struct walk *w)
{
	close_fd(&w->dir_fd);
}

/*
 * What was found is opened once more, this time with FLAGS: the name in its directory, which may be something else by now but is
 * no link, and on the right mount.
 */
static int open_found(const struct walk *w, int found, int flags)
{
	_cleanup_close_ int fd = FD_NONE;
	struct stat st;
	int r;

	if (flags & O_PATH) {
		r = sys_fstatat(found, "", &st);
		if (r < 0)
			return r;
		if ((flags & O_DIRECTORY) && !S_ISDIR(st.st_mode))
			return -ENOTDIR;
		return sys_dup_cloexec(found, 3);
	}
	fd = sys_openat(w->dir_fd, w->ends_here ? "." : w->name, flags | O_NOFOLLOW, 0);
	if (fd < 0)
		return fd;
	r = check_mount(w, fd);
	return r < 0 ? r : take_fd(&fd);
}

int lookup_open(int root_fd, const char *path, int flags, unsigned long resolve)
{
	struct walk w = {
		.root_fd = root_fd,
		.resolve = resolve,
		.nofollow = (flags & O_NOFOLLOW) != 0,
	};
	_cleanup_close_ int found = FD_NONE;
	int r;

	w.dir_fd = FD_NONE;
	r = try_openat2(root_fd, path, flags, resolve);

	if (r != -ENOSYS)
		return r;
	found = *path ? walk_to(&w, path) : -ENOENT;
	r = found < 0 ? found : open_found(&w, found, flags);
	walk_done(&w);
	return r;
}
