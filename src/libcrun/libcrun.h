/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The library's public face: what the command line tool uses, and all that it uses. Every function returns >= 0 or a
 * negative errno with *err set. Nothing here prints or exits. create and run fork: call them from a single thread.
 */
#pragma once

#include "base/error.h"
#include "base/log.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/types.h>

/* What every command shares. Zero-initialise; strings are borrowed for the duration of the call. */
struct libcrun_context {
	size_t size;		/* sizeof(struct libcrun_context), so that fields can be appended */
	const char *state_root; /* --root; NULL: $XDG_RUNTIME_DIR/crun, else /run/crun */
	char *const *
		argv; /* our own argument vector, should protecting the binary take a second execution */
	const char *cgroup_manager; /* "cgroupfs", "systemd", "disabled"; NULL: cgroupfs */
	/*
	 * --timeout: milliseconds after which the command gives up waiting, whatever it waits for, and undoes what it did; the payload's own
	 * time does not count. 0: each wait has the limit that suits it (sys/deadline.h), and hooks only their own.
	 */
	int64_t timeout_ms;
	/*
	 * $NOTIFY_SOCKET or NULL: where a service manager wants to be told that the payload is ready (sd_notify(3)). create and run give
	 * the payload a socket of its own; start, and run when detached, wait until it has said so or has ended.
	 */
	const char *notify_socket;
	/* --self-audit: before the payload is executed its process compares what it has become with what was asked for. */
	bool self_audit;
	/* The caller's process ends when the command is done: after a success, what the kernel releases then is left to it. */
	bool process_ends;
};

/* Options of create, run and (later) restore. */
struct libcrun_create_options {
	size_t size;
	const char *bundle;	    /* --bundle; NULL: the current directory */
	const char *config;	    /* --config; NULL: BUNDLE/config.json */
	const char *pid_file;	    /* --pid-file or NULL */
	const char *console_socket; /* --console-socket or NULL */
	const char *pidfd_socket;   /* --pidfd-socket or NULL */
	unsigned preserve_fds;	    /* --preserve-fds: 3 ... 3+N-1 stay open in the payload */
	unsigned listen_fds;	    /* $LISTEN_FDS as the caller decided to honour it */
	bool no_pivot;
	bool no_new_keyring;
	bool no_subreaper;
	bool detach; /* run: return once the payload was started */
	bool keep;   /* run: leave the state and the cgroup behind */
};

/* A process for exec to add. What is NULL is not given. */
struct libcrun_exec_options {
	size_t size;
	const char *process; /* --process: a file with a process object, "-" for standard input */
	const char *const *args; /* the program and its arguments; NULL: the process object's */
	const char *cwd;
	const char *const *env; /* lists end with NULL */
	const char *user;	/* UID[:GID] */
	const char *const *additional_gids;
	const char *const *caps; /* added to the bounding, effective and permitted sets */
	const char *apparmor, *process_label;
	const char *const *cgroups; /* [CONTROLLERS:]PATH of cgroups below the container's */
	const char *pid_file, *console_socket, *pidfd_socket;
	unsigned preserve_fds, listen_fds;
	bool tty, detach, no_new_privs;
	bool ignore_paused; /* also into a paused container: the process stands still until `resume` */
	bool no_subreaper;
};

enum libcrun_status {
	LIBCRUN_CREATING,
	LIBCRUN_CREATED,
	LIBCRUN_RUNNING,
	LIBCRUN_PAUSED,
	LIBCRUN_STOPPED,
};

const char *libcrun_status_name(enum libcrun_status status);

/* Registers where messages go; SINK may be called from any command until the next registration. */
void libcrun_set_log(log_sink sink, void *data, enum crun_log_level max);

/*
 * From here to libcrun_trace_end() the phases of a command are measured, those of the process that it makes, too: then FILE, which is opened now,
 * gets them as a JSON array in the Chrome trace event format (Perfetto, chrome://tracing), in microseconds of CLOCK_MONOTONIC. A file that
 * exists is emptied; symbolic links and what is no regular file are refused. COMMAND is a word. Both strings are borrowed until the end.
 */
int libcrun_trace_begin(const char *file, const char *command,
			struct crun_error *err) CRUN_NODISCARD;

/* RESULT: what the command returned. Without a beginning it does nothing. */
void libcrun_trace_end(int result);

/* The state root that CTX stands for, in BUF: --root, then $XDG_RUNTIME_DIR/crun (if not empty), then /run/crun. */
int libcrun_state_root(const struct libcrun_context *ctx, char *buf, size_t size,
		       struct crun_error *err);

int libcrun_create(const struct libcrun_context *ctx, const char *id,
		   const struct libcrun_create_options *opts,
		   struct crun_error *err) CRUN_NODISCARD;
int libcrun_start(const struct libcrun_context *ctx, const char *id,
		  struct crun_error *err) CRUN_NODISCARD;

/*
 * create + start. In the foreground waits for the payload and sets *exit_status to its status (128+N for signal N);
 * detached sets it to 0.
 */
int libcrun_run(const struct libcrun_context *ctx, const char *id,
		const struct libcrun_create_options *opts, int *exit_status,
		struct crun_error *err) CRUN_NODISCARD;

/*
 * Adds a process to a container that is created or running. In the foreground it is waited for, as by libcrun_run; detached it is
 * running when this returns, and *exit_status is 0. On failure there is neither a process nor a pid file.
 */
int libcrun_exec(const struct libcrun_context *ctx, const char *id,
		 const struct libcrun_exec_options *opts, int *exit_status,
		 struct crun_error *err) CRUN_NODISCARD;

/*
 * Makes the mounts of the file PATH ("-": standard input) in a container that is created, running or paused, or with REMOVE unmounts what is at
 * their destinations: all of them, or none. Mount points that are missing are made, and stay.
 */
int libcrun_mounts(const struct libcrun_context *ctx, const char *id, bool remove, const char *path,
		   struct crun_error *err) CRUN_NODISCARD;

/* Writes the state document of runtime.md (pretty-printed JSON and a newline) to OUT. */
int libcrun_state(const struct libcrun_context *ctx, const char *id, FILE *out,
		  struct crun_error *err) CRUN_NODISCARD;

/* The signal that TEXT means: a number, or a name in any case with or without "SIG". Returns 0...64 or -EINVAL. */
int libcrun_signal_number(const char *text);

/* SIGNAL 0...64. ALL: every process of the container's cgroup. */
int libcrun_kill(const struct libcrun_context *ctx, const char *id, int signal, bool all,
		 struct crun_error *err) CRUN_NODISCARD;
int libcrun_delete(const struct libcrun_context *ctx, const char *id, bool force,
		   struct crun_error *err) CRUN_NODISCARD;

/*
 * Freezes all processes of a created or running container, and returns once they stand still; after --timeout, or ten seconds, without success they go
 * on, and the error names who is in the way. The container needs a cgroup of its own.
 */
int libcrun_pause(const struct libcrun_context *ctx, const char *id, struct crun_error *err);

/* Lets a paused container go on. */
int libcrun_resume(const struct libcrun_context *ctx, const char *id, struct crun_error *err);

enum libcrun_ps_format { LIBCRUN_PS_TABLE, LIBCRUN_PS_JSON };

/*
 * Writes the container's processes to OUT: a table, or a JSON array of pids as the caller's pid namespace numbers them. PS_ARGS
 * (NULL-terminated, or NULL) are options for the host's ps(1), which makes the table then. A stopped container has none, as a rule.
 */
int libcrun_ps(const struct libcrun_context *ctx, const char *id, enum libcrun_ps_format format,
	       char *const *ps_args, FILE *out, struct crun_error *err);

/* New limits; see libcrun_update. Values are as they were typed; NULL: not given. */
struct libcrun_update_options {
	size_t size;
	const char *
		resources; /* --resources: a file with a linux.resources object, "-" for standard input */
	const char *blkio_weight, *cpu_period, *cpu_quota, *cpu_burst, *cpu_shares, *cpu_rt_period,
		*cpu_rt_runtime, *cpu_idle, *cpuset_cpus, *cpuset_mems;
	/* Numbers of bytes, "64m", or "-1". */
	const char *memory, *memory_reservation, *memory_swap, *kernel_memory, *kernel_memory_tcp;
	const char *pids_limit;
	const char *l3_cache_schema, *mem_bw_schema;
};

enum libcrun_update_format { LIBCRUN_UPDATE_QUIET, LIBCRUN_UPDATE_TABLE, LIBCRUN_UPDATE_JSON };

/* Checks the options alone: KIND_SPEC for a value that is none, and for options that exclude each other. */
int libcrun_update_check(const struct libcrun_update_options *opts,
			 struct crun_error *err) CRUN_NODISCARD;

/*
 * Changes the limits of a container that is created, running or paused: all of what is asked for, or nothing. The report, one entry for each
 * key with what became of it, goes to OUT in FORMAT, after a failure as well.
 */
int libcrun_update(const struct libcrun_context *ctx, const char *id,
		   const struct libcrun_update_options *opts, enum libcrun_update_format format,
		   FILE *out, struct crun_error *err) CRUN_NODISCARD;

struct libcrun_events_options {
	size_t size;
	bool once;	     /* --stats: one object, and done */
	int64_t interval_ms; /* between two objects; 0: five seconds */
};

/*
 * Writes the statistics of a running container to OUT, one JSON object per line in the form that go-runc reads, and a line for each lack
 * of memory as it happens, until the container stops or nobody reads any more.
 */
int libcrun_events(const struct libcrun_context *ctx, const char *id,
		   const struct libcrun_events_options *opts, FILE *out, struct crun_error *err);

enum libcrun_stats_format { LIBCRUN_STATS_TABLE, LIBCRUN_STATS_JSON };

struct libcrun_stats_options {
	size_t size;
	enum libcrun_stats_format format;
	bool watch; /* again and again, until the container stops or nobody reads any more */
	int64_t interval_ms; /* of that; 0: two seconds */
};

/*
 * Writes what the kernel counts for the container ID, or for all containers of the state root when it is NULL, to OUT. A stopped
 * container is shown as long as it has its cgroup.
 */
int libcrun_stats(const struct libcrun_context *ctx, const char *id,
		  const struct libcrun_stats_options *opts, FILE *out, struct crun_error *err);

enum libcrun_list_format { LIBCRUN_LIST_TABLE, LIBCRUN_LIST_JSON, LIBCRUN_LIST_QUIET };

/* Writes all containers of the state root, sorted by id, to OUT. One unreadable entry is a warning, not a failure. */
int libcrun_list(const struct libcrun_context *ctx, enum libcrun_list_format format, FILE *out,
		 struct crun_error *err) CRUN_NODISCARD;

enum libcrun_gc_format { LIBCRUN_GC_TEXT, LIBCRUN_GC_JSON };

struct libcrun_gc_options {
	size_t size;
	enum libcrun_gc_format format;
	bool dry_run; /* only say what would be removed */
};

/*
 * Removes what killed commands left of containers of the state root: those that are half-made, half-deleted, or whose `run` would have removed
 * them; nothing that is alive, and nothing that has merely stopped. Writes one entry for each to OUT; *ret_left is the number of those that could
 * not be removed.
 */
int libcrun_gc(const struct libcrun_context *ctx, const struct libcrun_gc_options *opts, FILE *out,
	       unsigned *ret_left, struct crun_error *err) CRUN_NODISCARD;

/* Calls FN for every container id of the state root until it returns non-zero; returns that value. */
int libcrun_each_id(const struct libcrun_context *ctx, int (*fn)(const char *id, void *data),
		    void *data, struct crun_error *err) CRUN_NODISCARD;

/* Writes an example config.json (`crun spec`) to OUT: for root, or for an unprivileged user with a user namespace. */
int libcrun_spec(bool rootless, FILE *out, struct crun_error *err) CRUN_NODISCARD;

/* Writes the features document of features.md to OUT. */
int libcrun_features(FILE *out, struct crun_error *err) CRUN_NODISCARD;

enum libcrun_validate_format { LIBCRUN_VALIDATE_TEXT, LIBCRUN_VALIDATE_JSON };

/*
 * Checks the configuration of OPTS (bundle, config; the rest is not used) as create would, and what it needs of this host, and writes
 * all findings to OUT. *ret_errors is the number of those that create would fail for. Makes nothing.
 */
int libcrun_validate(const struct libcrun_context *ctx, const struct libcrun_create_options *opts,
		     enum libcrun_validate_format format, FILE *out, unsigned *ret_errors,
		     struct crun_error *err) CRUN_NODISCARD;

enum libcrun_doctor_format { LIBCRUN_DOCTOR_TEXT, LIBCRUN_DOCTOR_JSON };

/*
 * Looks at what containers need of this host, as the calling user would run them, and with BUNDLE (or NULL) at what its configuration
 * needs, and writes all findings to OUT. *ret_problems is the number of those because of which containers do not run, or not as they
 * should. Changes nothing: what must be tried is tried in child processes, each with a limit of time.
 */
int libcrun_doctor(const struct libcrun_context *ctx, const char *bundle,
		   enum libcrun_doctor_format format, FILE *out, unsigned *ret_problems,
		   struct crun_error *err) CRUN_NODISCARD;

/* The version of the runtime specification that is implemented, "1.3.0". */
const char *libcrun_spec_version(void);

/* The optional parts compiled in, as the words of the last line of --version ("+SECCOMP -SYSTEMD ..."). Static. */
const char *libcrun_build_features(void);
