/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the verbs on an existing container share: its record, what can be said about its process right now, and its end.
 * Domain: the runtime on the host. Nothing here needs the bundle, the root filesystem, PATH or HOME.
 */
#pragma once

#include "base/cleanup.h"
#include "host/interrupts.h"
#include "libcrun.h"
#include "state/store.h"
#include "sys/deadline.h"

#include <libocispec/oci.h>

#include <stdbool.h>

/* What --timeout says, counted from now: deadline_none() without it. For the beginning of a command. */
struct deadline command_deadline(const struct libcrun_context *ctx);

struct cgroup;

struct container {
	struct state_dir dir;
	struct oci_arena arena;	   /* owns the record */
	struct oci_record *record; /* never NULL after container_open */
	enum libcrun_status status;
	/*
	 * Its creation did not come to an end and nobody goes on with it. With a living init process the status is `creating`
	 * nevertheless, for that is all that can be said about it; without one it is `stopped`.
	 */
	bool cut_off;
	/*
	 * Init has been told to go on (by `run` from the beginning), but has not become the payload. STATUS is `running` nevertheless, since it can be
	 * killed and joined as such; only container_state() says what the specification calls it.
	 */
	bool unborn;
	struct crun_error
		doubt; /* why `running` or `created` may be `paused` in truth; KIND_NONE: there is no doubt */
	int pidfd;  /* of the init process while it is alive, else FD_NONE */
	int net_fd; /* delete: its network namespace from before it was killed, or FD_NONE */
	struct deadline deadline;     /* until when the command may wait, by --timeout */
	struct interrupts interrupts; /* signals that end its waits, of container_interruptible */
};

#define CONTAINER_EMPTY                                                                          \
	{                                                                                        \
		.dir = {.root_fd = FD_NONE, .fd = FD_NONE}, .pidfd = FD_NONE, .net_fd = FD_NONE, \
		.deadline = {.at = DEADLINE_NEVER, .cancel_fd = FD_NONE},                        \
		.interrupts = {.fd = FD_NONE},                                                   \
	}
#define _cleanup_container_ _cleanup_(container_done)

/* Opens ID below CTX's state root, without the lock, and looks at it. *C must be CONTAINER_EMPTY; release it also on failure. */
int container_open(const struct libcrun_context *ctx, const char *id, struct container *c,
		   struct crun_error *err) CRUN_NODISCARD;

/*
 * For listings: looks at ID, which state_each() has named, in ROOT. Its directory is opened only where the record does not tell all, so *C is for container_state()
 * and container_done() alone.
 */
int container_peek(const struct state_root *root, const char *id, struct container *c,
		   struct crun_error *err) CRUN_NODISCARD;

/* Takes the lock of an open container and looks again: its state may have changed while we waited. */
int container_lock(struct container *c, struct crun_error *err) CRUN_NODISCARD;

/* Reads the record of the open directory and derives status, cut_off and pidfd. */
int container_load(struct container *c, struct crun_error *err) CRUN_NODISCARD;

/* For a command that must not take a paused container for a running one, whose freezer could not be read: -errno then. */
int container_check_doubt(const struct container *c, struct crun_error *err) CRUN_NODISCARD;

/* The inode of our pid namespace, in which a record's pids mean something. Returns 0 or -errno. */
int container_pid_namespace(uint64_t *ret) CRUN_NODISCARD;

/* Whether the runtime that made the container, or is making it, is still there: `run` in the foreground is until the container's end. */
bool container_maker_lives(const struct container *c);

/*
 * For a command that changes a container and can take that back: from here to container_done, signals do not kill us, but end whatever is
 * waited for (interrupts.h).
 */
int container_interruptible(struct container *c, struct crun_error *err) CRUN_NODISCARD;

void container_done(struct container *c);

/*
 * The error for a command that needs a running container: with the halves that containerd and CRI-O look for, in this case of letters.
 * One without a living init process is called stopped.
 */
int container_not_running(const struct container *c, struct crun_error *err);

/* The state document of runtime.md as of the last look; strings are the record's. */
void container_state(const struct container *c, struct oci_state *ret);

/*
 * SIGKILL to whatever lives in it, frozen or not, and a wait of up to ten seconds for the end of its init process
 * (KIND_TIMEOUT). Fine when it is dead already.
 */
int container_kill(struct container *c, struct crun_error *err) CRUN_NODISCARD;

/*
 * The same for a container that is going to be removed: what was moved into its network namespace can still be got out afterwards, although
 * nobody else keeps that.
 */
int container_end(struct container *c, struct crun_error *err) CRUN_NODISCARD;

/*
 * Gives back what a dead container has of the host: its cgroup CG (or NULL), its resctrl groups, its network interfaces (NET_FD: its network
 * namespace, or FD_NONE). Can be repeated after a failure.
 */
int container_undo(const struct oci_record *record, struct cgroup *cg, int net_fd,
		   struct crun_error *err) CRUN_NODISCARD;

/*
 * Kills what is left of it and removes all that the record knows of, the state directory last, as `delete` does. The lock must be held. Can be
 * repeated after a failure.
 */
int container_remove(struct container *c, struct crun_error *err) CRUN_NODISCARD;

/*
 * Runs the poststart hooks. When one fails the container is killed (runtime.md, lifecycle step 9: "generate an error, stop the
 * container") and the failure returned. Call it without the lock: a hook may use the runtime.
 */
int container_poststart(struct container *c, struct crun_error *err) CRUN_NODISCARD;

/* Runs the poststop hooks; a failing one is a warning (runtime.md, lifecycle). */
void container_poststop(struct container *c);

/* Writes a finished text to OUT and flushes it. WHAT names it in the error. */
int write_output(FILE *out, const char *data, size_t len, const char *what,
		 struct crun_error *err) CRUN_NODISCARD;
