// SPDX-License-Identifier: Apache-2.0
// Copying a hostile tree: everything arrives as it is, links are not followed, a FIFO does not block.
#include "fs/tree_copy.h"

#include "../test.h"
#include "tree.h"

#include <errno.h>

static struct tree t;
static struct crun_error err;

static int sub(const char *name)
{
	mkdirat(t.root, name, 0755);
	return openat(t.root, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

static void write_file(int dir, const char *name, const char *text, mode_t mode)
{
	int fd = openat(dir, name, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);

	if (fd < 0 || write(fd, text, strlen(text)) < 0)
		exit(99);
	fchmod(fd, mode);
	close(fd);
}

TEST(copies_all_kinds)
{
	char text[16] = "", target[64] = "";
	struct stat st;
	int from, to, fd;

	tree_make(&t);
	from = sub("from");
	to = sub("to");
	write_file(from, "file", "hello", 04751);
	CHECK_INT(symlinkat("/canary/x", from, "link"), 0);
	CHECK_INT(mknodat(from, "fifo", S_IFIFO | 0620, 0), 0);
	CHECK_INT(fchmodat(from, "fifo", 0620, 0), 0);
	CHECK_INT(mkdirat(from, "dir", 0700), 0);
	CHECK_INT(fchmodat(from, "dir", 01711, 0), 0);
	fd = openat(from, "dir", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	write_file(fd, "inner", "x", 0444);
	close(fd);
	CHECK_INT(tree_copy(from, to, &err), 0);

	CHECK_INT(fstatat(to, "file", &st, 0), 0);
	CHECK_INT(st.st_mode, S_IFREG | 04751);
	fd = openat(to, "file", O_RDONLY | O_CLOEXEC);
	CHECK_INT(read(fd, text, sizeof(text) - 1), 5);
	CHECK_STR(text, "hello");
	close(fd);
	CHECK(readlinkat(to, "link", target, sizeof(target) - 1) > 0);
	CHECK_STR(target, "/canary/x");
	CHECK_INT(fstatat(to, "fifo", &st, AT_SYMLINK_NOFOLLOW), 0);
	CHECK_INT(st.st_mode, S_IFIFO | 0620);
	CHECK_INT(fstatat(to, "dir", &st, 0), 0);
	CHECK_INT(st.st_mode, S_IFDIR | 01711);
	CHECK_INT(fstatat(to, "dir/inner", &st, 0), 0);
	CHECK_INT(st.st_mode, S_IFREG | 0444);
	close(from);
	close(to);
	tree_remove(&t);
}

TEST(times_are_kept)
{
	const struct timespec times[2] = {{.tv_sec = 1000}, {.tv_sec = 2000}};
	struct stat st;
	int from, to;

	tree_make(&t);
	from = sub("from");
	to = sub("to");
	CHECK_INT(mkdirat(from, "d", 0755), 0);
	write_file(from, "d/f", "x", 0644);
	CHECK_INT(utimensat(from, "d/f", times, 0), 0);
	CHECK_INT(utimensat(from, "d", times, 0), 0);
	CHECK_INT(tree_copy(from, to, &err), 0);
	CHECK_INT(fstatat(to, "d/f", &st, 0), 0);
	CHECK_INT(st.st_mtime, 2000);
	CHECK_INT(fstatat(to, "d", &st, 0), 0);
	CHECK_INT(st.st_mtime, 2000);
	close(from);
	close(to);
	tree_remove(&t);
}

TEST(top_directory_keeps_its_own_mode)
{
	struct stat st;
	int from, to;

	tree_make(&t);
	from = sub("from");
	to = sub("to");
	CHECK_INT(fchmod(from, 0700), 0);
	CHECK_INT(fchmod(to, 01777), 0);
	CHECK_INT(tree_copy(from, to, &err), 0);
	CHECK_INT(fstat(to, &st), 0);
	CHECK_INT(st.st_mode & 07777, 01777);
	close(from);
	close(to);
	tree_remove(&t);
}

TEST(existing_entry_is_an_error_with_its_name)
{
	int from, to;

	tree_make(&t);
	from = sub("from");
	to = sub("to");
	write_file(from, "same", "a", 0644);
	write_file(to, "same", "b", 0644);
	CHECK_INT(tree_copy(from, to, &err), -EEXIST);
	CHECK(strstr(err.text, "`same`"));
	close(from);
	close(to);
	tree_remove(&t);
}

TEST(too_deep_a_tree_is_refused)
{
	int from, to, fd, next;

	tree_make(&t);
	from = sub("from");
	to = sub("to");
	fd = openat(from, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	for (int i = 0; i < 200; i++) {
		CHECK_INT(mkdirat(fd, "d", 0755), 0);
		next = openat(fd, "d", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		close(fd);
		fd = next;
	}
	close(fd);
	CHECK_INT(tree_copy(from, to, &err), -ELOOP);
	close(from);
	close(to);
	tree_remove(&t);
}

TEST_MAIN()
