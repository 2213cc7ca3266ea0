/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A launch under way: what create and run hold between reading config.json and the payload's start, and the phases that get them
 * there. Domain: the runtime, host namespaces, the caller's privileges. Never resolves a path inside the rootfs by string.
 */
#pragma once

#include "cgroup/cgroup.h"
#include "hooks/oci_state_json.h"
#include "host/config_file.h"
#include "host/idmaps.h"
#include "host/intelrdt.h"
#include "host/interrupts.h"
#include "host/netdev.h"
#include "host/notify.h"
#include "libcrun.h"
#include "plan/birth.h"
#include "plan/seccomp.h"
#include "state/store.h"
#include "sync/ladder.h"
#include "sys/deadline.h"

#include <libocispec/oci.h>

#include <signal.h>

struct run_wait;

struct launch {
	const struct libcrun_context *ctx;
	const struct libcrun_create_options *opts;
	const char *id;
	struct interrupts interrupts; /* signals that call the creation off */
	struct deadline
		deadline; /* until when we may wait, by --timeout; its cancel_fd is that of interrupts */
	bool is_run;	  /* run: there is no gate, init goes on by itself after READY */

	struct oci_arena arena; /* owns file and plan */
	struct config_file file;
	struct launch_plan *plan;
	struct birth birth;

	struct state_dir dir;
	struct oci_record record;
	char created[40];
	char owner[64];
	struct cgroup *cgroup;
	struct intelrdt rdt;	 /* linux.intelRdt */
	struct netdevs *netdevs; /* those that were moved, or NULL */

	struct channel channel;	     /* our end */
	struct channel init_channel; /* init's end, closed once it was born */
	int gate_fd;
	int ns_fds[NS_COUNT];
	int *mount_fds; /* plan->mounts_len, see struct outside */
	int root_source_fd;
	struct idmap_helpers helpers; /* where the plan has the maps written by them */
	struct seccomp_area *seccomp;
	uint32_t *progress;   /* where init is, see init_phase_name() */
	int console_sock;     /* connected --console-socket, or FD_NONE */
	int pidfd_sock;	      /* connected --pidfd-socket, or FD_NONE */
	int listener_sock;    /* connected to the listener for seccomp notifications, or FD_NONE */
	int master;	      /* the container's terminal, after READY, or FD_NONE */
	struct notify notify; /* the payload's socket for sd_notify(3) */
	pid_t pid;
	pid_t payload; /* the thread of init that becomes the payload, where that is not its first; or 0 */
	int pidfd;
	struct sigaction callers_chld; /* what SIGCHLD did when we were called */
	bool chld_saved;
	bool keep_state; /* something could not be undone: the record must stay */
	bool pid_file_written;
	bool hooks_began; /* the host side's hooks ran: poststop ones follow whatever happens */
};

/* A step of the launch, and what takes it back. */
struct host_phase {
	const char *name;
	bool (*when)(const struct launch *); /* NULL: always */
	int (*run)(struct launch *, struct crun_error *);
	uint16_t code;		       /* of a failure that has none of its own; 0: none */
	void (*undo)(struct launch *); /* NULL: nothing to undo */
	struct ladder_step says[LADDER_STEPS];
};

/* In order; the table ends with an all-zero entry. */
extern const struct host_phase host_phases[];

/* Nothing is held yet; from here on launch_done() may be called. OPTS is borrowed. */
void launch_init(struct launch *l, const struct libcrun_context *ctx, const char *id,
		 const struct libcrun_create_options *opts, bool is_run);

/*
 * For the moment when nothing has been made yet and something is going to be: from here on signals do not kill us half-way, but call the launch
 * off (interrupts.h) or, with WAIT (empty; else NULL), are kept for the payload (run_wait_prepare() with SUBREAPER). Before that they end us
 * as they end any program, for instance while a document is read that comes from a pipe or a terminal. SIGCHLD gets its default action: a caller
 * that ignores it would have the kernel reap our child, and with it what we know of its end.
 */
int launch_hold_signals(struct launch *l, struct run_wait *wait, bool subreaper,
			struct crun_error *err) CRUN_NODISCARD;

/* Whether the host user UID has an id in the user namespace that the configuration makes for the container. */
bool launch_maps_user(const struct launch_plan *plan, uid_t uid);

/* Puts the place in the file in front of an error that has a JSON pointer. Returns -errno. */
int launch_locate(const struct launch *l, struct crun_error *err);

/* Reads and parses config.json, learns about the host, builds the plan. Touches nothing. */
int launch_load(struct launch *l, struct crun_error *err) CRUN_NODISCARD;

/*
 * Runs the phases up to READY (create: and the complete record; run: init is going on to its execve). On failure everything is
 * undone, in reverse order, before it returns: nothing of the container is left.
 */
int launch_run_phases(struct launch *l, struct crun_error *err) CRUN_NODISCARD;

/* Undoes a launch whose phases had all succeeded (run: the payload could not be started). */
void launch_undo(struct launch *l);

/* host/create.c: closes and frees what the struct owns; the container, if there is one, stays. */
void launch_done(struct launch *l);

/* The state that hooks are told; PID 0: there is no process any more. */
void launch_hook_state(const struct launch *l, pid_t pid, struct hook_state *ret);

/* ---- phases and parts of the launch that have files of their own ---- */

/* host/sources.c: opens what needs the host's rights before birth: bind sources and namespaces. */
int sources_open(struct launch *l, struct crun_error *err) CRUN_NODISCARD;
/* Its part that concerns plan->mounts: l->mount_fds. BY_US: all bind sources, not only those with an id mapping. */
int sources_open_mounts(struct launch *l, bool by_us, struct crun_error *err) CRUN_NODISCARD;
int namespaces_open(struct launch *l, struct crun_error *err) CRUN_NODISCARD;

/* host/record.c: fills l->record from the plan; writes it with the given phase. */
int record_prepare(struct launch *l, struct crun_error *err) CRUN_NODISCARD;
int record_write(struct launch *l, enum oci_record_phase phase,
		 struct crun_error *err) CRUN_NODISCARD;

/* ---- host/launch_sockets.c: the sockets of our caller ---- */

/*
 * Before anything is made, as a listener that is not there is better found early: connects to CONSOLE (a path, or NULL), to the receiver of the
 * pidfd, and to that of the seccomp listener, as the plan has them.
 */
int launch_connect_sockets(struct launch *l, const char *console,
			   struct crun_error *err) CRUN_NODISCARD;

/* Awaits LISTENER and sends it on with STATE; the thread that loaded the filter, which becomes the payload, gets its scheduler (l->payload). */
int launch_pass_listener(struct launch *l, const struct hook_state *state,
			 struct crun_error *err) CRUN_NODISCARD;

/* Awaits READY: the terminal goes to the console socket, else it stays in l->master; the pidfd goes to its receiver. */
int launch_await_ready(struct launch *l, struct crun_error *err) CRUN_NODISCARD;

/* ---- host/launch_wait.c: until when is waited, and how the error names it when that takes too long ---- */

/* Before birth: a word of memory in which init says where it is. */
int launch_share_progress(struct launch *l, struct crun_error *err) CRUN_NODISCARD;

/* Before birth: memory for the seccomp program, filled while init mounts, for that never goes through a socket. */
int launch_share_seccomp(struct launch *l, struct crun_error *err) CRUN_NODISCARD;

/* channel_expect and channel_expect_eof on our end of the channel, until the deadline of the launch or the one that suits init. */
int launch_expect(struct launch *l, enum message_kind kind, int *ret_fd,
		  struct crun_error *err) CRUN_NODISCARD;
int launch_expect_eof(struct launch *l, struct crun_error *err) CRUN_NODISCARD;

/* Init died: where a memory limit of its cgroup was the reason, *ERR says so and the result is -EPIPE; else 0 with *ERR as it was. */
int launch_explain_by_memory(const struct launch *l, struct crun_error *err);

/* Puts "phase `ready`, init in phase `outside.mounts`" in front of an error that is about time or an interruption. */
void launch_name_phase(const struct launch *l, const char *phase, struct crun_error *err);

/* A later phase may fail because init did: what init has to say about it is the better reason. */
void launch_prefer_inits_word(struct launch *l, struct crun_error *err);

/* From here on everything is undone: that has its own time, and what interrupted us does not interrupt it. */
void launch_begin_undo(struct launch *l);

/* Until when hooks may run while a launch is undone: a second interruption ends them. */
struct deadline launch_undo_deadline(const struct launch *l);

/* SIGKILL to init, and a bounded wait for its end. When there is none the state is kept, for `delete --force`. */
void launch_kill_init(struct launch *l);
