// SPDX-License-Identifier: Apache-2.0
// Tests of how crun doctor reads the files of the kernel and the system: whole ones, damaged ones, hostile ones.
#include "host/doctor/parse.h"

#include "../test.h"

#include <linux/capability.h>
#include <stdint.h>

TEST(kernel_versions)
{
	unsigned major = 0, minor = 0;

	CHECK(doctor_parse_version("6.1.0-13-amd64", &major, &minor));
	CHECK_INT(major, 6);
	CHECK_INT(minor, 1);
	CHECK(doctor_parse_version("5.10", &major, &minor));
	CHECK_INT(minor, 10);
	CHECK(!doctor_parse_version("", &major, &minor));
	CHECK(!doctor_parse_version("6", &major, &minor));
	CHECK(!doctor_parse_version("6.x", &major, &minor));
	CHECK(!doctor_parse_version("99999999999999999999.1", &major, &minor));
}

static const char passwd[] = "root:x:0:0:root:/root:/bin/sh\n"
			     "broken\n"
			     ":x:7:7::/:/bin/sh\n"
			     "almost:x:10\n"
			     "alice:x:1000:1000:Alice:/home/alice:/bin/sh\n"
			     "again:x:1000:1000::/:/bin/sh";

TEST(names_of_users)
{
	char name[16];

	CHECK(doctor_parse_user(passwd, 1000, name, sizeof(name)));
	CHECK_STR(name, "alice");
	CHECK(doctor_parse_user(passwd, 0, name, sizeof(name)));
	CHECK_STR(name, "root");
	CHECK(!doctor_parse_user(passwd, 7, name, sizeof(name)));
	CHECK(!doctor_parse_user(passwd, 10, name, sizeof(name)));
	CHECK(!doctor_parse_user(passwd, 1, name, sizeof(name)));
	CHECK(!doctor_parse_user("", 0, name, sizeof(name)));
	CHECK(!doctor_parse_user("toolongforthebuffer:x:5:5::/:/\n", 5, name, sizeof(name)));
	CHECK(!doctor_parse_user("no colon\nx:y\n", 0, name, sizeof(name)));
}

static struct doctor_subids subids(const char *text)
{
	struct doctor_subids ids;

	doctor_parse_subids(text, "alice", 1000, &ids);
	return ids;
}

TEST(subordinate_ids_by_name_and_by_number)
{
	struct doctor_subids ids = subids("# a comment\n\nbob:100000:65536\nalice:165536:65536\n"
					  "1000:300000:10\nalicent:1:1\n");

	CHECK(ids.any);
	CHECK_INT(ids.first, 165536);
	CHECK_INT(ids.count, 65536);
	CHECK_INT(ids.total, 65546);
	CHECK_INT(ids.bad_line, 0);
	CHECK_STR(ids.other, "");
	CHECK_INT(ids.free, 300010);
}

TEST(nobody_has_no_subordinate_ids)
{
	CHECK(!subids("").any);
	CHECK_INT(subids("").free, 100000);
	CHECK(!subids("alic:1:2\nalice2:1:2\n").any);
	CHECK_INT(subids("bob:100000:65536").free, 165536);
}

TEST(damaged_lines_are_told_by_their_number)
{
	CHECK_INT(subids("bob:1:2\nalice\nalice:x:y\n").bad_line, 2);
	CHECK_INT(subids("alice:1:2:3\n").bad_line, 1);
	CHECK_INT(subids("alice:1\nbob:1:2\n").bad_line, 1);
	CHECK_INT(subids("alice:-1:5\n").bad_line, 1);
	CHECK_INT(subids("alice:99999999999999999999:5\n").bad_line, 1);
	CHECK_INT(subids("alice:1:4294967296\n").bad_line, 1);
	CHECK_INT(subids(":1:5\n").bad_line, 1);
	CHECK(!subids("alice\n:1:2\n").any);
	CHECK_INT(subids("x\nalice:1:5\n").total, 5);
}

TEST(ranges_of_two_users_overlap)
{
	CHECK_STR(subids("alice:100:10\nbob:109:1\n").other, "bob");
	CHECK_STR(subids("bob:100:1000\nalice:500:1\n").other, "bob");
	CHECK_STR(subids("alice:100:10\nbob:110:10\n").other, "");
	CHECK_STR(subids("alice:100:10\nbob:100:0\n").other, "");
	CHECK_STR(subids("alice:100:10\nalice:105:10\n").other, "");
}

TEST(keys_of_a_user)
{
	static const char text[] = "    0:    58 57/57 52/1000000 1000/25000000\n"
				   " 1000:     5 5/5 199/200 11/20000\n"
				   " 1001:  bad\n";
	struct doctor_keys k;

	CHECK(doctor_parse_key_users(text, 1000, &k));
	CHECK_INT(k.keys, 199);
	CHECK_INT(k.max_keys, 200);
	CHECK_INT(k.bytes, 11);
	CHECK_INT(k.max_bytes, 20000);
	CHECK(doctor_parse_key_users(text, 0, &k));
	CHECK_INT(k.max_bytes, 25000000);
	CHECK(!doctor_parse_key_users(text, 100, &k));
	CHECK(!doctor_parse_key_users(text, 1001, &k));
	CHECK(!doctor_parse_key_users("", 0, &k));
}

TEST(words_of_lists)
{
	CHECK(doctor_has_word("cpu io memory", "io"));
	CHECK(doctor_has_word("cpu io memory\n", "memory"));
	CHECK(doctor_has_word("kill_process,errno", "errno"));
	CHECK(!doctor_has_word("cpuset", "cpu"));
	CHECK(!doctor_has_word("cpu", "cpuset"));
	CHECK(!doctor_has_word("", "cpu"));
}

TEST(our_own_cgroup)
{
	char path[32];

	CHECK(doctor_parse_own_cgroup("4:pids:/x\n0::/user.slice/a\n", path, sizeof(path)));
	CHECK_STR(path, "/user.slice/a");
	CHECK(doctor_parse_own_cgroup("0::/", path, sizeof(path)));
	CHECK_STR(path, "/");
	CHECK(!doctor_parse_own_cgroup("4:pids:/x\n", path, sizeof(path)));
	CHECK(!doctor_parse_own_cgroup("", path, sizeof(path)));
	CHECK(!doctor_parse_own_cgroup("0::/a/path/that/does/not/fit/into/it\n", path,
				       sizeof(path)));
}

TEST(sizes_of_id_maps)
{
	CHECK_INT(doctor_parse_map_size("         0       1000          1\n"), 1);
	CHECK_INT(doctor_parse_map_size("0 1000 1\n1 100000 65536\n"), 65537);
	CHECK_INT(doctor_parse_map_size("0 0 4294967295\n"), 4294967295);
	CHECK_INT(doctor_parse_map_size(""), 0);
}

TEST(file_capabilities)
{
	/* struct vfs_cap_data of revision 2, little-endian: cap_setuid=ep, as Fedora's newuidmap has it. */
	unsigned char caps[20] = {1, 0, 0, 2, 0x80};

	CHECK(doctor_parse_file_cap(caps, sizeof(caps), CAP_SETUID));
	CHECK(!doctor_parse_file_cap(caps, sizeof(caps), CAP_SETGID));
	CHECK(!doctor_parse_file_cap(caps, 7, CAP_SETUID));
	CHECK(!doctor_parse_file_cap(caps, sizeof(caps), 39));
	caps[0] = 0; /* permitted, but not effective: the program would have to ask for it */
	CHECK(!doctor_parse_file_cap(caps, sizeof(caps), CAP_SETUID));
}

TEST_MAIN()
