// SPDX-License-Identifier: Apache-2.0
// Where paths lie in the directories of the kernel, and what `seal` does when these are not where they were mounted.
#include "fs/kernel_dirs.h"

#include "base/cleanup.h"
#include "init/inside/phase.h"

#include "../init/inside_fixture.h"

#include <errno.h>

static struct kernel_dirs dirs;
static struct kernel_name at;

static int find(const char *path)
{
	close_fd(&at.own_fd);
	return kernel_dirs_find(&dirs, path, &at);
}

static bool is_named_in(const char *name, const char *dir)
{
	struct stat a, b;

	return fstat(at.dir_fd, &a) == 0 && stat(dir, &b) == 0 && a.st_dev == b.st_dev &&
	       a.st_ino == b.st_ino && strcmp(at.name, name) == 0;
}

TEST(names)
{
	_cleanup_close_ int slash = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);

	at.own_fd = FD_NONE;
	CHECK_INT(kernel_dirs_open(&dirs, slash), 0);
	if (dirs.proc_fd < 0)
		SKIP("no procfs in /proc");
	CHECK_INT(find("/proc/keys"), 1);
	CHECK_INT(at.own_fd, FD_NONE);
	CHECK(is_named_in("keys", "/proc"));
	CHECK_INT(find("/proc/no-such-file"), 1);
	CHECK_INT(find("/proc/sys/kernel/hostname"), 1);
	CHECK_INT(at.own_fd, at.dir_fd);
	CHECK(is_named_in("hostname", "/proc/sys/kernel"));
	CHECK_INT(find("/proc/sys/vm/../kernel/hostname"), 1);
	CHECK(is_named_in("hostname", "/proc/sys/kernel"));
	CHECK_INT(find("/proc///keys"), 1);
	CHECK(is_named_in("keys", "/proc"));
	CHECK_INT(find("/proc//sys//kernel//hostname"), 1);
	CHECK(is_named_in("hostname", "/proc/sys/kernel"));
	CHECK_INT(find("//./proc/./keys"), 1);
	CHECK(is_named_in("keys", "/proc"));
	CHECK_INT(find("/proc/../proc/keys"), 1);
	CHECK(is_named_in("keys", "/proc"));
	CHECK_INT(find("/proc/.././/proc/..//proc/sys/kernel/hostname"), 1);
	CHECK(is_named_in("hostname", "/proc/sys/kernel"));
	if (dirs.sys_fd >= 0) {
		CHECK_INT(find("/sys/../proc/keys"), 1);
		CHECK(is_named_in("keys", "/proc"));
		CHECK_INT(find("/proc/../sys/kernel"), 1);
		CHECK(is_named_in("kernel", "/sys"));
	}
	CHECK_INT(find("/proc/no/such/file"), -ENOENT);
	CHECK_INT(find("/proc/version/file"), -ENOENT);
	/* Behind links, and no names. */
	CHECK_INT(find("/proc/self/status"), 0);
	CHECK_INT(find("/proc/1/root/etc"), 0);
	CHECK_INT(find("/proc/sys/.."), 0);
	CHECK_INT(find("/proc/.."), 0);
	CHECK_INT(find("/proc/../etc/passwd"), 0);
	CHECK_INT(find("/proc/../../proc/keys"), 0);
	CHECK_INT(find("/etc/../proc/keys"), 0);
	CHECK_INT(find("/proc/../procs"), 0);
	CHECK_INT(find("/proc/../proc"), 0);
	CHECK_INT(find("/proc/"), 0);
	CHECK_INT(find("/proc//"), 0);
	CHECK_INT(find("/proc"), 0);
	CHECK_INT(find("/etc/passwd"), 0);
	CHECK_INT(find("proc/keys"), 0);
	find("/");
	kernel_dirs_close(&dirs);
	CHECK_INT(find("/proc/keys"), 0);
	CHECK_INT(find("/proc/sys/kernel"), 0);
}

/* `seal` of a plan with a procfs at /proc, with ops behind it, in a root that has none. */
static int seal(const struct mount_op *ops, size_t len)
{
	static const char *paths[] = {"/proc/sys"};
	int r;

	begin();
	put_dir("proc");
	plan.mounts = ops;
	plan.mounts_len = len;
	plan.readonly_paths = paths;
	plan.readonly_paths_len = 1;
	r = phase_seal(&in, &err);
	end();
	return r;
}

TEST(seal_misses_the_procfs_of_the_plan)
{
	const struct mount_op ops[] = {
		{.kind = MOUNT_FS, .destination = "/proc", .fstype = "proc", .index = 3},
		{.kind = MOUNT_REMOUNT, .destination = "/proc", .index = 4},
		{.kind = MOUNT_FS, .destination = "/", .fstype = "tmpfs", .index = 5},
	};

	CHECK_INT(seal(ops, 0), 0);
	CHECK_INT(seal(ops, 1), -ESTALE);
	CHECK_STR(err.at, "/mounts/3");
	CHECK_STR(err.text, "`/proc` is not what was mounted there: it was replaced while the "
			    "container was made");
	CHECK_INT(seal(ops, 2), -ESTALE);
	CHECK_STR(err.at, "/mounts/3");
	/* All of it is somewhere else. */
	CHECK_INT(seal(ops, 3), 0);
}

TEST(seal_knows_other_ways_to_write_a_destination)
{
	static const char *const missed[] = {
		"//proc",	 "/proc/",	 "/./proc",	     "/.//proc/./",
		"/proc/.",	 "/x/../proc",	 "/x/y/../../proc/", "/../proc",
		"/proc/../proc", "/proc/sys/..", "/sys/..//./proc",  "/x/.././proc/./y/../."};
	static const char *const others[] = {
		"/procs",  "/pro",    "/proc/sys",   "/.proc",	   "/proc./",
		"/./",	   "/x/proc", "/proc/..",    "/proc/../x", "/proc/../x/proc",
		"/..proc", "/x/..",   "/x/../proc/y"};
	struct mount_op ops[] = {
		{.kind = MOUNT_FS, .destination = "/proc", .fstype = "proc", .index = 3},
		{.kind = MOUNT_FS, .destination = "//", .fstype = "tmpfs", .index = 4},
	};

	CHECK_INT(seal(ops, 2), 0);
	ops[1].destination = "/x/..";
	CHECK_INT(seal(ops, 2), 0);
	for (size_t i = 0; i < sizeof(missed) / sizeof(missed[0]); i++) {
		ops[0].destination = missed[i];
		if (seal(ops, 1) != -ESTALE)
			TEST_FAIL("%s", missed[i]);
	}
	for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
		ops[0].destination = others[i];
		if (seal(ops, 1) != 0)
			TEST_FAIL("%s", others[i]);
	}
}

TEST_MAIN()
