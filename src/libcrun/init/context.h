/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What init holds in each of its three domains. Becoming `inside` closes every host fd that `outside` held; there is no way
 * back, and no field of `inside` or `last` can name a host file.
 */
#pragma once

#include "base/error.h"
#include "fs/mount_stage.h"
#include "plan/birth.h"
#include "plan/plan.h"
#include "plan/seccomp.h"
#include "sync/ladder.h"

#include <stdbool.h>
#include <stdint.h>

/* Container namespaces, HOST file system still visible, all capabilities in the container's user namespace. */
struct outside {
	const struct launch_plan *plan;
	const struct birth *birth;
	struct channel *channel;
	/* Ours is 0; createContainer hooks run with the caller's. */
	mode_t callers_umask;
	int root_fd; /* the container's root, on its own mount; FD_NONE until the `rootfs` phase */
	int host_root_fd; /* "/" until `pivot`, in a mount namespace of our own; else FD_NONE */
	int proc_fd;	  /* a verified procfs of the host, to reach /proc/sys and our own files */
	struct mount_stage
		stage; /* where mounts wait to be attached; open on kernels without the mount API */
	int null_fd;   /* O_PATH of the host's /dev/null, verified to be character device 1:3 */
	/*
	 * One per plan->mounts, made by the host side before birth: a detached clone of the source, for a new instance the user
	 * namespace of its id mapping, or FD_NONE.
	 */
	int *mount_fds;
	int mask_fd; /* made by the `masks` phase for `inside`: a detached read-only empty directory, or FD_NONE */
	int mask_null_fd;   /* and a detached clone of null_fd, or FD_NONE */
	int root_source_fd; /* a detached clone of the rootfs opened before birth, or FD_NONE */
	pid_t host_pid;	    /* our pid as the host sees it: the hooks' state names it */
	int *ns_fds;	    /* NS_COUNT entries: namespaces that init joins itself, or FD_NONE */
	int label_fd;	    /* our own attr/exec in that procfs, opened for writing; or FD_NONE */
	int status_fd;	    /* our own status in it, for the self-audit; or FD_NONE */
	int32_t keyring;    /* the session keyring that we made, or 0 */
	int gate_fd;	    /* listening socket that `start` connects to, or FD_NONE */
	const struct seccomp_area *seccomp;
	const char *
		cgroup_path; /* v2/unified path of our cgroup below the hierarchy's root, for cgroup mounts; or NULL */
};

/* Container namespaces, CONTAINER file system only, still privileged there. */
struct inside {
	const struct launch_plan *plan;
	struct channel *channel;
	int root_fd; /* "/" of the container */
	/*
	 * The host's procfs, only where mounts are changed by mount(2) on its links: without mount_setattr or the mount API. Nobody in
	 * the container can get it from us, and it is closed before `last`. Else FD_NONE.
	 */
	int proc_fd;
	bool old_mounts; /* there is no mount API: masks were made outside, other mounts are made in place */
	int cwd_fd;   /* process.cwd, once it was entered; or AT_FDCWD */
	int label_fd; /* our own LSM exec attribute, opened before the root was entered; or FD_NONE */
	int status_fd; /* our own status, opened as that was; or FD_NONE */
	int32_t keyring;
	int mask_fd; /* detached read-only empty directory that covers masked directories, or FD_NONE */
	int null_fd; /* detached clone of the verified /dev/null that covers masked files, or FD_NONE */
	int gate_fd;
	pid_t host_pid;
	int console_fd; /* the pseudo terminal's master, to be handed to the host side with READY; or FD_NONE */
	char exec_path[4096]; /* the payload as found in the container */
	const struct seccomp_area *seccomp;
};

struct filtered;

/* Container file system, final ids and capabilities. */
struct last {
	const struct launch_plan *plan;
	struct channel *channel;
	int gate_fd;
	int console_fd;
	int label_fd, status_fd; /* with --self-audit, until that has looked at them; or FD_NONE */
	int32_t keyring;
	pid_t host_pid;
	const char *exec_path;
	const struct seccomp_area *seccomp;
	struct filtered *filtered; /* the payload's thread, from the `listener` phase on; or NULL */
};

/*
 * inside/rlimits.c: whether the limit RESOURCE (RLIMIT_*) is lowered in init/last only, for it would be in the way of what init has
 * to do itself.
 */
bool init_limit_is_late(int resource);

struct outside_phase {
	const char *name;
	bool (*when)(const struct launch_plan *); /* NULL: always */
	int (*run)(struct outside *, struct crun_error *);
	uint16_t code; /* of a failure that has none of its own; 0: none */
	struct ladder_step says[LADDER_STEPS];
};
struct inside_phase {
	const char *name;
	bool (*when)(const struct launch_plan *);
	int (*run)(struct inside *, struct crun_error *);
	uint16_t code;
	struct ladder_step says[LADDER_STEPS];
};
struct last_phase {
	const char *name;
	bool (*when)(const struct launch_plan *);
	int (*run)(struct last *, struct crun_error *);
	uint16_t code;
	struct ladder_step says[LADDER_STEPS];
};

/* The tables end with an all-zero entry. */
extern const struct outside_phase outside_phases[];
extern const struct inside_phase inside_phases[];
extern const struct last_phase last_phases[];

/* Those of a process that exec adds. */
extern const struct outside_phase exec_outside_phases[];
extern const struct inside_phase exec_inside_phases[];
extern const struct last_phase exec_last_phases[];

/* outside/live_mounts.c: of the process that adds or removes mounts; it has no other domain. */
extern const struct outside_phase live_mounts_phases[];
