/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The phases of init/outside, in the order of the table in phases.c. Domain: the container's first process; container namespaces, HOST
 * file system still visible, all capabilities in the container's user namespace. Must touch no path inside the container except
 * through fs/inroot.h, and hold no host fd that is not in struct outside. Ends with pivot.
 */
#pragma once

#include "init/context.h"

/* The verified procfs of the host (O_PATH), or -errno. */
int outside_open_proc(struct crun_error *err) CRUN_NODISCARD;
/* Our pid in the host's procfs PROC_FD, whatever pid namespace we are in; 0 when it does not show us. */
pid_t outside_own_pid(int proc_fd);
/* The verified /dev/null of the host (O_PATH), or -errno. */
int outside_open_null(struct crun_error *err) CRUN_NODISCARD;

/* Waits for GO: ids are mapped, the cgroup is ours. */
int phase_go(struct outside *o, struct crun_error *err) CRUN_NODISCARD;
/* All CPUs of our cpuset, which is known once we are in our cgroup. */
int phase_affinity(struct outside *o, struct crun_error *err) CRUN_NODISCARD;
int phase_session(struct outside *o, struct crun_error *err) CRUN_NODISCARD;
/* Becomes root of the new user namespace. */
int phase_identity(struct outside *o, struct crun_error *err) CRUN_NODISCARD;
/* Enters the namespaces that are joined after birth. */
int phase_join(struct outside *o, struct crun_error *err) CRUN_NODISCARD;
/* Takes the runtime's binary out of our address space: cheap once the mount namespace is new, and /proc is still the host's. */
int phase_shield(struct outside *o, struct crun_error *err) CRUN_NODISCARD;
/* Makes the namespaces that birth left to us. */
int phase_unshare(struct outside *o, struct crun_error *err) CRUN_NODISCARD;
int phase_timens(struct outside *o, struct crun_error *err) CRUN_NODISCARD;
int phase_keyring(struct outside *o, struct crun_error *err) CRUN_NODISCARD;
/* Opens our own LSM attribute while the host's procfs is at hand. */
int phase_label(struct outside *o, struct crun_error *err) CRUN_NODISCARD;
/* The same with our own status, for --self-audit. */
int phase_status(struct outside *o, struct crun_error *err) CRUN_NODISCARD;
/* Brings the loopback interface up. */
int phase_network(struct outside *o, struct crun_error *err) CRUN_NODISCARD;
int phase_sysctl(struct outside *o, struct crun_error *err) CRUN_NODISCARD;
/*
 * Opens every bind source that the host side did not open, keeps what happens in our mount namespace from reaching the host
 * (MS_SLAVE), attaches a clone of plan->rootfs to its own path and leaves o->root_fd on it. Without a new mount namespace
 * o->root_fd is the plain directory.
 */
int phase_rootfs(struct outside *o, struct crun_error *err) CRUN_NODISCARD;
/*
 * Makes all of plan->mounts in order. o->mount_fds[i] is closed, except that of a bind mount over /dev: it stays as a sign for
 * `devices` and `symlinks` that the directory belongs to somebody else, until `pivot`.
 */
int phase_mounts(struct outside *o, struct crun_error *err) CRUN_NODISCARD;
/* Makes plan->devices: nodes, or binds of the host's nodes where mknod(2) is not ours. A bind-mounted /dev is left alone. */
int phase_devices(struct outside *o, struct crun_error *err) CRUN_NODISCARD;
/* Makes /dev/fd, stdin, stdout, stderr, core and ptmx. A bind-mounted /dev is left alone. */
int phase_symlinks(struct outside *o, struct crun_error *err) CRUN_NODISCARD;
/* Says PAUSED and waits for RESUME: the host side runs prestart and createRuntime hooks. */
int phase_hook_pause(struct outside *o, struct crun_error *err) CRUN_NODISCARD;
int phase_create_container_hooks(struct outside *o, struct crun_error *err) CRUN_NODISCARD;
/* Makes what `seal` covers masked paths with: o->mask_fd and o->mask_null_fd. */
int phase_masks(struct outside *o, struct crun_error *err) CRUN_NODISCARD;
/* Makes o->root_fd "/" and drops the host's file systems from the namespace. */
int phase_pivot(struct outside *o, struct crun_error *err) CRUN_NODISCARD;
