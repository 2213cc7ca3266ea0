// SPDX-License-Identifier: Apache-2.0
// Files that exist for a fuzz target only: see fake_files.h.
#include "fake_files.h"

#include "fuzz.h"

#include "base/str.h"
#include "cgroup/cgroup.h"
#include "sys/kernel.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#define FILES_MAX  128
#define PATH_SIZE  512
#define DIR_FDS	   256
#define LISTS_MAX  64
#define NAME_CHARS "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-/"

struct fake_file {
	char path[PATH_SIZE];
	const void *data;
	size_t len;
};

/* An open directory stream. */
struct list {
	struct dirent entry;
	char dir[PATH_SIZE];
	size_t next;
	int fd;
	bool used;
};

static bool active;
static int lowest_fd;
static struct fake_file files[FILES_MAX];
static size_t files_len;
static char dirs[DIR_FDS][PATH_SIZE]; /* by descriptor; "": no directory */
static struct list lists[LISTS_MAX];

/* The functions that are replaced, as the linker calls them, and what takes their place. */
int __real_open(const char *path, int flags, ...);
int __real_openat(int dirfd, const char *path, int flags, ...);
int __real_faccessat(int dirfd, const char *path, int mode, int flags);
int __real_fstatfs(int fd, struct statfs *st);
DIR *__real_opendir(const char *path);
DIR *__real_fdopendir(int fd);
struct dirent *__real_readdir(DIR *dir);
int __real_closedir(DIR *dir);
FILE *__real_fopen(const char *path, const char *mode);
int __wrap_open(const char *path, int flags, ...);
int __wrap_openat(int dirfd, const char *path, int flags, ...);
int __wrap_faccessat(int dirfd, const char *path, int mode, int flags);
DIR *__wrap_opendir(const char *path);
DIR *__wrap_fdopendir(int fd);
struct dirent *__wrap_readdir(DIR *dir);
int __wrap_closedir(DIR *dir);
FILE *__wrap_fopen(const char *path, const char *mode);
int __wrap_sys_openat(int dirfd, const char *path, int flags, mode_t mode);
int __wrap_sys_openat2(int dirfd, const char *path, int flags, mode_t mode, unsigned long resolve);
int __wrap_inroot_open(int root_fd, const char *path, int flags);
int __wrap_procfs_open_host(struct crun_error *err);
int __wrap_procfs_open(int proc_fd, const char *path, int flags);
int __wrap_sys_fstatat(int dirfd, const char *name, struct stat *st);
int __wrap_sys_fstatfs(int fd, struct statfs *st);
int __wrap_sys_readlinkat(int dirfd, const char *name, char *buf, size_t size);
int __wrap_sys_pidfd_open(pid_t pid);

static int lowest_free(void)
{
	int fd = dup(STDERR_FILENO);

	REQUIRE(fd >= 0);
	close(fd);
	return fd;
}

void fake_begin(void)
{
	files_len = 0;
	memset(dirs, 0, sizeof(dirs));
	lowest_fd = lowest_free();
	active = true;
}

void fake_end(void)
{
	for (size_t i = 0; i < LISTS_MAX; i++)
		REQUIRE(!lists[i].used);
	active = false;
	REQUIRE(lowest_free() == lowest_fd);
}

static const struct fake_file *find(const char *path)
{
	for (size_t i = 0; i < files_len; i++) {
		if (str_eq(files[i].path, path))
			return &files[i];
	}
	return NULL;
}

/* Whether a file lies below PATH. */
static bool is_dir(const char *path)
{
	for (size_t i = 0; i < files_len; i++) {
		const char *rest = str_after(files[i].path, path);

		if (rest && *rest == '/')
			return true;
	}
	return false;
}

void fake_add(const char *path, const void *data, size_t len)
{
	struct fake_file *f = &files[files_len];

	if (files_len == FILES_MAX || strlen(path) >= PATH_SIZE || find(path) || is_dir(path))
		return;
	snprintf(f->path, PATH_SIZE, "%s", path);
	f->data = data;
	f->len = len;
	files_len++;
}

static bool is_name(const char *name)
{
	return name[0] && name[0] != '/' && strlen(name) < PATH_SIZE / 2 &&
	       !name[strspn(name, NAME_CHARS)] && !strstr(name, "//") && !strstr(name, "..") &&
	       name[strlen(name) - 1] != '/';
}

void fake_add_all(const char *dir, char *text)
{
	char path[PATH_SIZE];

	while (text && *text) {
		const char *name = strsep(&text, "\n");
		char *end;
		size_t len;

		if (name[0] != '@' || !text)
			continue;
		end = *text == '@' ? text : strstr(text, "\n@");
		len = !end ? strlen(text) : (size_t)(end - text) + (*text != '@');
		if (is_name(name + 1)) {
			snprintf(path, sizeof(path), "%.200s/%s", dir, name + 1);
			fake_add(path, text, len);
		}
		text = text + len;
	}
}

/* PATH below the directory DIRFD as an absolute one, without "." and ".."; a longer one than anything that is there becomes empty. */
static void resolve(int dirfd, const char *path, char *buf)
{
	size_t len = 0;

	buf[0] = '\0';
	if (path[0] != '/' && dirfd >= 0 && dirfd < DIR_FDS) {
		snprintf(buf, PATH_SIZE, "%s", dirs[dirfd]);
		len = strlen(buf);
	}
	while (*path) {
		size_t n = strcspn(path, "/");

		if (n == 2 && path[0] == '.' && path[1] == '.') {
			while (len > 0 && buf[--len] != '/')
				;
			buf[len] = '\0';
		} else if (n > 0 && !(n == 1 && path[0] == '.')) {
			if (len + n + 2 > PATH_SIZE) {
				buf[0] = '\0';
				return;
			}
			buf[len++] = '/';
			memcpy(buf + len, path, n);
			len += n;
			buf[len] = '\0';
		}
		path += strcspn(path, "/");
		path += strspn(path, "/");
	}
}

static int memory_file(const char *dir, const void *data, size_t len)
{
	int fd = memfd_create("fuzz", MFD_CLOEXEC);

	REQUIRE(fd >= 0 && fd < DIR_FDS);
	snprintf(dirs[fd], PATH_SIZE, "%s", dir);
	/* state/filter.c trusts no file that others may write to. */
	REQUIRE(fchmod(fd, 0600) == 0);
	if (len)
		REQUIRE(pwrite(fd, data, len, 0) == (ssize_t)len);
	return fd;
}

int fake_dir(const char *path)
{
	return memory_file(path, NULL, 0);
}

/* Returns a descriptor or -errno. */
static int fake_open(int dirfd, const char *path, int flags)
{
	const struct fake_file *f;
	char full[PATH_SIZE];

	resolve(dirfd, path, full);
	f = find(full);
	if (f)
		return flags & O_DIRECTORY ? -ENOTDIR : memory_file("", f->data, f->len);
	/* A directory that was opened by fake_dir() is there even if it is empty. */
	return is_dir(full) || str_eq(path, ".") ? memory_file(full, NULL, 0) : -ENOENT;
}

int __wrap_sys_openat(int dirfd, const char *path, int flags, mode_t mode)
{
	(void)mode;
	return fake_open(dirfd, path, flags);
}

int __wrap_sys_openat2(int dirfd, const char *path, int flags, mode_t mode, unsigned long how)
{
	(void)mode;
	(void)how;
	return fake_open(dirfd, path, flags);
}

int __wrap_inroot_open(int root_fd, const char *path, int flags)
{
	return fake_open(root_fd, path, flags);
}

int __wrap_procfs_open_host(struct crun_error *err)
{
	(void)err;
	return fake_dir("/proc");
}

int __wrap_procfs_open(int proc_fd, const char *path, int flags)
{
	return fake_open(proc_fd, path, flags);
}

static int with_errno(int r)
{
	if (r < 0)
		errno = -r;
	return r < 0 ? -1 : r;
}

int __wrap_open(const char *path, int flags, ...)
{
	va_list ap;
	int mode;

	if (active)
		return with_errno(fake_open(AT_FDCWD, path, flags));
	va_start(ap, flags);
	mode = flags & (O_CREAT | O_TMPFILE) ? va_arg(ap, int) : 0;
	va_end(ap);
	return __real_open(path, flags, mode);
}

int __wrap_openat(int dirfd, const char *path, int flags, ...)
{
	va_list ap;
	int mode;

	if (active)
		return with_errno(fake_open(dirfd, path, flags));
	va_start(ap, flags);
	mode = flags & (O_CREAT | O_TMPFILE) ? va_arg(ap, int) : 0;
	va_end(ap);
	return __real_openat(dirfd, path, flags, mode);
}

int __wrap_faccessat(int dirfd, const char *path, int mode, int flags)
{
	char full[PATH_SIZE];

	if (!active)
		return __real_faccessat(dirfd, path, mode, flags);
	resolve(dirfd, path, full);
	return find(full) || is_dir(full) ? 0 : with_errno(-ENOENT);
}

int __wrap_sys_fstatat(int dirfd, const char *name, struct stat *st)
{
	int fd, r;

	if (!name[0])
		return fstat(dirfd, st) < 0 ? -errno : 0;
	fd = fake_open(dirfd, name, 0);
	if (fd < 0)
		return fd;
	r = fstat(fd, st) < 0 ? -errno : 0;
	close(fd);
	return r;
}

/* Directories named "unified" are cgroup2, "resctrl" is resctrl, all others are hierarchies of v1. */
int __wrap_sys_fstatfs(int fd, struct statfs *st)
{
	const char *dir = fd >= 0 && fd < DIR_FDS ? dirs[fd] : "";

	*st = (struct statfs){0};
	st->f_type = strstr(dir, "unified")   ? CGROUP2_SUPER_MAGIC_
		     : strstr(dir, "resctrl") ? RDTGROUP_SUPER_MAGIC
					      : CGROUP_SUPER_MAGIC_;
	return 0;
}

int __wrap_sys_readlinkat(int dirfd, const char *name, char *buf, size_t size)
{
	char full[PATH_SIZE];

	resolve(dirfd, name, full);
	return snprintf(buf, size, "%s", full) < (int)size ? (int)strlen(full) : -ENAMETOOLONG;
}

/* Whatever pid an input names, nothing is asked of a real process. */
int __wrap_sys_pidfd_open(pid_t pid)
{
	(void)pid;
	return -ESRCH;
}

static struct list *list_of(DIR *dir)
{
	for (size_t i = 0; i < LISTS_MAX; i++) {
		if ((void *)dir == (void *)&lists[i])
			return &lists[i];
	}
	return NULL;
}

DIR *__wrap_fdopendir(int fd)
{
	if (!active)
		return __real_fdopendir(fd);
	for (size_t i = 0; i < LISTS_MAX; i++) {
		if (lists[i].used)
			continue;
		lists[i] = (struct list){.fd = fd, .used = true};
		memcpy(lists[i].dir, dirs[fd], PATH_SIZE);
		return (DIR *)(void *)&lists[i];
	}
	errno = EMFILE;
	return NULL;
}

DIR *__wrap_opendir(const char *path)
{
	int fd;

	if (!active)
		return __real_opendir(path);
	fd = with_errno(fake_open(AT_FDCWD, path, O_DIRECTORY));
	return fd < 0 ? NULL : __wrap_fdopendir(fd);
}

/* The name in DIR of the file's path, or of the directory in it that the file is in; its length, or 0. */
static size_t child_of(const char *dir, const char *path, const char **ret)
{
	const char *rest = str_after(path, dir);

	if (!rest || *rest != '/')
		return 0;
	*ret = rest + 1;
	return strcspn(rest + 1, "/");
}

static bool was_listed(const struct list *l, size_t before, const char *name, size_t n)
{
	for (size_t i = 0; i < before; i++) {
		const char *other = "";

		if (child_of(l->dir, files[i].path, &other) == n && memcmp(other, name, n) == 0)
			return true;
	}
	return false;
}

struct dirent *__wrap_readdir(DIR *dir)
{
	struct list *l = list_of(dir);

	if (!l)
		return __real_readdir(dir);
	while (l->next < files_len) {
		size_t at = l->next++;
		const char *name = "";
		size_t n = child_of(l->dir, files[at].path, &name);

		if (n == 0 || n >= sizeof(l->entry.d_name) || was_listed(l, at, name, n))
			continue;
		memcpy(l->entry.d_name, name, n);
		l->entry.d_name[n] = '\0';
		l->entry.d_type = name[n] == '/' ? DT_DIR : DT_REG;
		return &l->entry;
	}
	return NULL;
}

int __wrap_closedir(DIR *dir)
{
	struct list *l = list_of(dir);

	if (!l)
		return __real_closedir(dir);
	l->used = false;
	return close(l->fd);
}

FILE *__wrap_fopen(const char *path, const char *mode)
{
	const struct fake_file *f;

	/* Nothing of ours writes through streams: this is libFuzzer, which saves an input that crashed. */
	if (!active || mode[0] == 'w')
		return __real_fopen(path, mode);
	f = find(path);
	if (!f || !f->len) {
		errno = ENOENT;
		return NULL;
	}
	return fmemopen((void *)f->data, f->len, "r");
}
