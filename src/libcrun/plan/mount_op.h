/* SPDX-License-Identifier: Apache-2.0 */
/* The mounts of a plan: config.md's words turned into what the mount calls take. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum mount_kind {
	MOUNT_BIND, /* a clone of `source` */
	MOUNT_FS,   /* a new instance of `fstype` */
	MOUNT_CGROUP, /* the container's view of the cgroup hierarchies, in whatever layout the host has */
	MOUNT_REMOUNT, /* other flags for the mount that is at the destination already */
};

struct oci_id_mapping;

/*
 * The id mapping of a mount (mount_setattr(2), MOUNT_ATTR_IDMAP): a file of the id "inside" (containerID) appears as one of the
 * id "outside" (hostID), which is a host id as in the container's own maps.
 */
struct mount_idmap {
	/* None: those of the user namespace that is joined. */
	const struct oci_id_mapping *uids, *gids;
	size_t uids_len, gids_len;
	bool recursive; /* ridmap: what is mounted below as well */
	unsigned first; /* index of the first mount with this mapping: one namespace does for all */
};

struct mount_parameter {
	const char *key, *value; /* value NULL: a flag */
};

struct mount_op {
	unsigned index; /* in config.mounts, for error pointers */
	enum mount_kind kind;
	const char *destination; /* as configured, resolved inside the root when it is used */
	const char *
		source; /* MOUNT_BIND: absolute host path (relative ones were taken from the bundle) */
	const char *fstype;
	bool recursive; /* MOUNT_BIND: rbind */
	/* Per-mount attributes of the top mount, MOUNT_ATTR_*; clr holds those asked to be off ("rw", "exec", ...). */
	uint64_t attr_set, attr_clr;
	/* The same for the whole tree ("rro", "rnosuid", ...). */
	uint64_t rec_set, rec_clr;
	/* MS_PRIVATE, MS_SLAVE, MS_SHARED, MS_UNBINDABLE or 0; propagation_rec for the r-forms. */
	uint64_t propagation;
	bool propagation_rec;
	bool tmpcopyup;	   /* copy what the root has at the destination into the new tmpfs */
	bool copy_symlink; /* a source that is a symbolic link is copied as one */
	bool src_nofollow, dest_nofollow;
	struct mount_idmap *idmap;		  /* or NULL */
	const struct mount_parameter *parameters; /* for fsconfig, in order */
	size_t parameters_len;
};
