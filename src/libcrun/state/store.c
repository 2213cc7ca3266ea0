// SPDX-License-Identifier: Apache-2.0
// The state directory of a container: making, opening, locking and removing it. See store.h; the documents are in record.c.
#include "state/store.h"

#include "base/cleanup.h"
#include "base/log.h"
#include "base/str.h"
#include "sys/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#define ID_MAX	      1024
#define LOCK_WAIT_MS  30000
#define LOCK_RETRY_MS 5
#define RESERVE_TRIES 16
#define REMOVE_TRIES  16

static bool id_is_valid(const char *id)
{
	static const char allowed[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
				      "0123456789_+.-";
	size_t len = strlen(id);

	/* A leading '.' hides the entry (and would allow ".."), a leading '-' looks like an option to scripts. */
	return len > 0 && len <= ID_MAX && id[0] != '.' && id[0] != '-' &&
	       strspn(id, allowed) == len;
}

int state_check_id(const char *id, struct crun_error *err)
{
	if (id_is_valid(id))
		return 0;
	if (id[0] == '\0')
		return err_set(err, CODE_CONTAINER_ID, EINVAL, "the container id is empty");
	if (strlen(id) > ID_MAX)
		return err_set(err, CODE_CONTAINER_ID, EINVAL,
			       "the container id is longer than %d characters", ID_MAX);
	return err_set(
		err, CODE_CONTAINER_ID, EINVAL,
		"the container id `%s` is not valid: it may hold letters, digits and `_+.-`, "
		"and not begin with `.` or `-`",
		id);
}

static int not_found(const char *id, struct crun_error *err)
{
	/* No errno text: engines take "no such file" for a missing command. */
	return err_set(err, CODE_CONTAINER_UNKNOWN, ENOENT, "container `%s` does not exist", id);
}

static void start_empty(struct state_dir *dir, const char *id)
{
	dir->root_fd = FD_NONE;
	dir->fd = FD_NONE;
	dir->locked = false;
	snprintf(dir->id, sizeof(dir->id), "%s", id);
}

/* For us alone, and for us whatever the caller's umask. */
static int make_private(int dirfd, const char *path)
{
	return sys_mkdirat_exact(dirfd, path, 0700);
}

/* Makes PATH and what is missing above it. Only our own part of the path is private; what exists stays as it is. */
static int make_root(const char *path, struct crun_error *err)
{
	_cleanup_free_ char *copy = str_printf("%s", path);
	int r;

	if (!copy)
		return err_sys(err, -ENOMEM, "state root `%s`", path);
	for (char *p = copy + 1; *p; p++) {
		if (*p != '/')
			continue;
		*p = '\0';
		r = make_private(AT_FDCWD, copy);
		/* EROFS and EACCES also come for directories that exist: the last one decides. */
		if (r < 0 && r != -EEXIST && r != -EROFS && r != -EACCES)
			return err_sys_code(err, CODE_STATE_DIR, r, "create the state root `%s`",
					    copy);
		*p = '/';
	}
	r = make_private(AT_FDCWD, copy);
	if (r < 0 && r != -EEXIST)
		return err_sys_code(err, CODE_STATE_DIR, r, "create the state root `%s`", copy);
	return 0;
}

static int open_root(const char *root)
{
	return sys_openat(AT_FDCWD, root, O_PATH | O_DIRECTORY, 0);
}

static int open_entry(int root_fd, const char *id)
{
	return sys_openat(root_fd, id, O_RDONLY | O_DIRECTORY | O_NOFOLLOW, 0);
}

/* 1 when ROOT/ID is still the directory that we have open, 0 when it is not. */
static int still_linked(const struct state_dir *dir)
{
	struct stat ours, named;
	int r = sys_fstatat(dir->fd, "", &ours);

	if (r >= 0)
		r = sys_fstatat(dir->root_fd, dir->id, &named);
	if (r < 0)
		return r == -ENOENT || r == -ENOTDIR ? 0 : r;
	return ours.st_dev == named.st_dev && ours.st_ino == named.st_ino;
}

static int try_lock(int fd, int how)
{
	int r;

	do
		r = flock(fd, how | LOCK_NB);
	while (r < 0 && errno == EINTR);
	return r < 0 ? -errno : 0;
}

int state_lock(struct state_dir *dir, const struct deadline *d, struct crun_error *err)
{
	struct deadline limit = deadline_or(d, LOCK_WAIT_MS);
	int r;

	if (dir->locked)
		return 0;
	for (;;) {
		r = try_lock(dir->fd, LOCK_EX);
		if (r == 0)
			break;
		if (r != -EWOULDBLOCK)
			return err_sys_code(err, CODE_STATE_DIR, r,
					    "lock the state of container `%s`", dir->id);
		/* flock(2) has no deadline and no event that comes after the release, hence the short pauses. */
		r = deadline_pause(&limit, LOCK_RETRY_MS);
		if (r < 0)
			return deadline_err(
				&limit, r, err,
				"container `%s` is busy, another command is working on it",
				dir->id);
	}
	dir->locked = true;
	r = still_linked(dir);
	if (r > 0)
		return 0;
	state_unlock(dir);
	if (r < 0)
		return err_sys_code(err, CODE_STATE_DIR, r,
				    "stat the state directory of container `%s`", dir->id);
	return not_found(dir->id, err);
}

void state_unlock(struct state_dir *dir)
{
	if (dir->locked)
		flock(dir->fd, LOCK_UN);
	dir->locked = false;
}

bool state_is_busy(const struct state_dir *dir)
{
	int r = try_lock(dir->fd, LOCK_SH);

	if (r == 0)
		flock(dir->fd, LOCK_UN);
	return r == -EWOULDBLOCK;
}

/* One try: 0, -EAGAIN when the new directory was deleted before we had its lock, or an error. */
static int reserve_once(struct state_dir *dir, struct crun_error *err)
{
	int r = make_private(dir->root_fd, dir->id);

	if (r == -EEXIST)
		return err_set(err, CODE_CONTAINER_EXISTS, EEXIST, "container `%s` already exists",
			       dir->id);
	if (r < 0)
		return err_sys_code(err, CODE_STATE_DIR, r,
				    "create the state directory of container `%s`", dir->id);
	dir->fd = open_entry(dir->root_fd, dir->id);
	if (dir->fd == -ENOENT)
		return -EAGAIN;
	if (dir->fd < 0) {
		r = dir->fd;
		sys_unlinkat(dir->root_fd, dir->id, AT_REMOVEDIR);
		return err_sys_code(err, CODE_STATE_DIR, r,
				    "open the state directory of container `%s`", dir->id);
	}
	r = state_lock(dir, NULL, err);
	if (r == -ENOENT) {
		close_fd(&dir->fd);
		return -EAGAIN;
	}
	return r;
}

int state_reserve(const char *root, const char *id, struct state_dir *ret, struct crun_error *err)
{
	int r = state_check_id(id, err);

	if (r < 0)
		return r;
	start_empty(ret, id);
	ret->root_fd = open_root(root);
	if (ret->root_fd == -ENOENT) {
		r = make_root(root, err);
		if (r < 0)
			return r;
		ret->root_fd = open_root(root);
	}
	if (ret->root_fd < 0)
		return err_sys_code(err, CODE_STATE_DIR, ret->root_fd, "open the state root `%s`",
				    root);
	for (int i = 0; i < RESERVE_TRIES; i++) {
		r = reserve_once(ret, err);
		if (r != -EAGAIN)
			break;
	}
	if (r == -EAGAIN)
		r = err_set(err, KIND_STATE, EAGAIN,
			    "container `%s`: its new state directory is deleted again and again",
			    id);
	if (r < 0)
		state_close(ret);
	return r;
}

/*
 * What another user has put into a state root that is not ours alone (--root below /tmp) is no record of ours: it would name the
 * processes to be killed and the cgroups to be removed.
 */
static int check_owner(const struct state_dir *dir, struct crun_error *err)
{
	struct stat st;
	int r = sys_fstatat(dir->fd, "", &st);

	if (r < 0)
		return err_sys_code(err, CODE_STATE_DIR, r,
				    "stat the state directory of container `%s`", dir->id);
	if (st.st_uid == geteuid())
		return 0;
	return err_set(
		err, CODE_CONTAINER_OWNER, EPERM,
		"the state directory of container `%s` belongs to uid %u, and we are uid %u: "
		"operation not permitted",
		dir->id, st.st_uid, geteuid());
}

/* Opens the directory of a RET that has its id and its root. */
static int open_dir(struct state_dir *ret, struct crun_error *err)
{
	const char *id = ret->id;
	int r;

	ret->fd = open_entry(ret->root_fd, id);
	/* ENOTDIR is a file or a symbolic link, ENAMETOOLONG a name that no directory can have: neither is a container. */
	if (ret->fd == -ENOENT || ret->fd == -ENOTDIR || ret->fd == -ENAMETOOLONG)
		r = not_found(id, err);
	else if (ret->fd < 0)
		r = err_sys_code(err, CODE_STATE_DIR, ret->fd,
				 "open the state directory of container `%s`", id);
	else
		r = check_owner(ret, err);
	return r;
}

int state_open(const char *root, const char *id, bool lock, struct state_dir *ret,
	       struct crun_error *err)
{
	int r = state_check_id(id, err);

	if (r < 0)
		return r;
	start_empty(ret, id);
	ret->root_fd = open_root(root);
	if (ret->root_fd == -ENOENT)
		return not_found(id, err);
	if (ret->root_fd < 0)
		return err_sys_code(err, CODE_STATE_DIR, ret->root_fd, "open the state root `%s`",
				    root);
	r = open_dir(ret, err);
	if (r >= 0 && lock)
		r = state_lock(ret, NULL, err);
	if (r < 0)
		state_close(ret);
	return r;
}

int state_open_in(const struct state_root *root, const char *id, struct state_dir *ret,
		  struct crun_error *err)
{
	int r = state_check_id(id, err);

	if (r < 0)
		return r;
	start_empty(ret, id);
	ret->root_fd = sys_dup_cloexec(root->fd, 3);
	if (ret->root_fd < 0)
		return err_sys_code(err, CODE_STATE_DIR, ret->root_fd, "the state root");
	r = open_dir(ret, err);
	if (r < 0)
		state_close(ret);
	return r;
}

void state_close(struct state_dir *dir)
{
	/* Explicitly: a child that inherited the descriptor would otherwise hold the lock on. */
	state_unlock(dir);
	/* All-zero means empty too. Not to close a descriptor 0 of ours is harmless; to close the caller's is not. */
	if (dir->root_fd > 0)
		close_fd(&dir->root_fd);
	if (dir->fd > 0)
		close_fd(&dir->fd);
	dir->root_fd = FD_NONE;
	dir->fd = FD_NONE;
	dir->locked = false;
}

static DIR *open_listing(int dirfd, const char *name)
{
	_cleanup_close_ int fd = sys_openat(dirfd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW, 0);
	DIR *stream;

	if (fd < 0) {
		errno = -fd;
		return NULL;
	}
	stream = fdopendir(fd);
	if (stream)
		take_fd(&fd);
	return stream;
}

static bool is_dot(const char *name)
{
	return str_eq(name, ".") || str_eq(name, "..");
}

/* Removes the files of the directory NAME in DIR and the directory, unless it could be somebody else's. */
static int remove_plain_dir(const struct state_dir *dir, const char *name)
{
	_cleanup_closedir_ DIR *stream = open_listing(dir->fd, name);
	struct stat outer, inner;
	const struct dirent *e;
	int r;

	if (!stream)
		return -errno;
	r = sys_fstatat(dir->fd, "", &outer);
	if (r < 0)
		return r;
	r = sys_fstatat(dirfd(stream), "", &inner);
	if (r < 0)
		return r;
	/* A mount point: its contents are not ours, and rmdir would say EBUSY anyway. */
	if (outer.st_dev != inner.st_dev)
		return -EXDEV;
	if (inner.st_uid != geteuid())
		return -EPERM;
	while ((e = readdir(stream)) != NULL) {
		if (is_dot(e->d_name))
			continue;
		r = sys_unlinkat(dirfd(stream), e->d_name, 0);
		if (r < 0 && r != -ENOENT)
			return r;
	}
	return sys_unlinkat(dir->fd, name, AT_REMOVEDIR);
}

void state_mark(const struct state_dir *dir, const char *mark)
{
	int r = sys_mknodat(dir->fd, mark, S_IFREG | 0600, 0);

	if (r < 0 && r != -EEXIST)
		log_debug("mark container `%s` as `%s`: %s", dir->id, mark, strerror(-r));
}

bool state_is_marked(const struct state_dir *dir, const char *mark)
{
	struct stat st;

	return sys_fstatat(dir->fd, mark, &st) == 0 && S_ISREG(st.st_mode);
}

static int remove_entry(const struct state_dir *dir, const char *name)
{
	int r = sys_unlinkat(dir->fd, name, 0);

	/* POSIX allows either for a directory; Linux says EISDIR. */
	if (r == -EISDIR || r == -EPERM)
		r = remove_plain_dir(dir, name);
	return r == -ENOENT ? 0 : r;
}

/* The record, the mark, and the directory, from which by now everything else was removed. */
static int remove_last(const struct state_dir *dir)
{
	int r = remove_entry(dir, STATE_RECORD_FILE);

	if (r == 0)
		r = still_linked(dir);
	if (r <= 0)
		return r;
	r = sys_unlinkat(dir->root_fd, dir->id, AT_REMOVEDIR);
	if (r != -ENOTEMPTY)
		return r;
	r = remove_entry(dir, STATE_MARK_DELETING);
	return r < 0 ? r : sys_unlinkat(dir->root_fd, dir->id, AT_REMOVEDIR);
}

/* The files that ENTRIES names, LEN bytes of sys_getdents(). */
static int remove_entries(const struct state_dir *dir, const char *entries, size_t len,
			  struct crun_error *err)
{
	const struct dirent *e;

	for (size_t at = 0; at < len; at += e->d_reclen) {
		int r;

		e = (const struct dirent *)(entries + at);
		/* The record goes last: when we are killed meanwhile, the next delete still knows what to undo. */
		if (is_dot(e->d_name) || str_eq(e->d_name, STATE_RECORD_FILE) ||
		    str_eq(e->d_name, STATE_MARK_DELETING))
			continue;
		r = remove_entry(dir, e->d_name);
		if (r < 0)
			return err_sys_code(err, CODE_STATE_DIR, r,
					    "remove `%s` of the state directory of container `%s`",
					    e->d_name, dir->id);
	}
	return 0;
}

/* All but the record and the mark of deletion. */
static int remove_all(const struct state_dir *dir, struct crun_error *err)
{
	char entries[4096] __attribute__((aligned(__alignof__(struct dirent))));
	int n, r;

	/* Not opendir(3): this also undoes a launch that has failed for want of a descriptor. */
	(void)lseek(dir->fd, 0, SEEK_SET);
	while ((n = sys_getdents(dir->fd, entries, sizeof(entries))) > 0) {
		r = remove_entries(dir, entries, (size_t)n, err);
		if (r < 0)
			return r;
	}
	if (n < 0 && n != -ENOENT) /* ENOENT: somebody else has removed it */
		return err_sys_code(err, CODE_STATE_DIR, n,
				    "read the state directory of container `%s`", dir->id);
	return 0;
}

int state_remove(struct state_dir *dir, struct crun_error *err)
{
	int r = -ENOTEMPTY;

	/* Another deletion sets its mark without the lock: the directory may have it again after we have looked. */
	for (int i = 0; r == -ENOTEMPTY && i < REMOVE_TRIES; i++) {
		r = remove_all(dir, err);
		if (r < 0)
			return r;
		r = remove_last(dir);
	}
	if (r < 0 && r != -ENOENT)
		return err_sys_code(err, CODE_STATE_DIR, r,
				    "remove the state directory of container `%s`", dir->id);
	return 0;
}

struct names {
	char **items;
	size_t len, cap;
};

static void names_done(struct names *names)
{
	for (size_t i = 0; i < names->len; i++)
		free(names->items[i]);
	free(names->items);
}

static int names_add(struct names *names, const char *name)
{
	char **items = names->items;
	char *copy;

	if (names->len == names->cap) {
		size_t cap = names->cap ? names->cap * 2 : 64;

		items = reallocarray(items, cap, sizeof(*items));
		if (!items)
			return -ENOMEM;
		names->items = items;
		names->cap = cap;
	}
	copy = str_dup(name);
	if (!copy)
		return -ENOMEM;
	items[names->len++] = copy;
	return 0;
}

static int compare_names(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

/* Another user's directory is no container of ours: every command refuses it (check_owner). */
static int is_container(int dirfd, const struct dirent *e, uid_t us)
{
	struct stat st;
	int r;

	if (e->d_type != DT_UNKNOWN && e->d_type != DT_DIR)
		return 0;
	r = sys_fstatat(dirfd, e->d_name, &st);
	if (r < 0)
		return r == -ENOENT ? 0 : r;
	return S_ISDIR(st.st_mode) && st.st_uid == us;
}

/* The ids in the state root. What cannot be read is an error: a list without it would be taken for the whole. */
static int read_names(int root_fd, DIR *stream, struct names *names)
{
	const struct dirent *e;
	const uid_t us = geteuid();
	int r;

	while ((errno = 0, e = readdir(stream)) != NULL) {
		if (!id_is_valid(e->d_name))
			continue;
		r = is_container(root_fd, e, us);
		if (r > 0)
			r = names_add(names, e->d_name);
		if (r < 0)
			return r;
	}
	return -errno;
}

static bool is_ours_alone(int fd)
{
	struct stat st;

	return sys_fstatat(fd, "", &st) == 0 && (st.st_uid == geteuid() || st.st_uid == 0) &&
	       !(st.st_mode & (S_IWGRP | S_IWOTH));
}

int state_each(const char *root,
	       int (*fn)(const struct state_root *root, const char *id, void *data), void *data,
	       struct crun_error *err)
{
	_cleanup_(names_done) struct names names = {0};
	_cleanup_close_ int root_fd = open_root(root);
	_cleanup_closedir_ DIR *stream = NULL;
	struct state_root open;
	int r;

	if (root_fd == -ENOENT)
		return 0;
	if (root_fd < 0)
		return err_sys_code(err, CODE_STATE_DIR, root_fd, "open the state root `%s`", root);
	stream = open_listing(root_fd, ".");
	if (!stream)
		return err_sys_code(err, CODE_STATE_DIR, -errno, "read the state root `%s`", root);
	r = read_names(root_fd, stream, &names);
	if (r < 0)
		return err_sys_code(err, CODE_STATE_DIR, r, "read the state root `%s`", root);
	if (names.len > 0)
		qsort(names.items, names.len, sizeof(*names.items), compare_names);
	open = (struct state_root){.fd = root_fd, .ours_alone = is_ours_alone(root_fd)};
	for (size_t i = 0; i < names.len && r == 0; i++)
		r = fn(&open, names.items[i], data);
	return r;
}
