/* SPDX-License-Identifier: Apache-2.0 */
/* The mount option words of config.md ("Linux mount options"), as a table that `features` prints and the plan reads. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum mount_option_kind {
	MOUNT_OPTION_ATTR,	  /* sets and clears MOUNT_ATTR_* bits of the mount */
	MOUNT_OPTION_ATTR_REC,	  /* the same for the whole tree */
	MOUNT_OPTION_PROPAGATION, /* set: MS_SHARED and so on */
	MOUNT_OPTION_BIND,
	MOUNT_OPTION_REMOUNT,
	MOUNT_OPTION_SUPER,	/* a flag of the file system instance, of no use for a bind mount */
	MOUNT_OPTION_SUPER_OFF, /* the opposite of one of those: takes it back */
	MOUNT_OPTION_NEUTRAL,	/* what happens anyway */
	MOUNT_OPTION_TMPCOPYUP,
	MOUNT_OPTION_COPY_SYMLINK,
	MOUNT_OPTION_SRC_NOFOLLOW,
	MOUNT_OPTION_DEST_NOFOLLOW,
	MOUNT_OPTION_IDMAP,
};

struct mount_option {
	const char *name;
	enum mount_option_kind kind;
	bool recursive; /* PROPAGATION, BIND, IDMAP: the r-form */
	uint64_t set, clr;
};

/* The table, sorted by name. */
extern const struct mount_option mount_options[];
extern const size_t mount_options_len;

/* The word that the SUPER_OFF option O takes back: "sync" of "async". */
const char *mount_option_opposite(const struct mount_option *o);

/*
 * The option that WORD stands for: its text up to '=' for those that take a value, all of it otherwise. NULL: the word is for
 * the file system.
 */
const struct mount_option *mount_option_find(const char *word);
