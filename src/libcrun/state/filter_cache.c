// SPDX-License-Identifier: Apache-2.0
// Compiled system call filters kept for the next container with the same profile: see filter_cache.h.
#include "state/filter_cache.h"

#include "base/cleanup.h"
#include "state/internal.h"
#include "sys/file.h"
#include "sys/io.h"

#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

/* No container's id begins with a dot. */
#define CACHE_DIR ".seccomp"

/* A host has a handful of profiles; who makes up a new one for each container does not fill the memory. */
#define ENTRIES_MAX 64

#define KEY_MAX	    (128 * 1024)

static const char magic[8] = "crunsfc1";

/* When it differs, it is another file or another content. */
struct file_id {
	uint64_t dev, ino, size;
	int64_t mtime_ns, ctime_ns;
};

/* What follows in the file, each part filled up with zero bytes to a multiple of eight: the key, the library's path, the instructions. */
struct header {
	char magic[8];
	uint32_t key_len, library_len; /* the library's path counts its NUL; 0: it was linked in */
	uint32_t len, pad;
	struct file_id library;
	uint64_t sum; /* of all that is not the sum */
};

#define ROUND_UP(n) (((n) + 7) & ~(size_t)7)

/* It tells a file that was cut off or damaged; that nobody else writes there is a matter of permissions. LEN is a multiple of 8. */
static uint64_t add_to_sum(uint64_t sum, const void *data, size_t len)
{
	const char *bytes = data;

	for (size_t i = 0; i < len; i += sizeof(uint64_t)) {
		uint64_t word;

		memcpy(&word, bytes + i, sizeof(word));
		sum = (sum ^ word) * UINT64_C(0x9e3779b97f4a7c15);
		sum ^= sum >> 32;
	}
	return sum;
}

static uint64_t sum_of(const struct header *h, const void *rest, size_t len)
{
	uint64_t sum = add_to_sum(UINT64_C(0xcbf29ce484222325), h, offsetof(struct header, sum));

	return add_to_sum(sum, rest, len);
}

static int identify(const char *path, struct file_id *ret)
{
	struct stat st;

	if (stat(path, &st) < 0)
		return -errno;
	*ret = (struct file_id){
		.dev = st.st_dev,
		.ino = st.st_ino,
		.size = (uint64_t)st.st_size,
		.mtime_ns = st.st_mtim.tv_sec * INT64_C(1000000000) + st.st_mtim.tv_nsec,
		.ctime_ns = st.st_ctim.tv_sec * INT64_C(1000000000) + st.st_ctim.tv_nsec,
	};
	return 0;
}

/* A root of ours, to which nobody else may write: so everything in it was put there by us. */
static int check_root(int root_fd)
{
	struct stat st;
	int r = sys_fstatat(root_fd, "", &st);

	if (r < 0)
		return r;
	return st.st_uid == geteuid() && !(st.st_mode & (S_IWGRP | S_IWOTH)) ? 0 : -EPERM;
}

/* The name is only where to look: the whole key is compared. The zero bytes that fill it up are part of it. */
static void name_entry(const struct buf *key, char *name, size_t size)
{
	uint64_t last = 0, sum;
	size_t whole = key->len & ~(size_t)7;

	memcpy(&last, key->data + whole, key->len - whole);
	sum = add_to_sum(key->len, key->data, whole);
	snprintf(name, size, "%016llx", (unsigned long long)add_to_sum(sum, &last, sizeof(last)));
}

static size_t size_behind(const struct header *h)
{
	return ROUND_UP((size_t)h->key_len) + ROUND_UP((size_t)h->library_len) +
	       h->len * sizeof(uint64_t);
}

/* FILE holds what is behind H, and is as long as H says. */
static int take_entry(const struct header *h, const char *file, const struct buf *key,
		      struct seccomp_area *area)
{
	const char *library = file + ROUND_UP((size_t)h->key_len);
	struct file_id now;

	if (sum_of(h, file, size_behind(h)) != h->sum || memcmp(file, key->data, key->len) != 0)
		return -EINVAL;
	if (h->library_len > 0) {
		if (library[h->library_len - 1] != '\0')
			return -EINVAL;
		if (identify(library, &now) < 0 || memcmp(&now, &h->library, sizeof(now)) != 0)
			return -ESTALE;
	}
	memcpy(area->insns, library + ROUND_UP((size_t)h->library_len),
	       h->len * sizeof(area->insns[0]));
	area->len = h->len;
	return 0;
}

int filter_cache_read(int root_fd, const struct buf *key, struct seccomp_area *area)
{
	char path[sizeof(CACHE_DIR) + 32] = CACHE_DIR "/";
	_cleanup_close_ int fd = FD_NONE;
	_cleanup_free_ char *file = NULL;
	struct header h;
	struct stat st;
	int r = check_root(root_fd);

	if (r < 0)
		return r;
	name_entry(key, path + sizeof(CACHE_DIR), sizeof(path) - sizeof(CACHE_DIR));
	fd = sys_openat(root_fd, path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY, 0);
	if (fd < 0)
		return fd;
	if (sys_fstatat(fd, "", &st) < 0 || !S_ISREG(st.st_mode) || st.st_uid != geteuid() ||
	    (st.st_mode & (S_IWGRP | S_IWOTH)))
		return -EPERM;
	if (io_read_full(fd, &h, sizeof(h)) != (ssize_t)sizeof(h) ||
	    memcmp(h.magic, magic, sizeof(magic)) != 0 || h.key_len != key->len ||
	    h.library_len > PATH_MAX || h.len == 0 || h.len > SECCOMP_AREA_MAX ||
	    st.st_size != (off_t)(sizeof(h) + size_behind(&h)))
		return -EINVAL;
	file = malloc(size_behind(&h));
	if (!file)
		return -ENOMEM;
	if (io_read_full(fd, file, size_behind(&h)) != (ssize_t)size_behind(&h))
		return -EINVAL;
	return take_entry(&h, file, key, area);
}

/* Empties a directory that is full: rare, and who comes back is stored again. */
static int make_room(int dirfd)
{
	int fd = sys_openat(dirfd, ".", O_RDONLY | O_DIRECTORY, 0);
	_cleanup_closedir_ DIR *stream = fd < 0 ? NULL : fdopendir(fd);
	const struct dirent *e;
	size_t n = 0;

	if (!stream) {
		close_fd(&fd);
		return -ENOMEM;
	}
	while (readdir(stream))
		n++;
	if (n < ENTRIES_MAX + 2) /* "." and ".." */
		return 0;
	rewinddir(stream);
	while ((e = readdir(stream)) != NULL)
		(void)sys_unlinkat(dirfd, e->d_name, 0);
	return 0;
}

static int open_cache(int root_fd)
{
	int r = check_root(root_fd);

	if (r >= 0)
		r = sys_mkdirat_exact(root_fd, CACHE_DIR, 0700);
	if (r < 0 && r != -EEXIST)
		return r;
	return sys_openat(root_fd, CACHE_DIR, O_RDONLY | O_DIRECTORY | O_NOFOLLOW, 0);
}

int filter_cache_write(int root_fd, const struct buf *key, const char *library,
		       const struct seccomp_area *area)
{
	struct header h = {
		.key_len = (uint32_t)key->len,
		.library_len = library ? (uint32_t)strlen(library) + 1 : 0,
		.len = area->len,
	};
	struct state_dir dir = {.fd = FD_NONE, .root_fd = FD_NONE};
	_cleanup_close_ int fd = FD_NONE;
	_cleanup_free_ char *file = NULL;
	char name[32], temporary[32], *rest;
	int r;

	if (key->failed || key->len > KEY_MAX)
		return -ENOMEM;
	r = library ? identify(library, &h.library) : 0;
	if (r < 0)
		return r;
	fd = open_cache(root_fd);
	if (fd < 0)
		return fd;
	r = make_room(fd);
	file = calloc(1, sizeof(h) + size_behind(&h));
	if (!file || r < 0)
		return -ENOMEM;
	rest = file + sizeof(h);
	memcpy(rest, key->data, key->len);
	rest += ROUND_UP(key->len);
	if (library)
		memcpy(rest, library, h.library_len);
	memcpy(rest + ROUND_UP((size_t)h.library_len), area->insns,
	       area->len * sizeof(area->insns[0]));
	memcpy(h.magic, magic, sizeof(magic));
	h.sum = sum_of(&h, file + sizeof(h), size_behind(&h));
	memcpy(file, &h, sizeof(h));
	name_entry(key, name, sizeof(name));
	/* Several may write the same one at once: each its own file, of which the last stays. */
	snprintf(temporary, sizeof(temporary), ".%d", (int)getpid());
	dir.fd = fd;
	return state_replace_file(&dir, name, temporary, file, sizeof(h) + size_behind(&h));
}
