// SPDX-License-Identifier: Apache-2.0
// Mount attributes by the new call and by the old one, in a mount namespace of the test's own.
#include "fs/mount_attr.h"

#include "../test.h"
#include "fs/mount_source.h"
#include "fs/procfs.h"
#include "sys/file.h"
#include "sys/mount.h"

#include <errno.h>
#include <unistd.h>

static struct crun_error err;

static int write_text(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : write(fd, text, strlen(text));

	if (fd >= 0)
		close(fd);
	return n < 0 ? -1 : 0;
}

/* A mount namespace where we have the power to mount, as root or in a user namespace; false where neither works. */
static bool enter(void)
{
	static int entered = -1;
	char map[64];

	if (entered >= 0)
		return entered;
	entered = 0;
	snprintf(map, sizeof(map), "0 %u 1", getuid());
	if (unshare(CLONE_NEWNS) < 0) {
		if (unshare(CLONE_NEWUSER | CLONE_NEWNS) < 0 ||
		    write_text("/proc/self/uid_map", map) < 0)
			return false;
	}
	entered = sys_mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0;
	return entered;
}

/* A tmpfs attached to /tmp of the namespace. */
static int attached_tmpfs(void)
{
	int fs = sys_fsopen("tmpfs"), fd, target;

	if (fs < 0 || sys_fsconfig_create(fs) < 0)
		return -1;
	fd = sys_fsmount(fs, 0);
	target = sys_openat(AT_FDCWD, "/tmp", O_PATH | O_DIRECTORY, 0);
	if (sys_move_mount(fd, target) < 0)
		return -1;
	close(fs);
	close(target);
	return fd;
}

#define FLAGS (MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC)

TEST(change_sets_clears_and_leaves_the_rest)
{
	uint64_t got = 0;
	int fd, r;

	if (!enter())
		SKIP("no mount namespace can be made");
	fd = attached_tmpfs();
	CHECK(fd >= 0);
	r = mount_attr_change(fd, &(struct mount_change){.set = FLAGS});
	if (r == -ENOSYS)
		SKIP("mount_setattr is missing");
	CHECK_INT(r, 0);
	CHECK_INT(mount_attr_get(fd, &got), 0);
	CHECK_INT(got, FLAGS);
	CHECK_INT(mount_attr_change(fd, &(struct mount_change){.clr = MOUNT_ATTR_RDONLY}), 0);
	CHECK_INT(mount_attr_get(fd, &got), 0);
	CHECK_INT(got, FLAGS & ~(uint64_t)MOUNT_ATTR_RDONLY);
	close(fd);
	CHECK_INT(sys_umount2("/tmp", MNT_DETACH), 0);
}

TEST(remount_does_the_same_by_the_old_call)
{
	uint64_t got = 0;
	int fd, proc;

	if (!enter())
		SKIP("no mount namespace can be made");
	fd = attached_tmpfs();
	proc = procfs_open_host(&err);
	CHECK(fd >= 0 && proc >= 0);
	CHECK_INT(mount_attr_remount(proc, fd, &(struct mount_change){.set = FLAGS}), 0);
	CHECK_INT(mount_attr_get(fd, &got), 0);
	CHECK_INT(got, FLAGS);
	CHECK_INT(mount_attr_remount(proc, fd, &(struct mount_change){.clr = MOUNT_ATTR_NODEV}), 0);
	CHECK_INT(mount_attr_get(fd, &got), 0);
	CHECK_INT(got, FLAGS & ~(uint64_t)MOUNT_ATTR_NODEV);
	close(fd);
	close(proc);
	CHECK_INT(sys_umount2("/tmp", MNT_DETACH), 0);
}

static uint64_t flags_of(const char *path)
{
	uint64_t got = 0;
	int fd = open(path, O_PATH | O_CLOEXEC);

	if (fd < 0 || mount_attr_get(fd, &got) < 0)
		return ~UINT64_C(0);
	close(fd);
	return got;
}

TEST(remount_reaches_what_is_mounted_below)
{
	const struct mount_change readonly = {.rec_set = MOUNT_ATTR_RDONLY};
	const struct mount_change but_top = {
		.rec_set = MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOEXEC,
		.clr = MOUNT_ATTR_RDONLY,
	};
	int fd, proc;

	if (!enter())
		SKIP("no mount namespace can be made");
	fd = attached_tmpfs();
	proc = procfs_open_host(&err);
	CHECK(fd >= 0 && proc >= 0);
	CHECK_INT(mkdir("/tmp/a b", 0755), 0);
	CHECK_INT(sys_mount("t", "/tmp/a b", "tmpfs", MS_NOSUID, ""), 0);
	CHECK_INT(mkdir("/tmp/a b/c", 0755), 0);
	CHECK_INT(sys_mount("t", "/tmp/a b/c", "tmpfs", MS_NODEV, ""), 0);
	/* One that another covers cannot be reached, and does not keep us. */
	CHECK_INT(mkdir("/tmp/a b/c/d", 0755), 0);
	CHECK_INT(sys_mount("t", "/tmp/a b/c/d", "tmpfs", 0, ""), 0);
	CHECK_INT(sys_mount("t", "/tmp/a b/c", "tmpfs", MS_NODEV, ""), 0);
	CHECK_INT(mount_attr_remount(proc, fd, &readonly), 0);
	CHECK_INT(flags_of("/tmp"), MOUNT_ATTR_RDONLY);
	CHECK_INT(flags_of("/tmp/a b"), MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID);
	CHECK_INT(flags_of("/tmp/a b/c"), MOUNT_ATTR_RDONLY | MOUNT_ATTR_NODEV);
	CHECK_INT(mount_attr_remount(proc, fd, &but_top), 0);
	CHECK_INT(flags_of("/tmp"), MOUNT_ATTR_NOEXEC);
	CHECK_INT(flags_of("/tmp/a b"), MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NOEXEC);
	close(fd);
	close(proc);
	CHECK_INT(sys_umount2("/tmp", MNT_DETACH), 0);
}

/* The mount has the kernel's own mode, relatime. */
static void check_atime(int fd)
{
	CHECK_INT(mount_attr_verify_atime(fd, 0, 0, &err), 0);
	CHECK_INT(mount_attr_verify_atime(fd, MOUNT_ATTR_RELATIME, MOUNT_ATTR__ATIME, &err), 0);
	CHECK_INT(mount_attr_verify_atime(fd, MOUNT_ATTR_NOATIME, MOUNT_ATTR__ATIME, &err), -EIO);
	CHECK_STR(err.text, "mount option `noatime` did not take effect");
	CHECK_INT(mount_attr_verify_atime(fd, MOUNT_ATTR_STRICTATIME, MOUNT_ATTR__ATIME, &err),
		  -EIO);
	CHECK_STR(err.text, "mount option `strictatime` did not take effect");
	CHECK_INT(mount_attr_verify_atime(fd, MOUNT_ATTR_NODIRATIME, 0, &err), -EIO);
}

TEST(verify_names_the_flag_that_is_missing)
{
	int fd, proc;

	if (!enter())
		SKIP("no mount namespace can be made");
	fd = attached_tmpfs();
	proc = procfs_open_host(&err);
	CHECK_INT(mount_attr_apply(proc, fd, &(struct mount_change){.set = MOUNT_ATTR_RDONLY}), 0);
	CHECK_INT(mount_attr_verify(fd, MOUNT_ATTR_RDONLY, &err), 0);
	CHECK_INT(mount_attr_verify(fd, MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOEXEC, &err), -EIO);
	CHECK(strstr(err.text, "`noexec`"));
	check_atime(fd);
	close(fd);
	close(proc);
	CHECK_INT(sys_umount2("/tmp", MNT_DETACH), 0);
}

TEST(sources)
{
	int fd;

	if (!enter())
		SKIP("no mount namespace can be made");
	fd = mount_source_open(NULL, "/no/such/thing", true, false, &err);
	CHECK_INT(fd, -ENOENT);
	CHECK_STR(err.text, "mount source `/no/such/thing`: No such file or directory");
	fd = mount_source_open(NULL, "/", true, false, &err);
	CHECK(fd >= 0);
	close(fd);
	/* An unbindable mount exists, but cannot be cloned: say that, not "Invalid argument". */
	fd = attached_tmpfs();
	CHECK_INT(mount_attr_change(fd, &(struct mount_change){.propagation = MS_UNBINDABLE}), 0);
	CHECK_INT(mount_source_open(NULL, "/tmp", false, false, &err), -EINVAL);
	CHECK(strstr(err.text, "unbindable"));
	close(fd);
	CHECK_INT(sys_umount2("/tmp", MNT_DETACH), 0);
}

TEST(names)
{
	CHECK_STR(mount_attr_name(MOUNT_ATTR_NOSUID | MOUNT_ATTR_NOEXEC), "nosuid");
	CHECK_STR(mount_attr_name(MOUNT_ATTR_NOATIME), "atime");
}

TEST_MAIN()
