// SPDX-License-Identifier: Apache-2.0
// Labels that look alike: what is the one that was asked for, and what is another one.
#include "fs/label.h"

#include "../state/tempdir.h"
#include "../test.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/xattr.h>
#include <unistd.h>

TEST(apparmor_profiles)
{
	CHECK(label_is_apparmor("crun", "crun"));
	CHECK(label_is_apparmor("crun", "crun\n"));
	CHECK(label_is_apparmor("crun", "crun (enforce)\n"));
	CHECK(label_is_apparmor("crun", "crun (complain)"));
	CHECK(label_is_apparmor("unconfined", "unconfined\n"));
	CHECK(label_is_apparmor("a b", "a b (enforce)"));
	CHECK(label_is_apparmor("a//&b", "a//&b (enforce)"));
}

TEST(other_apparmor_profiles)
{
	CHECK(!label_is_apparmor("unconfined", "unconfined_foo (enforce)\n"));
	CHECK(!label_is_apparmor("unconfined_foo", "unconfined\n"));
	CHECK(!label_is_apparmor("crun", "unconfined\n"));
	CHECK(!label_is_apparmor("crun", ""));
	CHECK(!label_is_apparmor("crun", "\n"));
	CHECK(!label_is_apparmor("crun", "crun2 (enforce)"));
	CHECK(!label_is_apparmor("a", "a b (enforce)\n"));
	CHECK(!label_is_apparmor("a", "a//b (enforce)\n"));
	CHECK(!label_is_apparmor("a", "a (enforce) b"));
	CHECK(!label_is_apparmor("a", "a (enforce"));
	CHECK(!label_is_apparmor("a", "a ()) (enforce)"));
	CHECK(!label_is_apparmor("crun", "exec crun"));
}

#define T "system_u:system_r:container_t:"

TEST(selinux_labels)
{
	CHECK(label_is_selinux(T "s0:c1,c2", T "s0:c1,c2"));
	CHECK(label_is_selinux(T "s0:c2,c1", T "s0:c1,c2"));
	CHECK(label_is_selinux(T "s0:c3,c1,c2", T "s0:c1.c3"));
	CHECK(label_is_selinux(T "s0-s0", T "s0"));
	CHECK(label_is_selinux(T "s0-s0:c0.c1023", T "s0-s0:c0.c1023"));
	CHECK(label_is_selinux("u:r:t", "u:r:t"));
}

TEST(other_selinux_labels)
{
	CHECK(!label_is_selinux(T "s0:c1,c2", T "s0:c1,c3"));
	CHECK(!label_is_selinux(T "s0:c1,c2", T "s0:c1"));
	CHECK(!label_is_selinux(T "s0:c1,c2", T "s0"));
	CHECK(!label_is_selinux(T "s0", T "s0:c1,c2"));
	CHECK(!label_is_selinux(T "s0", T "s1"));
	CHECK(!label_is_selinux(T "s0", T "s00"));
	CHECK(!label_is_selinux(T "s0", T "s0-s0:c1"));
	CHECK(!label_is_selinux(T "s0:c1,c2", "system_u:system_r:unconfined_t:s0:c1,c2"));
	CHECK(!label_is_selinux("u:r:t", "u:r:t:s0"));
	CHECK(!label_is_selinux("u:r:t:s0", "u:r:t2:s0"));
	CHECK(!label_is_selinux("u:r:t", "u:r:t2"));
	CHECK(!label_is_selinux(T "s0", ""));
	CHECK(!label_is_selinux(T "s0:c1", T "s0:c1,c9999"));
	CHECK(!label_is_selinux(T "s0:", T "s0:c1"));
	CHECK(!label_is_selinux(T "s0:c2.c1", T "s0:c1.c2"));
}

TEST(quotes)
{
	char buf[8];

	CHECK_STR(label_unquote("\"a,b\"", buf, sizeof(buf)), "a,b");
	CHECK_STR(label_unquote("a", buf, sizeof(buf)), "a");
	CHECK_STR(label_unquote("\"", buf, sizeof(buf)), "\"");
	CHECK_STR(label_unquote("\"\"", buf, sizeof(buf)), "");
	CHECK_STR(label_unquote("\"1234567\"", buf, sizeof(buf)), "1234567");
	CHECK_STR(label_unquote("\"12345678\"", buf, sizeof(buf)), "\"12345678\"");
	CHECK(label_is_option("context") && label_is_option("rootcontext"));
	CHECK(!label_is_option("size") && !label_is_option("contexts"));
}

/* Without SELinux the attribute is an ordinary one that root may set: a stand-in for the kernel's answer. */
TEST(label_of_a_mount)
{
	struct tempdir dir = tempdir_make();
	struct crun_error err = {0};
	int fd = open(dir.path, O_PATH | O_DIRECTORY | O_CLOEXEC), set, none, good, bad;

	set = setxattr(dir.path, "security.selinux", T "s0:c1,c2", sizeof(T "s0:c1,c2"), 0);
	good = label_verify_mount(fd, T "s0:c1,c2", &err);
	bad = label_verify_mount(fd, T "s0:c1,c3", &err);
	(void)removexattr(dir.path, "security.selinux");
	none = label_verify_mount(fd, T "s0:c1,c2", ERR_IGNORED);
	close(fd);
	tempdir_remove(&dir);
	if (set < 0)
		SKIP("the attribute cannot be set here");
	CHECK_INT(good, 0);
	CHECK_INT(bad, -EPERM);
	CHECK_STR(err.text, "the new mount has the SELinux label `" T "s0:c1,c2` and not `" T
			    "s0:c1,c3`: operation not permitted");
	CHECK(none < 0);
}

TEST_MAIN()
