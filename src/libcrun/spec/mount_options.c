// SPDX-License-Identifier: Apache-2.0
// The mount option words of config.md: see mount_options.h.
#include "spec/mount_options.h"

#include <stdlib.h>
#include <string.h>

#include <linux/mount.h>

#ifndef MOUNT_ATTR_NOSYMFOLLOW
#define MOUNT_ATTR_NOSYMFOLLOW 0x00200000 /* 5.14 */
#endif

/*
 * The access time mode is one field of several bits: mount_setattr(2) wants all of them cleared before one is set. Relatime is
 * what the kernel does unless told otherwise, so asking for it, or against "noatime" and "strictatime", means the same, and
 * "norelatime" asks for nothing. The inode version ("iversion") is always kept by the file systems that know it and was never
 * more than a hint; "silent" and "loud" concern the kernel log.
 */
const struct mount_option mount_options[] = {
	{"async", MOUNT_OPTION_SUPER_OFF, false, 0, 0},
	{"atime", MOUNT_OPTION_ATTR, false, 0, MOUNT_ATTR__ATIME},
	{"bind", MOUNT_OPTION_BIND, false, 0, 0},
	{"copy-symlink", MOUNT_OPTION_COPY_SYMLINK, false, 0, 0},
	{"defaults", MOUNT_OPTION_NEUTRAL, false, 0, 0},
	{"dest-nofollow", MOUNT_OPTION_DEST_NOFOLLOW, false, 0, 0},
	{"dev", MOUNT_OPTION_ATTR, false, 0, MOUNT_ATTR_NODEV},
	{"diratime", MOUNT_OPTION_ATTR, false, 0, MOUNT_ATTR_NODIRATIME},
	{"dirsync", MOUNT_OPTION_SUPER, false, 0, 0},
	{"exec", MOUNT_OPTION_ATTR, false, 0, MOUNT_ATTR_NOEXEC},
	{"idmap", MOUNT_OPTION_IDMAP, false, 0, 0},
	{"iversion", MOUNT_OPTION_NEUTRAL, false, 0, 0},
	{"lazytime", MOUNT_OPTION_SUPER, false, 0, 0},
	{"loud", MOUNT_OPTION_NEUTRAL, false, 0, 0},
	{"mand", MOUNT_OPTION_SUPER, false, 0, 0},
	{"noatime", MOUNT_OPTION_ATTR, false, MOUNT_ATTR_NOATIME, MOUNT_ATTR__ATIME},
	{"nodev", MOUNT_OPTION_ATTR, false, MOUNT_ATTR_NODEV, 0},
	{"nodiratime", MOUNT_OPTION_ATTR, false, MOUNT_ATTR_NODIRATIME, 0},
	{"noexec", MOUNT_OPTION_ATTR, false, MOUNT_ATTR_NOEXEC, 0},
	{"noiversion", MOUNT_OPTION_NEUTRAL, false, 0, 0},
	{"nolazytime", MOUNT_OPTION_SUPER_OFF, false, 0, 0},
	{"nomand", MOUNT_OPTION_SUPER_OFF, false, 0, 0},
	{"norelatime", MOUNT_OPTION_ATTR, false, 0, 0},
	{"nostrictatime", MOUNT_OPTION_ATTR, false, 0, MOUNT_ATTR__ATIME},
	{"nosuid", MOUNT_OPTION_ATTR, false, MOUNT_ATTR_NOSUID, 0},
	{"nosymfollow", MOUNT_OPTION_ATTR, false, MOUNT_ATTR_NOSYMFOLLOW, 0},
	{"private", MOUNT_OPTION_PROPAGATION, false, MS_PRIVATE, 0},
	{"ratime", MOUNT_OPTION_ATTR_REC, true, 0, MOUNT_ATTR__ATIME},
	{"rbind", MOUNT_OPTION_BIND, true, 0, 0},
	{"rdev", MOUNT_OPTION_ATTR_REC, true, 0, MOUNT_ATTR_NODEV},
	{"rdiratime", MOUNT_OPTION_ATTR_REC, true, 0, MOUNT_ATTR_NODIRATIME},
	{"relatime", MOUNT_OPTION_ATTR, false, 0, MOUNT_ATTR__ATIME},
	{"remount", MOUNT_OPTION_REMOUNT, false, 0, 0},
	{"rexec", MOUNT_OPTION_ATTR_REC, true, 0, MOUNT_ATTR_NOEXEC},
	{"ridmap", MOUNT_OPTION_IDMAP, true, 0, 0},
	{"rnoatime", MOUNT_OPTION_ATTR_REC, true, MOUNT_ATTR_NOATIME, MOUNT_ATTR__ATIME},
	{"rnodev", MOUNT_OPTION_ATTR_REC, true, MOUNT_ATTR_NODEV, 0},
	{"rnodiratime", MOUNT_OPTION_ATTR_REC, true, MOUNT_ATTR_NODIRATIME, 0},
	{"rnoexec", MOUNT_OPTION_ATTR_REC, true, MOUNT_ATTR_NOEXEC, 0},
	{"rnorelatime", MOUNT_OPTION_ATTR_REC, true, 0, 0},
	{"rnostrictatime", MOUNT_OPTION_ATTR_REC, true, 0, MOUNT_ATTR__ATIME},
	{"rnosuid", MOUNT_OPTION_ATTR_REC, true, MOUNT_ATTR_NOSUID, 0},
	{"rnosymfollow", MOUNT_OPTION_ATTR_REC, true, MOUNT_ATTR_NOSYMFOLLOW, 0},
	{"ro", MOUNT_OPTION_ATTR, false, MOUNT_ATTR_RDONLY, 0},
	{"rprivate", MOUNT_OPTION_PROPAGATION, true, MS_PRIVATE, 0},
	{"rrelatime", MOUNT_OPTION_ATTR_REC, true, 0, MOUNT_ATTR__ATIME},
	{"rro", MOUNT_OPTION_ATTR_REC, true, MOUNT_ATTR_RDONLY, 0},
	{"rrw", MOUNT_OPTION_ATTR_REC, true, 0, MOUNT_ATTR_RDONLY},
	{"rshared", MOUNT_OPTION_PROPAGATION, true, MS_SHARED, 0},
	{"rslave", MOUNT_OPTION_PROPAGATION, true, MS_SLAVE, 0},
	{"rstrictatime", MOUNT_OPTION_ATTR_REC, true, MOUNT_ATTR_STRICTATIME, MOUNT_ATTR__ATIME},
	{"rsuid", MOUNT_OPTION_ATTR_REC, true, 0, MOUNT_ATTR_NOSUID},
	{"rsymfollow", MOUNT_OPTION_ATTR_REC, true, 0, MOUNT_ATTR_NOSYMFOLLOW},
	{"runbindable", MOUNT_OPTION_PROPAGATION, true, MS_UNBINDABLE, 0},
	{"rw", MOUNT_OPTION_ATTR, false, 0, MOUNT_ATTR_RDONLY},
	{"shared", MOUNT_OPTION_PROPAGATION, false, MS_SHARED, 0},
	{"silent", MOUNT_OPTION_NEUTRAL, false, 0, 0},
	{"slave", MOUNT_OPTION_PROPAGATION, false, MS_SLAVE, 0},
	{"src-nofollow", MOUNT_OPTION_SRC_NOFOLLOW, false, 0, 0},
	{"strictatime", MOUNT_OPTION_ATTR, false, MOUNT_ATTR_STRICTATIME, MOUNT_ATTR__ATIME},
	{"suid", MOUNT_OPTION_ATTR, false, 0, MOUNT_ATTR_NOSUID},
	{"symfollow", MOUNT_OPTION_ATTR, false, 0, MOUNT_ATTR_NOSYMFOLLOW},
	{"sync", MOUNT_OPTION_SUPER, false, 0, 0},
	{"tmpcopyup", MOUNT_OPTION_TMPCOPYUP, false, 0, 0},
	{"unbindable", MOUNT_OPTION_PROPAGATION, false, MS_UNBINDABLE, 0},
};
const size_t mount_options_len = sizeof(mount_options) / sizeof(mount_options[0]);

/* The name up to '=', compared with a table entry. */
static int compare(const void *word, const void *entry)
{
	const char *name = ((const struct mount_option *)entry)->name;
	size_t len = strcspn(word, "=");
	int r = strncmp(word, name, len);

	return r != 0 ? r : -(name[len] != '\0');
}

const char *mount_option_opposite(const struct mount_option *o)
{
	return o->name + (o->name[0] == 'a' ? strlen("a") : strlen("no"));
}

const struct mount_option *mount_option_find(const char *word)
{
	const struct mount_option *found;

	found = bsearch(word, mount_options, mount_options_len, sizeof(mount_options[0]), compare);
	/* Only the id mapping takes a value; "ro=x" is for the file system to refuse. */
	if (found && strchr(word, '=') && found->kind != MOUNT_OPTION_IDMAP)
		return NULL;
	return found;
}
