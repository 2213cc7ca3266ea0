// SPDX-License-Identifier: Apache-2.0
// Parsing of mountinfo: the documented form, its escapes, and lines that are not of it.
#include "fs/mountinfo.h"

#include "../test.h"

TEST(fields)
{
	char text[] =
		"36 35 98:0 /mnt1 /mnt2 rw,noatime master:1 shared:2 - ext3 /dev/root rw,errors=continue\n"
		"32 31 0:29 / /sys/fs/cgroup/cpu,cpuacct rw,relatime - cgroup cgroup rw,cpu,cpuacct\n";
	char *cursor = text;
	struct mountinfo m;

	CHECK_INT(mountinfo_next(&cursor, &m), 1);
	CHECK_INT(m.id, 36);
	CHECK_STR(m.root, "/mnt1");
	CHECK_STR(m.mount_point, "/mnt2");
	CHECK_STR(m.options, "rw,noatime");
	CHECK_STR(m.fstype, "ext3");
	CHECK_STR(m.super_options, "rw,errors=continue");
	CHECK_INT(mountinfo_next(&cursor, &m), 1);
	CHECK_STR(m.mount_point, "/sys/fs/cgroup/cpu,cpuacct");
	CHECK_STR(m.super_options, "rw,cpu,cpuacct");
	CHECK_INT(mountinfo_next(&cursor, &m), 0);
}

TEST(escapes)
{
	char text[] = "1 2 0:1 /a\\040b /c\\134d\\011 rw - tmpfs none rw\n";
	char *cursor = text;
	struct mountinfo m;

	CHECK_INT(mountinfo_next(&cursor, &m), 1);
	CHECK_STR(m.root, "/a b");
	CHECK_STR(m.mount_point, "/c\\d\t");
}

TEST(other_lines_are_skipped)
{
	char text[] = "garbage\n\n1 2 3\n1 2 0:1 / /x rw shared:1\n1 2 0:1 / /y rw - tmpfs none rw";
	char *cursor = text;
	struct mountinfo m;

	CHECK_INT(mountinfo_next(&cursor, &m), 1);
	CHECK_STR(m.mount_point, "/y");
	CHECK_INT(mountinfo_next(&cursor, &m), 0);
}

TEST(empty_text)
{
	char empty[] = "", *cursor = NULL;
	struct mountinfo m;

	CHECK_INT(mountinfo_next(&cursor, &m), 0);
	cursor = empty;
	CHECK_INT(mountinfo_next(&cursor, &m), 0);
}

TEST(options)
{
	CHECK(mountinfo_has_option("rw,cpu,cpuacct", "cpu", 3));
	CHECK(mountinfo_has_option("rw,cpu,cpuacct", "cpuacct", 7));
	CHECK(!mountinfo_has_option("rw,cpuacct", "cpu", 3));
	CHECK(!mountinfo_has_option("", "cpu", 3));
	CHECK(mountinfo_has_option("rw,name=systemd", "name=systemd", 12));
}

TEST_MAIN()
