/* SPDX-License-Identifier: Apache-2.0 */
/* What the files that make mounts share: the destination, the attributes, the attaching. */
#pragma once

#include "base/buf.h"
#include "base/error.h"
#include "fs/mount_attr.h"
#include "init/context.h"
#include "plan/mount_op.h"

#include <limits.h>
#include <stdbool.h>
#include <sys/types.h>

/* Where a mount goes. All-zero but fd = FD_NONE before it is opened; the owner closes fd. */
struct mount_target {
	int fd;		     /* O_PATH */
	bool created;	     /* it was made here */
	char path[PATH_MAX]; /* as resolved, "/proc/sys": seen from the container's root */
};

/*
 * Resolves op->destination in the container's root, creating it (WANT: S_IFDIR or S_IFREG) when it is missing, and refuses what
 * must not be mounted on: the root itself, and /proc and below but for a procfs on /proc and a few regular files in it.
 * SOURCE_FD: what will be mounted there, or FD_NONE for a new instance.
 */
int mount_target_open(struct outside *o, const struct mount_op *op, mode_t want, int source_fd,
		      struct mount_target *ret, struct crun_error *err) CRUN_NODISCARD;

/* st_mode of what is there, or was made; 0: it cannot be told. */
mode_t mount_target_mode(const struct mount_target *target);

/* The path of FD as the container sees it. */
int mount_path_of(const struct outside *o, int fd, char *buf, size_t size,
		  struct crun_error *err) CRUN_NODISCARD;

/* op's flags and propagation as a change of a mount's attributes. */
void mount_op_change(const struct mount_op *op, struct mount_change *ret);

/*
 * Attaches the detached mount MOUNT_FD onto TARGET. NEEDS: a change that the kernel could not make on the detached mount (it has no
 * mount_setattr), or NULL. What op asks for is verified by mount_verify(), unless the mount is as fsmount(2) has made it.
 */
int mount_attach(struct outside *o, const struct mount_op *op, int mount_fd,
		 const struct mount_target *target, const struct mount_change *needs,
		 struct crun_error *err) CRUN_NODISCARD;
int mount_attach_verified(struct outside *o, const struct mount_op *op, int mount_fd,
			  const struct mount_target *target, const struct mount_change *needs,
			  struct crun_error *err) CRUN_NODISCARD;

/* Makes sure that the attached mount FD has what op asks for: flags, and access times where the kernel leaves them to us. */
int mount_verify(const struct outside *o, const struct mount_op *op, int fd,
		 struct crun_error *err) CRUN_NODISCARD;

/* Makes one mount of the plan: opens or makes what is mounted, resolves the destination, attaches. */
int mount_make(struct outside *o, const struct mount_op *op, struct crun_error *err) CRUN_NODISCARD;

/* One function for each kind of mount. */
int mount_bind(struct outside *o, const struct mount_op *op, struct crun_error *err) CRUN_NODISCARD;
int mount_fs(struct outside *o, const struct mount_op *op, struct crun_error *err) CRUN_NODISCARD;
int mount_cgroup(struct outside *o, const struct mount_op *op,
		 struct crun_error *err) CRUN_NODISCARD;

/* The options of op for mount(2); SKIP (a key) is left out, MODE (or NULL) added. The caller frees DATA either way. */
int mount_join_parameters(const struct mount_op *op, const char *skip, const char *mode,
			  struct buf *data, struct crun_error *err) CRUN_NODISCARD;

/* True when an option of op is too long for fsconfig(2): mount_long makes such a mount, by mount(2) on the fd of TARGET. */
bool mount_has_long_parameter(const struct mount_op *op);
int mount_long(struct outside *o, const struct mount_op *op, const struct mount_target *target,
	       struct crun_error *err) CRUN_NODISCARD;

/*
 * Makes sure that the new mount MOUNT_FD has the SELinux label that op asks for with "context", where the host has SELinux: fail closed.
 */
int mount_check_label(const struct outside *o, const struct mount_op *op, int mount_fd,
		      struct crun_error *err) CRUN_NODISCARD;

/* Opens the sources of all bind mounts that are not open yet into o->mount_fds. */
int mount_open_sources(struct outside *o, struct crun_error *err) CRUN_NODISCARD;

/* True when a bind mount of the plan covers the container's /dev (known once `mounts` has run). */
bool mount_dev_is_bind(const struct outside *o);

/*
 * Applies C to the tree FD, which came from elsewhere; ATTACHED tells whether it is in its place by now. Flags that a more privileged namespace has locked stay as they
 * are, unless op asks for them to be off. Returns 0, or 1 when the kernel has no mount_setattr(2) and C is left to mount_attach.
 */
int mount_tree_change(const struct outside *o, int fd, const struct mount_change *c, bool attached,
		      struct crun_error *err) CRUN_NODISCARD;

/*
 * Copies what the root has at TARGET into the new tmpfs MOUNT_FD, for the option "tmpcopyup"; its owner too unless KEEP_OWNER.
 */
int tmpfs_copyup(const struct mount_target *target, int mount_fd, bool keep_owner,
		 struct crun_error *err) CRUN_NODISCARD;
