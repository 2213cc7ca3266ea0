// SPDX-License-Identifier: Apache-2.0
// The cache of compiled seccomp filters: what was stored under a key is found under it alone, and what was tampered with is not.
#include "state/filter_cache.h"

#include "sys/file.h"

#include "../test.h"
#include "tempdir.h"

static struct seccomp_area area, back;

static void fill(uint32_t len, uint64_t seed)
{
	memset(&area, 0, sizeof(area));
	area.len = len;
	for (uint32_t i = 0; i < len; i++)
		area.insns[i] = seed * (i + 1);
}

static struct buf key_of(const char *text)
{
	struct buf key = {0};

	buf_puts(&key, text);
	return key;
}

static int open_dir(const char *path)
{
	return sys_openat(AT_FDCWD, path, O_PATH | O_DIRECTORY, 0);
}

/* The only entry of ROOT's cache, or "" when there is another number of them. */
static void find_entry(const char *root, char *path, size_t size)
{
	DIR *stream = opendir(in_dir(root, ".seccomp"));
	const struct dirent *e;
	int n = 0;

	path[0] = '\0';
	while (stream && (e = readdir(stream)) != NULL) {
		if (e->d_name[0] == '.')
			continue;
		snprintf(path, size, "%s/.seccomp/%s", root, e->d_name);
		n++;
	}
	if (n != 1)
		path[0] = '\0';
	if (stream)
		closedir(stream);
}

static int change_byte(const char *path, off_t at)
{
	int fd = sys_openat(AT_FDCWD, path, O_RDWR, 0), r;
	char c = 0;

	r = pread(fd, &c, 1, at) == 1 ? 0 : -EIO;
	c ^= 1;
	if (r == 0 && pwrite(fd, &c, 1, at) != 1)
		r = -EIO;
	close_fd(&fd);
	return r;
}

TEST(a_program_is_found_by_its_whole_key)
{
	TEMPDIR(root);
	struct buf one = key_of("0123456789abcdefX"), other = key_of("0123456789abcdefY");
	int fd = open_dir(root.path);

	CHECK_INT(filter_cache_read(fd, &one, &back), -ENOENT);
	fill(300, 0x123456789abcdefULL);
	CHECK_INT(filter_cache_write(fd, &one, NULL, &area), 0);
	memset(&back, 0, sizeof(back));
	CHECK_INT(filter_cache_read(fd, &one, &back), 0);
	CHECK(memcmp(&area, &back, sizeof(area)) == 0);
	CHECK_INT(filter_cache_read(fd, &other, &back), -ENOENT);
	buf_done(&one);
	buf_done(&other);
	close_fd(&fd);
}

TEST(an_entry_under_the_name_of_another_key_is_none)
{
	TEMPDIR(root);
	struct buf one = key_of("one"), other = key_of("two");
	char mine[PATH_MAX], theirs[PATH_MAX];
	int fd = open_dir(root.path);

	fill(3, 7);
	CHECK_INT(filter_cache_write(fd, &one, NULL, &area), 0);
	find_entry(root.path, mine, sizeof(mine));
	CHECK(mine[0]);
	CHECK_INT(rename(mine, in_dir(root.path, "kept")), 0);
	CHECK_INT(filter_cache_write(fd, &other, NULL, &area), 0);
	find_entry(root.path, theirs, sizeof(theirs));
	CHECK(theirs[0]);
	CHECK_INT(rename(in_dir(root.path, "kept"), theirs), 0);
	CHECK_INT(filter_cache_read(fd, &other, &back), -EINVAL);
	buf_done(&one);
	buf_done(&other);
	close_fd(&fd);
}

TEST(a_damaged_entry_is_none_and_is_replaced)
{
	TEMPDIR(root);
	struct buf key = key_of("key that is longer than a word");
	char path[PATH_MAX];
	struct stat st;
	int fd = open_dir(root.path);

	fill(5, 99);
	CHECK_INT(filter_cache_write(fd, &key, NULL, &area), 0);
	find_entry(root.path, path, sizeof(path));
	CHECK_INT(stat(path, &st), 0);
	for (off_t at = 0; at < st.st_size; at++) {
		CHECK_INT(change_byte(path, at), 0);
		CHECK_INT(filter_cache_read(fd, &key, &back), -EINVAL);
		CHECK_INT(change_byte(path, at), 0);
	}
	CHECK_INT(filter_cache_read(fd, &key, &back), 0);
	for (off_t len = st.st_size - 1; len >= 0; len -= 7) {
		CHECK_INT(truncate(path, len), 0);
		CHECK_INT(filter_cache_read(fd, &key, &back), -EINVAL);
	}
	CHECK_INT(filter_cache_write(fd, &key, NULL, &area), 0);
	CHECK_INT(filter_cache_read(fd, &key, &back), 0);
	buf_done(&key);
	close_fd(&fd);
}

TEST(what_others_may_write_to_is_not_believed)
{
	TEMPDIR(root);
	struct buf key = key_of("key");
	char path[PATH_MAX];
	int fd = open_dir(root.path);

	fill(1, 1);
	CHECK_INT(filter_cache_write(fd, &key, NULL, &area), 0);
	find_entry(root.path, path, sizeof(path));
	CHECK_INT(chmod(path, 0620), 0);
	CHECK_INT(filter_cache_read(fd, &key, &back), -EPERM);
	CHECK_INT(chmod(path, 0600), 0);
	CHECK_INT(chmod(root.path, 0777), 0);
	CHECK_INT(filter_cache_read(fd, &key, &back), -EPERM);
	CHECK_INT(filter_cache_write(fd, &key, NULL, &area), -EPERM);
	CHECK_INT(chmod(root.path, 0700), 0);
	CHECK_INT(filter_cache_read(fd, &key, &back), 0);
	CHECK_INT(unlink(path), 0);
	CHECK_INT(symlink("/etc/passwd", path), 0);
	CHECK_INT(filter_cache_read(fd, &key, &back), -ELOOP);
	buf_done(&key);
	close_fd(&fd);
}

TEST(another_library_makes_another_program)
{
	TEMPDIR(root);
	struct buf key = key_of("key");
	const char *library = in_dir(root.path, "library");
	int fd = open_dir(root.path);

	fill(2, 3);
	CHECK_INT(filter_cache_write(fd, &key, library, &area), -ENOENT);
	CHECK_INT(put_file(library, "version 1"), 0);
	CHECK_INT(filter_cache_write(fd, &key, library, &area), 0);
	CHECK_INT(filter_cache_read(fd, &key, &back), 0);
	CHECK_INT(put_file(library, "version 10"), 0);
	CHECK_INT(filter_cache_read(fd, &key, &back), -ESTALE);
	CHECK_INT(unlink(library), 0);
	CHECK_INT(filter_cache_read(fd, &key, &back), -ESTALE);
	buf_done(&key);
	close_fd(&fd);
}

TEST(the_cache_does_not_grow_for_ever)
{
	TEMPDIR(root);
	int fd = open_dir(root.path), n = 0;
	DIR *stream;

	fill(1, 1);
	for (int i = 0; i < 200; i++) {
		struct buf key = {0};

		buf_printf(&key, "key %d", i);
		CHECK_INT(filter_cache_write(fd, &key, NULL, &area), 0);
		CHECK_INT(filter_cache_read(fd, &key, &back), 0);
		buf_done(&key);
	}
	stream = opendir(in_dir(root.path, ".seccomp"));
	while (stream && readdir(stream))
		n++;
	if (stream)
		closedir(stream);
	CHECK(n > 2 && n <= 70);
	close_fd(&fd);
}

TEST_MAIN()
