// SPDX-License-Identifier: Apache-2.0
// Look-ups in a hostile root: whatever the links say, nothing outside is reached or made.
#include "fs/inroot.h"

#include "../test.h"
#include "tree.h"

#include <errno.h>

static struct tree t;
static struct crun_error err;

static int make(const char *path, mode_t mode, bool *created)
{
	struct inroot_found found;
	int fd;

	memset(&err, 0, sizeof(err));
	fd = inroot_make(t.root, path, mode, 0, &found, &err);
	if (created)
		*created = found.created;
	if (fd >= 0)
		close(fd);
	return fd < 0 ? fd : 0;
}

static bool exists(const char *path, mode_t type)
{
	struct stat st;

	return fstatat(t.root, path, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
	       (st.st_mode & S_IFMT) == type;
}

static void outside_link(const char *name)
{
	char target[96];

	snprintf(target, sizeof(target), "%s/canary", t.path);
	if (symlinkat(target, t.root, name) < 0)
		exit(99);
}

TEST(creates_directories_and_files)
{
	bool created;

	tree_make(&t);
	CHECK_INT(make("/a/b/c", S_IFDIR | 0755, &created), 0);
	CHECK(created && exists("a/b/c", S_IFDIR));
	CHECK_INT(make("/a/b/c", S_IFDIR | 0755, &created), 0);
	CHECK(!created);
	CHECK_INT(make("a//b/./f", S_IFREG | 0644, &created), 0);
	CHECK(created && exists("a/b/f", S_IFREG));
	CHECK_INT(make("/", S_IFDIR | 0755, &created), 0);
	CHECK(!created);
	tree_remove(&t);
}

TEST(mode_is_what_was_asked_for)
{
	mode_t old = umask(0);
	struct stat st;

	tree_make(&t);
	CHECK_INT(make("/d/e", S_IFDIR | 0755, NULL), 0);
	CHECK_INT(fstatat(t.root, "d", &st, 0), 0);
	CHECK_INT(st.st_mode & 07777, 0755);
	CHECK_INT(make("/d/f", S_IFDIR | 0711, NULL), 0);
	CHECK_INT(fstatat(t.root, "d/f", &st, 0), 0);
	CHECK_INT(st.st_mode & 07777, 0711);
	umask(old);
	tree_remove(&t);
}

static bool as_spelled(const char *path)
{
	struct inroot_found found;
	int fd = inroot_make(t.root, path, S_IFDIR | 0755, 0, &found, &err);

	if (fd >= 0)
		close(fd);
	return fd >= 0 && found.as_spelled;
}

TEST(tells_whether_the_path_is_the_way)
{
	tree_make(&t);
	CHECK(!as_spelled("/new/one")); /* made by single steps */
	CHECK(as_spelled("/new/one"));
	CHECK(as_spelled("/new/two"));
	CHECK(exists("new/two", S_IFDIR));
	CHECK(!as_spelled("/new/../new/two"));
	CHECK(!as_spelled("/new//two"));
	CHECK(!as_spelled("/new/./two"));
	CHECK(!as_spelled("/new/two/"));
	CHECK(!as_spelled("new/two"));
	CHECK(!as_spelled("/"));
	CHECK(!as_spelled(""));
	CHECK_INT(symlinkat("new", t.root, "link"), 0);
	CHECK(!as_spelled("/link"));
	CHECK(!as_spelled("/link/two"));
	CHECK(!as_spelled("/link/three"));
	CHECK(exists("new/three", S_IFDIR));
	CHECK_INT(symlinkat("gone", t.root, "dangling"), 0);
	CHECK(!as_spelled("/dangling"));
	CHECK(exists("gone", S_IFDIR));
	tree_remove(&t);
}

TEST(links_stay_in_the_root)
{
	tree_make(&t);
	outside_link("abs");
	CHECK_INT(make("/abs/new", S_IFDIR | 0755, NULL), 0);
	CHECK(tree_canary_is_empty(&t));
	CHECK_INT(make("/abs/x", S_IFREG | 0644, NULL), 0);
	CHECK(tree_canary_is_empty(&t));
	CHECK_INT(symlinkat("../../../../../../canary", t.root, "rel"), 0);
	CHECK_INT(make("/rel/new", S_IFDIR | 0755, NULL), 0);
	CHECK(exists("canary/new", S_IFDIR));
	CHECK(tree_canary_is_empty(&t));
	tree_remove(&t);
}

TEST(dotdot_stops_at_the_root)
{
	tree_make(&t);
	CHECK_INT(make("/a/../../../canary/new", S_IFDIR | 0755, NULL), 0);
	CHECK(exists("canary/new", S_IFDIR));
	CHECK_INT(make("/q/w/../e", S_IFDIR | 0755, NULL), 0);
	CHECK(exists("q/w", S_IFDIR) && exists("q/e", S_IFDIR));
	CHECK_INT(make("/..", S_IFDIR | 0755, NULL), 0);
	CHECK(tree_canary_is_empty(&t));
	tree_remove(&t);
}

TEST(dangling_links_are_filled_as_in_a_chroot)
{
	tree_make(&t);
	CHECK_INT(symlinkat("/not/there/yet", t.root, "link"), 0);
	CHECK_INT(make("/link/sub", S_IFDIR | 0755, NULL), 0);
	CHECK(exists("not/there/yet/sub", S_IFDIR));
	CHECK_INT(symlinkat("/some/file", t.root, "flink"), 0);
	CHECK_INT(make("/flink", S_IFREG | 0644, NULL), 0);
	CHECK(exists("some/file", S_IFREG) && exists("flink", S_IFLNK));
	tree_remove(&t);
}

TEST(loops_and_files_in_the_way_are_named)
{
	tree_make(&t);
	CHECK_INT(symlinkat("loop", t.root, "loop"), 0);
	CHECK_INT(make("/loop/x", S_IFDIR | 0755, NULL), -ELOOP);
	CHECK_INT(mknodat(t.root, "file", S_IFREG | 0644, 0), 0);
	CHECK_INT(make("/file/x", S_IFDIR | 0755, NULL), -ENOTDIR);
	CHECK(strstr(err.text, "`/file`"));
	tree_remove(&t);
}

TEST(forty_links_are_enough)
{
	char name[16], target[16];

	tree_make(&t);
	for (int i = 0; i < 60; i++) {
		snprintf(name, sizeof(name), "l%d", i);
		snprintf(target, sizeof(target), "l%d", i + 1);
		CHECK_INT(symlinkat(target, t.root, name), 0);
	}
	/* l60 does not exist: 40 links lead there from l20, one more from l19. */
	CHECK_INT(make("/l19", S_IFDIR | 0755, NULL), -ELOOP);
	CHECK_INT(make("/l20", S_IFDIR | 0755, NULL), 0);
	CHECK(exists("l60", S_IFDIR));
	tree_remove(&t);
}

TEST(existing_fifo_is_not_opened)
{
	bool created;

	tree_make(&t);
	CHECK_INT(mknodat(t.root, "fifo", S_IFIFO | 0644, 0), 0);
	CHECK_INT(make("/fifo", S_IFREG | 0644, &created), 0);
	CHECK(!created);
	tree_remove(&t);
}

TEST(nofollow_returns_the_link_itself)
{
	struct stat st;
	int fd;

	tree_make(&t);
	outside_link("abs");
	fd = inroot_make(t.root, "/abs", S_IFDIR | 0755, INROOT_NOFOLLOW, NULL, &err);
	CHECK(fd >= 0);
	CHECK_INT(fstat(fd, &st), 0);
	CHECK(S_ISLNK(st.st_mode));
	close(fd);
	tree_remove(&t);
}

TEST(magic_links_are_refused)
{
	int root = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);

	CHECK(inroot_open(root, "/proc/self/fd/0", O_PATH) < 0);
	CHECK(inroot_open(root, "/proc/self/root/etc", O_PATH) < 0);
	CHECK(inroot_make(root, "/proc/self/cwd/x", S_IFDIR | 0755, 0, NULL, &err) < 0);
	close(root);
}

TEST(parent_and_name)
{
	char name[256];
	int fd;

	tree_make(&t);
	fd = inroot_make_parent(t.root, "/dev/net//tun/", name, sizeof(name), &err);
	CHECK(fd >= 0);
	CHECK_STR(name, "tun");
	close(fd);
	CHECK(exists("dev/net", S_IFDIR));
	fd = inroot_make_parent(t.root, "top", name, sizeof(name), &err);
	CHECK(fd >= 0);
	CHECK_STR(name, "top");
	close(fd);
	CHECK_INT(inroot_make_parent(t.root, "/a/..", name, sizeof(name), &err), -EINVAL);
	CHECK_INT(inroot_make_parent(t.root, "/", name, sizeof(name), &err), -EINVAL);
	CHECK_INT(inroot_make_parent(t.root, "/toolong", name, 4, &err), -ENAMETOOLONG);
	tree_remove(&t);
}

TEST(long_paths_fail_cleanly)
{
	char path[5000];

	tree_make(&t);
	memset(path, 'a', sizeof(path));
	path[0] = '/';
	path[sizeof(path) - 1] = '\0';
	CHECK_INT(make(path, S_IFDIR | 0755, NULL), -ENAMETOOLONG);
	path[300] = '\0';
	CHECK_INT(make(path, S_IFDIR | 0755, NULL), -ENAMETOOLONG);
	tree_remove(&t);
}

TEST_MAIN()
