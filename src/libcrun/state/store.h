/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The state directory ROOT/ID of a container: the record, a copy of config.json, the start gate. Domain: the runtime on the host.
 * Records are replaced by rename, so a reader never sees half of one, and an intent is written before anything is created.
 */
#pragma once

#include "base/error.h"
#include "plan/seccomp.h"
#include "sys/deadline.h"

#include <libocispec/oci.h>

#include <stdbool.h>
#include <sys/types.h>

#define STATE_RECORD_FILE "state.json"

/*
 * Empty files next to the record, for what becomes true after the last time that it is written: one system call instead of a new record.
 * They tell a container that is merely stopped, and its engine's to delete, from one that a killed command of ours left behind.
 */
#define STATE_MARK_BEGAN \
	"began" /* a container that `run` leaves behind (--detach, --keep): its payload was executed */
#define STATE_MARK_DELETING "deleting" /* somebody began to delete it, or to undo its creation */

/*
 * All zero bytes, or closed, is an empty one. The lock is a
 * flock(2) of `fd`; the kernel drops it when its last holder dies, so a killed runtime leaves none. A child that inherits
 * `fd` holds the lock as well until it closes it.
 */
struct state_dir {
	int root_fd; /* ROOT */
	int fd;	     /* ROOT/ID, locked when `locked` */
	bool locked;
	char id[1025];
};

/* The state root while state_each() goes through it. */
struct state_root {
	int fd;
	bool ours_alone; /* nobody but us (and root) may write to it: what is in it was found to be ours, and stays it */
};

/* Checks ID against [A-Za-z0-9_+.-], not empty, at most 1024 bytes, no leading '.' or '-'. */
int state_check_id(const char *id, struct crun_error *err) CRUN_NODISCARD;

/*
 * Makes ROOT (0700, with parents) and ROOT/ID and locks it. An existing ID is KIND_EXISTS ("container `ID` already exists") and
 * left alone. The caller ends with state_close, after state_remove on failure.
 */
int state_reserve(const char *root, const char *id, struct state_dir *ret,
		  struct crun_error *err) CRUN_NODISCARD;

/* Opens an existing container's directory. KIND_NOT_FOUND: "container `ID` does not exist". LOCK: as by state_lock. */
int state_open(const char *root, const char *id, bool lock, struct state_dir *ret,
	       struct crun_error *err) CRUN_NODISCARD;

/* The same below a root that is open already, without the lock. */
int state_open_in(const struct state_root *root, const char *id, struct state_dir *ret,
		  struct crun_error *err) CRUN_NODISCARD;

/*
 * Takes the lock, waiting until D, or without an end of D up to 30 seconds, for whoever holds it: KIND_TIMEOUT after that, KIND_NOT_FOUND when the container was
 * deleted meanwhile. What was read before is stale now. No-op when the lock is held already.
 */
int state_lock(struct state_dir *dir, const struct deadline *d,
	       struct crun_error *err) CRUN_NODISCARD;

/* Gives the lock back and keeps the directory open. No-op when it isn't held. */
void state_unlock(struct state_dir *dir);

/* True when another process holds the lock: it is creating, starting or deleting the container. DIR itself must not be locked. */
bool state_is_busy(const struct state_dir *dir);

int state_write_record(const struct state_dir *dir, const struct oci_record *record,
		       struct crun_error *err) CRUN_NODISCARD;

/*
 * Reads the record into ARENA. KIND_STATE with a clear sentence when it is missing (-ENODATA: creation was cut off early) or
 * damaged (-EINVAL). KIND_NOT_FOUND when it is missing because another process is making or deleting the container right now.
 */
int state_read_record(const struct state_dir *dir, struct oci_arena *arena, struct oci_record **ret,
		      struct crun_error *err) CRUN_NODISCARD;

/*
 * For listings, the cheap half of state_open_in() and state_read_record(): the text of the record of ID, which state_each() has named, without opening its
 * directory. Returns 0, or a negative errno for one that must be read by these two: damaged, too long, or below a root to which others may
 * write, so that each directory must be looked at.
 */
int state_read_text(const struct state_root *root, const char *id, struct oci_arena *arena,
		    struct oci_text *ret) CRUN_NODISCARD;

/*
 * Reads of such a text what tells of a stopped container: `id` to `owner`, `pid`, `pidStartTime` and `phase`, which is created or running. False: it
 * has more that belongs into a state document, or is unusual, and oci_record_parse() has to read it. Behind `phase` it is only made sure that
 * the record ends where it should: the members there may be anything.
 */
bool state_peek_record(const struct oci_text *text, struct oci_arena *arena,
		       struct oci_record **ret) CRUN_NODISCARD;

/* Stores a copy of config.json (the bundle may be gone when delete runs), and reads it back (-ENOENT: there is none). */
int state_write_config(const struct state_dir *dir, const char *data, size_t len,
		       struct crun_error *err) CRUN_NODISCARD;
int state_read_config(const struct state_dir *dir, struct oci_arena *arena, struct oci_config **ret,
		      struct crun_error *err) CRUN_NODISCARD;

/*
 * Stores the compiled system call filter for processes that exec adds later, and reads it back. A file that is not ours alone to write (-EPERM), of
 * another format or damaged (-EINVAL), or missing (-ENOENT) is to be compiled again.
 */
int state_write_filter(const struct state_dir *dir, const struct seccomp_area *area,
		       struct crun_error *err);
int state_read_filter(const struct state_dir *dir, struct seccomp_area *area) CRUN_NODISCARD;

/* Sets a mark, which cannot be taken back. That it fails is for the debug log: whoever deletes must succeed on a full disk. */
void state_mark(const struct state_dir *dir, const char *mark);
bool state_is_marked(const struct state_dir *dir, const char *mark);

/*
 * Removes ROOT/ID with everything in it, the record last. Symbolic links are removed, not followed. A directory in it is emptied
 * only if it is plain, ours, on the same file system and holds no directories; otherwise it is an error. Gone is fine.
 */
int state_remove(struct state_dir *dir, struct crun_error *err) CRUN_NODISCARD;

/* Unlocks and closes; accepts an all-zero or closed one. */
void state_close(struct state_dir *dir);

/*
 * Calls FN for each directory of ours in ROOT whose name is a valid id, sorted by name, until it returns non-zero; returns that. A missing ROOT
 * has none.
 */
int state_each(const char *root,
	       int (*fn)(const struct state_root *root, const char *id, void *data), void *data,
	       struct crun_error *err) CRUN_NODISCARD;
