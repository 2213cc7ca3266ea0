/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The container's cgroup, whatever the layout (v2, v1, hybrid) and the driver. Domain: the runtime on the host. A cgroup that
 * we did not create is never frozen, killed in or removed, and written to only if it was empty when the container took it; the root
 * cgroup is never ours.
 */
#pragma once

#include "base/error.h"
#include "plan/plan.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct cgroup;
struct deadline;

/*
 * Until when the calls below may wait (sys/deadline.h): borrowed, read at each call. Without one, or with one that has no end, each wait
 * has a limit of its own.
 */
void cgroup_set_deadline(struct cgroup *cg, const struct deadline *deadline);

/*
 * Decides which directories the container will live in, and which of them have to be made; touches nothing. *ret may be a
 * cgroup with no directories (manager disabled, or plan->optional and nothing possible): all calls below then succeed and do
 * nothing. DEADLINE (or NULL) is as for cgroup_set_deadline. The caller releases it with cgroup_free.
 */
int cgroup_select(const struct plan_cgroup *plan, const struct deadline *deadline,
		  struct cgroup **ret, struct crun_error *err) CRUN_NODISCARD;

/* Takes a pointer into the configuration, and what is said of the value there. */
typedef void (*cgroup_finding_fn)(void *data, const char *at, const char *text);

/*
 * Reports each controller and each feature of the kernel that the limits need and this host does not have. Touches nothing, and looks at
 * the roots of the hierarchies only: what an ordinary user was delegated may be less.
 */
void cgroup_check(const struct plan_cgroup *plan, cgroup_finding_fn found, void *data);

/*
 * For an ordinary user on a host with LAYOUT: the directory in which crun makes cgroups without a path of their own, into BUF. False when there is
 * none that is the user's. Touches nothing.
 */
bool cgroup_delegated(enum cgroup_layout layout, char *buf, size_t size);

/* The path below the hierarchies' roots ("/a/b"), NULL when there is none. Goes into the state record. */
const char *cgroup_path(const struct cgroup *cg);

/* The systemd scope, or NULL for the other drivers. Goes into the state record. */
const char *cgroup_scope(const struct cgroup *cg);

/*
 * The directories (absolute host paths) that cgroup_create is going to make, parents first, NULL-terminated; owned by CG. They
 * go into the state record before cgroup_create, so that whatever happens they can be found again.
 */
const char *const *cgroup_planned(const struct cgroup *cg);

/*
 * The directories that the container lives in although they were there before it: linux.cgroupsPath may name one that somebody prepared.
 * It must be ours (the caller's user's), hold no process and not be frozen, or cgroup_select fails. Like cgroup_planned.
 */
const char *const *cgroup_used(const struct cgroup *cg);

/*
 * Makes the directories and writes every limit and the device filter, before a process is in it. EEXIST on the container's own
 * directory is a failure: somebody else made it meanwhile (a shared parent may come and go with other containers). On failure
 * everything that was made is removed again. With plan->optional, or when an ordinary user asks for nothing, a lack of
 * permission turns CG into one without directories: cgroup_path is NULL and cgroup_planned empty then, while what they returned
 * before stays readable until cgroup_free.
 */
int cgroup_create(struct cgroup *cg, struct crun_error *err) CRUN_NODISCARD;

/* Tells CG that this kernel has no CLONE_INTO_CGROUP (5.7): from now on init must be adopted on v2 too. */
void cgroup_cannot_clone(struct cgroup *cg);

/* An fd of the cgroup2 directory for CLONE_INTO_CGROUP (owned by CG), or FD_NONE when init must be adopted instead. */
int cgroup_clone_fd(const struct cgroup *cg);

/* True when the child must be moved by cgroup_adopt after its birth (v1 and hybrid layouts, the systemd driver). */
bool cgroup_needs_adopt(const struct cgroup *cg);

/* Moves PID into every hierarchy's directory; with the systemd driver everything that cgroup_create does otherwise happens here. */
int cgroup_adopt(struct cgroup *cg, pid_t pid, struct crun_error *err) CRUN_NODISCARD;

/*
 * Annotation run.oci.delegate-cgroup: moves PID into a directory below its cgroup, which belongs to the payload's user. After init has
 * made its cgroup namespace, whose root is then the directory above. No-op without that annotation.
 */
int cgroup_delegate(struct cgroup *cg, pid_t pid, struct crun_error *err) CRUN_NODISCARD;

/*
 * Whether RECORD names a cgroup that no container of ours can have: the root, or one that this process is in itself (or below it). Such a
 * record is damaged or forged, and cgroup_open refuses it.
 */
bool cgroup_is_off_limits(const struct oci_record *record);

/*
 * For exec: where another process of the container is put. PATHS (NULL-terminated, or NULL) choose existing cgroups below its own:
 * "PATH", or "CONTROLLERS:PATH" for the v1 hierarchies with one of these controllers. Then cgroup_clone_fd() and cgroup_needs_adopt()
 * tell how, and cgroup_enter() takes the place of cgroup_adopt(). We may be in that cgroup ourselves: engines start us there.
 */
int cgroup_enter_open(const struct oci_record *record, const char *const *paths,
		      struct cgroup **ret, struct crun_error *err) CRUN_NODISCARD;
int cgroup_enter(struct cgroup *cg, pid_t pid, struct crun_error *err) CRUN_NODISCARD;

/*
 * After R, the failure of a birth in the cgroup or of cgroup_enter(): true when that was because the container's cgroup takes no processes (it hands
 * controllers down to cgroups that the payload made, as systemd does) and CG now stands for the cgroup in which the container's first
 * process INIT is. Once only.
 */
bool cgroup_enter_retry(struct cgroup *cg, int r, pid_t init);

/* Reopens the cgroup of an existing container from its state record (manager, path, created directories). */
int cgroup_open(const struct oci_record *record, struct cgroup **ret,
		struct crun_error *err) CRUN_NODISCARD;

/*
 * Whether what is at the container's path still is the container's: once its scope is empty systemd forgets it, and anybody may have one of that
 * name. To be asked before signals are sent when init is dead. 1, 0, or -errno.
 */
int cgroup_is_ours(struct cgroup *cg, struct crun_error *err) CRUN_NODISCARD;

/* Sends SIG to every process below the cgroup (cgroup.kill for SIGKILL where the kernel has it). Never in a foreign one. */
int cgroup_signal(struct cgroup *cg, int sig, struct crun_error *err) CRUN_NODISCARD;

/* All pids below the cgroup, in a malloc'd array. */
int cgroup_pids(struct cgroup *cg, pid_t **ret, size_t *ret_len,
		struct crun_error *err) CRUN_NODISCARD;

/* False when there is nothing on this host that belongs to the container: no cgroup was made, or it is gone. */
bool cgroup_exists(const struct cgroup *cg);

/*
 * Freezes all processes below the cgroup, on a hybrid host in both hierarchies, and returns once the kernel says that they are. When that
 * is not so in time (cgroup_set_deadline, else ten seconds) they are thawed again, and the error (KIND_TIMEOUT) names the process that is
 * in the way. KIND_UNSUPPORTED without a freezer.
 */
int cgroup_freeze(struct cgroup *cg, struct crun_error *err) CRUN_NODISCARD;

/*
 * Undoes cgroup_freeze and returns once the processes run again. KIND_STATE when they do not, because a cgroup above (somebody else's) is
 * frozen as well: it is named.
 */
int cgroup_resume(struct cgroup *cg, struct crun_error *err) CRUN_NODISCARD;

/*
 * Takes the process PID, which was sent SIGKILL, out of a frozen cgroup v1, where it would die no sooner than the others run again: into the root,
 * which is never frozen. A process that is not frozen is as good as dead already. Failures are ignored.
 */
void cgroup_leave_frozen(const struct cgroup *cg, pid_t pid);

/* Sets *ret to whether the cgroup itself is frozen; one that is held up only by a frozen cgroup above it is not. */
int cgroup_is_frozen(struct cgroup *cg, bool *ret, struct crun_error *err) CRUN_NODISCARD;

/* The same of the cgroup that RECORD names, also of one that cgroup_open() refuses: a look does no harm. */
int cgroup_look_frozen(const struct oci_record *record, bool *ret,
		       struct crun_error *err) CRUN_NODISCARD;

/* Lets a frozen cgroup go on. No-op when it isn't frozen. */
int cgroup_thaw(struct cgroup *cg, struct crun_error *err) CRUN_NODISCARD;

/*
 * What SIGKILL needs to have an effect: cgroup_thaw, and on v1 also for the cgroups below that the payload froze itself. A process in a frozen
 * v1 cgroup does not die; on v2 it does.
 */
int cgroup_thaw_to_die(struct cgroup *cg, struct crun_error *err) CRUN_NODISCARD;

/*
 * Kills what is left in the directories that we made and removes them, deepest first; waits for the kernel (bounded, about
 * two seconds, on cgroup.events / pidfds, not by sleeping). Directories that are gone are fine.
 */
int cgroup_destroy(struct cgroup *cg, struct crun_error *err) CRUN_NODISCARD;

void cgroup_free(struct cgroup *cg);
