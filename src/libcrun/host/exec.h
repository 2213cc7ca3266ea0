/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A process under way into a container that is there: what `exec` holds until the process runs. Domain: the runtime, host
 * namespaces. Nothing here resolves a path of the container, whose root file system may be out of sight.
 */
#pragma once

#include "host/launch.h"
#include "host/verbs.h"

struct exec {
	struct launch l; /* its waits, its channel and its child; no state directory, no record */
	const struct libcrun_exec_options *opts;
	struct container c;
	struct oci_config *config;    /* the container's copy, in l.arena */
	const char *process_path;     /* --process, or NULL */
	struct oci_text process_text; /* of that file, in l.arena */
	unsigned joins; /* bit per enum ns_index: the container's namespaces that are not ours */
	bool join_by_fds; /* each namespace by a file of its own: this kernel's setns(2) takes no pidfds */
	int dir_fd; /* /proc/PID of the container's first process once it was needed, or FD_NONE */
	int shield_fd; /* what is left of the shield to be closed, or FD_NONE */
	int proc_fd;   /* the host's procfs for the process's own label, or FD_NONE */
};

/* A step of exec, and what takes it back. */
struct exec_phase {
	const char *name;
	bool (*when)(const struct exec *); /* NULL: always */
	int (*run)(struct exec *, struct crun_error *);
	void (*undo)(struct exec *); /* NULL: nothing to undo */
	uint16_t code;		     /* of a failure that has none of its own; 0: none */
	struct ladder_step says[LADDER_STEPS];
};

/* In order; the table ends with an all-zero entry. */
extern const struct exec_phase exec_phases[];

/* Nothing is open yet. ID and OPTS are borrowed; OPTS is NULL where no process is to be executed (host/mounts.c). */
void exec_init(struct exec *x, const struct libcrun_context *ctx, const char *id,
	       const struct libcrun_exec_options *opts);

/* Closes and frees what *X holds. */
void exec_done(struct exec *x);

/* host/exec_load.c: opens the container, reads what is to be run, plans it. Touches nothing. */
int exec_load(struct exec *x, struct crun_error *err) CRUN_NODISCARD;

/* host/exec_process.c: the process object, from --process or from the container's own and the options; complete. In l.arena. */
int exec_read_process(struct exec *x, struct oci_process **ret,
		      struct crun_error *err) CRUN_NODISCARD;

/* The place in the file in front of an error that has a JSON pointer. Returns -errno. */
int exec_locate(const struct exec *x, struct crun_error *err);

/* host/exec_join.c: which of the container's namespaces are not ours (x->joins). */
int exec_find_namespaces(struct exec *x, struct crun_error *err) CRUN_NODISCARD;

/* The descriptors that the joins take: of those that the process enters itself, or of all with x->join_by_fds. */
int exec_open_namespaces(struct exec *x, struct crun_error *err) CRUN_NODISCARD;

/* Whether the container's user namespace knows the host user UID. For exe_shield_is_needed(). DATA: struct exec. */
bool exec_user_is_mapped(uid_t uid, void *data);
