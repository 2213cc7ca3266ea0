// SPDX-License-Identifier: Apache-2.0
// Paths inside a hostile tree: see inroot.h.
#include "fs/inroot.h"

#include "base/cleanup.h"
#include "base/str.h"
#include "sys/file.h"

#include <limits.h>
#include <stdio.h>

/* Magic links are never followed in-root today, but openat2(2) reserves the right to change that: say it. */
#define RESOLVE_INROOT (RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS)

#define MAX_LINKS      40 /* what the kernel follows in one look-up (MAXSYMLINKS) */
/* A component that somebody removes as fast as we create it. */
#define MAX_TRIES 16

/* A look-up that creates what is missing: the position in the tree and what is left to do. */
struct walk {
	int root_fd;
	int dir_fd;	     /* O_PATH of the directory `done` */
	char done[PATH_MAX]; /* from the root, "a/b", free of links; "" is the root itself */
	char todo[PATH_MAX];
	unsigned links;
	mode_t mode;
	unsigned flags;
	bool created;
};

int inroot_open(int root_fd, const char *path, int flags)
{
	/* The root itself is "." for openat2: an empty path would be -ENOENT. */
	return sys_openat2(root_fd, *path ? path : ".", flags, 0, RESOLVE_INROOT);
}

/* Goes to the directory DONE, which was reached before: a link in it now means that somebody is racing with us. */
static int walk_goto(struct walk *w)
{
	int fd;

	fd = sys_openat2(w->root_fd, w->done[0] ? w->done : ".", O_PATH | O_DIRECTORY, 0,
			 RESOLVE_INROOT | RESOLVE_NO_SYMLINKS);
	if (fd < 0)
		return fd;
	close_fd(&w->dir_fd);
	w->dir_fd = fd;
	return 0;
}

/* "..": the parent, or the root again, as in a chroot. */
static int walk_up(struct walk *w)
{
	char *slash = strrchr(w->done, '/');

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
		close_fd(&fd);
		return -ENAMETOOLONG;
	}
	close_fd(&w->dir_fd);
	w->dir_fd = fd;
	return 0;
}

/* Puts the target of the link FD in front of what is left. */
static int walk_link(struct walk *w, int fd, const char *rest)
{
	char target[PATH_MAX], joined[PATH_MAX];
	struct statfs fs;
	int r, n;

	/* The text of a magic link is a host path or no path at all. */
	if (sys_fstatfs(fd, &fs) == 0 && fs.f_type == PROC_SUPER_MAGIC_)
		return -ELOOP;
	if (++w->links > MAX_LINKS)
		return -ELOOP;
	r = sys_readlinkat(fd, "", target, sizeof(target));
	if (r < 0)
		return r;
	n = snprintf(joined, sizeof(joined), "%s/%s", target, rest);
	if (n < 0 || (size_t)n >= sizeof(joined))
		return -ENAMETOOLONG;
	memcpy(w->todo, joined, (size_t)n + 1);
	if (target[0] != '/')
		return 0;
	w->done[0] = '\0';
	return walk_goto(w);
}

/* Creates NAME in the current directory; that it exists by now is fine. */
static int walk_create(struct walk *w, const char *name, bool last)
{
	mode_t mode = last ? w->mode : (mode_t)(S_IFDIR | 0755);
	mode_t saved = umask(0);
	int r;

	/* mknod instead of open(O_CREAT): whatever is there by now is never opened (a FIFO would block). */
	if (S_ISDIR(mode))
		r = sys_mkdirat(w->dir_fd, name, mode & 07777);
	else
		r = sys_mknodat(w->dir_fd, name, mode, 0);
	umask(saved);
	if (r == -EEXIST)
		return 0;
	if (r == 0 && last)
		w->created = true;
	return r;
}

/* An O_PATH fd of NAME in the current directory, created when it is missing. */
static int walk_enter(struct walk *w, const char *name, bool last)
{
	int fd = -ENOENT, r;

	for (int i = 0; i < MAX_TRIES; i++) {
		fd = sys_openat(w->dir_fd, name, O_PATH | O_NOFOLLOW, 0);
		if (fd != -ENOENT)
			break;
		r = walk_create(w, name, last);
		if (r < 0)
			return r;
	}
	return fd;
}

/* Takes the component NAME, before REST. Returns an fd when it was the last one, -EINPROGRESS to go on. */
static int walk_step(struct walk *w, const char *name, const char *rest)
{
	bool last = rest[strspn(rest, "/")] == '\0';
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
	if (S_ISLNK(st.st_mode) && !(last && (w->flags & INROOT_NOFOLLOW))) {
		r = walk_link(w, fd, rest);
		return r < 0 ? r : -EINPROGRESS;
	}
	if (last)
		return take_fd(&fd);
	if (!S_ISDIR(st.st_mode))
		return -ENOTDIR;
	r = walk_down(w, name, take_fd(&fd));
	return r < 0 ? r : -EINPROGRESS;
}

static int walk_run(struct walk *w, char *name, size_t size)
{
	int r = -EINPROGRESS;

	while (r == -EINPROGRESS) {
		char rest[PATH_MAX];
		const char *from = w->todo + strspn(w->todo, "/");
		size_t len = strcspn(from, "/");

		if (len == 0) /* the path ended with "..", "." or a slash */
			return take_fd(&w->dir_fd);
		if (len >= size)
			return -ENAMETOOLONG;
		memcpy(name, from, len);
		name[len] = '\0';
		snprintf(rest, sizeof(rest), "%s", from + len);
		/* A link replaces todo: set it before the step. */
		memcpy(w->todo, rest, strlen(rest) + 1);
		r = walk_step(w, name, rest);
	}
	return r;
}

int inroot_make(int root_fd, const char *path, mode_t mode, unsigned flags, bool *ret_created,
		struct crun_error *err)
{
	struct walk w = {.root_fd = root_fd, .dir_fd = FD_NONE, .mode = mode, .flags = flags};
	char name[NAME_MAX + 1] = "";
	int r;

	if (ret_created)
		*ret_created = false;
	/* Nearly always everything is there. */
	r = inroot_open(root_fd, path, O_PATH | ((flags & INROOT_NOFOLLOW) ? O_NOFOLLOW : 0));
	if (r >= 0)
		return r;
	if (strlen(path) >= sizeof(w.todo))
		return err_sys(err, -ENAMETOOLONG, "path of %zu bytes", strlen(path));
	memcpy(w.todo, path, strlen(path) + 1);
	r = walk_goto(&w);
	if (r >= 0)
		r = walk_run(&w, name, sizeof(name));
	close_fd(&w.dir_fd);
	if (r < 0)
		return err_sys(err, r, "path `%s` in the root filesystem: component `/%s%s%s`",
			       path, w.done, w.done[0] && name[0] ? "/" : "", name);
	if (ret_created)
		*ret_created = w.created;
	return r;
}

int inroot_make_parent(int root_fd, const char *path, char *name, size_t size,
		       struct crun_error *err)
{
	char parent[PATH_MAX];
	size_t end = strlen(path), start;

	while (end > 0 && path[end - 1] == '/')
		end--;
	for (start = end; start > 0 && path[start - 1] != '/'; start--)
		;
	if (end - start >= size || start >= sizeof(parent))
		return err_sys(err, -ENAMETOOLONG, "path `%s`", path);
	memcpy(name, path + start, end - start);
	name[end - start] = '\0';
	if (!str_is_filename(name))
		return err_set(err, KIND_SPEC, EINVAL, "path `%s` does not end with a file name",
			       path);
	while (start > 1 && path[start - 1] == '/')
		start--;
	memcpy(parent, path, start);
	parent[start] = '\0';
	return inroot_make(root_fd, parent, S_IFDIR | 0755, 0, NULL, err);
}
