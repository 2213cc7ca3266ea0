// SPDX-License-Identifier: Apache-2.0
// The table of mount options: every word of config.md is known, findable and means what it says.
#include "spec/mount_options.h"

#include "../test.h"

#include <linux/mount.h>

/* The options that config.md says a runtime MUST or SHOULD implement. */
static const char *const required[] = {
	"async",	"atime",       "bind",		 "defaults",
	"dev",		"diratime",    "dirsync",	 "exec",
	"iversion",	"lazytime",    "loud",		 "noatime",
	"nodev",	"nodiratime",  "noexec",	 "noiversion",
	"nolazytime",	"norelatime",  "nostrictatime",	 "nosuid",
	"nosymfollow",	"private",     "ratime",	 "rbind",
	"rdev",		"rdiratime",   "relatime",	 "remount",
	"rexec",	"rnoatime",    "rnodev",	 "rnodiratime",
	"rnoexec",	"rnorelatime", "rnostrictatime", "rnosuid",
	"rnosymfollow", "ro",	       "rprivate",	 "rrelatime",
	"rro",		"rrw",	       "rshared",	 "rslave",
	"rstrictatime", "rsuid",       "rsymfollow",	 "runbindable",
	"rw",		"shared",      "silent",	 "slave",
	"strictatime",	"suid",	       "symfollow",	 "sync",
	"tmpcopyup",	"unbindable",  "idmap",		 "ridmap",
};

TEST(required_options_are_known)
{
	for (size_t i = 0; i < sizeof(required) / sizeof(required[0]); i++) {
		const struct mount_option *o = mount_option_find(required[i]);

		if (!o)
			TEST_FAIL("%s is not known", required[i]);
		CHECK_STR(o->name, required[i]);
	}
}

TEST(table_is_sorted_and_every_entry_is_found)
{
	for (size_t i = 0; i < mount_options_len; i++) {
		if (i > 0)
			CHECK(strcmp(mount_options[i - 1].name, mount_options[i].name) < 0);
		CHECK(mount_option_find(mount_options[i].name) == &mount_options[i]);
	}
}

TEST(recursive_form_has_the_bits_of_the_plain_one)
{
	for (size_t i = 0; i < mount_options_len; i++) {
		const struct mount_option *r = &mount_options[i], *plain;

		if (r->kind != MOUNT_OPTION_ATTR_REC)
			continue;
		plain = mount_option_find(r->name + 1);
		CHECK(plain && plain->kind == MOUNT_OPTION_ATTR);
		CHECK(plain->set == r->set && plain->clr == r->clr);
	}
}

TEST(bits)
{
	CHECK(mount_option_find("ro")->set == MOUNT_ATTR_RDONLY);
	CHECK(mount_option_find("rw")->clr == MOUNT_ATTR_RDONLY);
	CHECK(mount_option_find("exec")->clr == MOUNT_ATTR_NOEXEC);
	CHECK(mount_option_find("noatime")->set == MOUNT_ATTR_NOATIME);
	CHECK(mount_option_find("noatime")->clr == MOUNT_ATTR__ATIME);
	CHECK(mount_option_find("rslave")->recursive);
	CHECK(mount_option_find("slave")->set == MS_SLAVE);
	CHECK(!mount_option_find("slave")->recursive);
}

TEST(words_of_the_file_system_are_left_to_it)
{
	CHECK(!mount_option_find("size=64k"));
	CHECK(!mount_option_find("size"));
	CHECK(!mount_option_find(""));
	CHECK(!mount_option_find("="));
	CHECK(!mount_option_find("r"));
	CHECK(!mount_option_find("rox"));
	CHECK(!mount_option_find("RO"));
	/* A value makes "ro" another word, but an id mapping takes one. */
	CHECK(!mount_option_find("ro=1"));
	CHECK(mount_option_find("idmap=uids=0-1-2"));
	CHECK(mount_option_find("idmap=uids=0-1-2")->kind == MOUNT_OPTION_IDMAP);
}

TEST_MAIN()
