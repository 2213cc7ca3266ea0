/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The launch plan: every decision of create and run, made from the configuration, the facts of the host and the options
 * before anything is touched. Const once built, inherited by init through fork. Strings and arrays are borrowed from the
 * configuration or live in the plan's arena.
 */
#pragma once

#include "base/error.h"
#include "plan/mount_op.h"
#include "plan/seccomp.h"

#include <libocispec/oci.h>

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

enum ns_index { NS_USER, NS_PID, NS_NET, NS_MNT, NS_IPC, NS_UTS, NS_CGROUP, NS_TIME, NS_COUNT };

enum ns_action {
	NS_SHARE, /* stay in the caller's */
	NS_NEW,	  /* a new one */
	NS_JOIN,  /* enter the one at `path` */
};

struct plan_ns {
	enum ns_action action;
	const char *path; /* NS_JOIN: host path of the namespace file */
};

/* clone flag and /proc/PID/ns name of each namespace, indexed by enum ns_index. */
struct ns_info {
	int flag;
	const char *name;      /* "net": the file in /proc/PID/ns */
	const char *spec_name; /* "network": the word of config.json */
};
extern const struct ns_info ns_table[NS_COUNT];

enum cgroup_layout { CGROUP_NONE, CGROUP_V1, CGROUP_HYBRID, CGROUP_V2 };
enum cgroup_manager { CGROUP_MANAGER_CGROUPFS, CGROUP_MANAGER_SYSTEMD, CGROUP_MANAGER_DISABLED };

/* What was found out about the host, once, by host/facts.c. Tests fill it by hand. */
struct host_facts {
	uid_t euid;
	gid_t egid;
	bool in_userns;		/* we are not in the initial user namespace */
	bool privileged;	/* CAP_SYS_ADMIN in our user namespace */
	bool apparmor, selinux; /* enabled in the running kernel */
	unsigned last_cap;	/* /proc/sys/kernel/cap_last_cap */
	uint64_t nofile; /* our soft RLIMIT_NOFILE, which the payload inherits; 0: not known */
	enum cgroup_layout cgroup_layout;
};

enum id_map_writer {
	ID_MAP_NONE,	/* no new user namespace */
	ID_MAP_DIRECT,	/* the host side writes /proc/PID/uid_map itself */
	ID_MAP_HELPERS, /* newuidmap and newgidmap */
};

struct plan_device {
	const char *path;
	mode_t type; /* S_IFCHR, S_IFBLK or S_IFIFO */
	mode_t mode; /* permission bits */
	uint64_t major, minor;
	uid_t uid;
	gid_t gid;
	int index; /* in linux.devices; -1 for one of the spec's default devices */
};

struct plan_rlimit {
	int resource;
	const char *name; /* "RLIMIT_NOFILE" */
	uint64_t soft, hard;
};

struct plan_caps {
	uint64_t bounding, effective, permitted, inheritable, ambient;
};

/* Where the payload finds its socket for sd_notify(3). */
#define PLAN_NOTIFY_DIR	   "/run/notify"
#define PLAN_NOTIFY_SOCKET "notify.sock"

/* What concerns the process alone, and nothing around it. */
struct plan_process {
	const struct oci_process *spec;
	const char *const *argv;
	const char **envp; /* as configured, HOME not yet added; NULL-terminated */
	const char *path;  /* value of PATH in envp, or the default search path */
	const char *cwd;
	uid_t uid;
	gid_t gid;
	const gid_t *groups;
	size_t groups_len;
	bool keep_groups; /* annotation run.oci.keep_original_groups */
	bool set_groups;  /* setgroups(2) is allowed in the target user namespace */
	mode_t umask;
	bool has_caps; /* process.capabilities is present; absent: the bounding set stays, the rest is dropped */
	struct plan_caps caps;
	bool no_new_privs;
	const struct plan_rlimit *rlimits;
	size_t rlimits_len;
	bool terminal;
	unsigned preserve_fds; /* payload keeps 3 ... 3+preserve_fds-1 */
	unsigned listen_fds; /* not 0: LISTEN_FDS and LISTEN_PID are added where envp lacks them */
};

/* linux.memoryPolicy, as set_mempolicy(2) takes it. */
struct plan_memory_policy {
	int mode; /* with its flags */
	const unsigned long *nodes;
	unsigned end; /* the highest node + 1; 0: none */
};

/* CPUs for sched_setaffinity(2). */
struct plan_cpus {
	const unsigned long *mask;
	size_t size; /* of it in bytes; 0: none are named */
};

#define PLAN_NET_NAME_MAX 15

/* A network interface that moves into the container's network namespace. */
struct plan_net_device {
	const char *name;   /* in ours */
	const char *inside; /* its name there; "%d" in it: the first number that is free */
};

struct plan_cgroup {
	enum cgroup_manager manager;
	enum cgroup_layout layout;
	const char *id;	  /* the container's id: names the cgroup when path is empty */
	const char *path; /* linux.cgroupsPath, or NULL */
	const struct oci_linux_resources *resources; /* or NULL */
	const struct plan_device *devices;	     /* nodes the payload must be able to use */
	size_t devices_len;
	const struct oci_string_map
		*annotations; /* or NULL: org.systemd.property.*, run.oci.systemd.* */
	const char *
		delegate; /* annotation run.oci.delegate-cgroup: a cgroup below for the payload to manage; or NULL */
	bool optional; /* unprivileged, no path and no resources asked for: go without a cgroup when it cannot be made */
	bool unprivileged; /* no power over the host's devices: device filters are left out */
	/* Where a writable cgroup is the container's own (spec "Cgroup ownership"): chown to this host uid, or -1. */
	uid_t owner;
};

struct launch_plan {
	const struct oci_config *config;
	const struct oci_linux *linux_; /* never NULL */
	struct host_facts facts;

	const char *id;
	const char *bundle; /* absolute */
	const char *rootfs; /* absolute host path of the root file system */
	bool root_readonly;
	uint64_t
		root_propagation; /* MS_PRIVATE, MS_SLAVE, MS_SHARED, MS_UNBINDABLE; recursive when root_propagation_rec */
	bool root_propagation_rec;
	const char *pidfd_receiver; /* socket that gets a pidfd of init, or NULL */
	const char *
		notify_dir; /* directory of the state that is mounted at PLAN_NOTIFY_DIR, or NULL */
	bool no_pivot;
	bool new_keyring;
	bool shield; /* the payload could write to our binary: init takes it out of its reach (sys/exe_shield.h) */
	bool wants_label; /* an AppArmor profile or SELinux label must be set, and the host has that LSM */
	bool self_audit; /* init compares itself with this plan before it executes the payload */
	bool detach;	 /* create, or run and exec with --detach: nobody waits for the payload */
	bool exec;	 /* a process is added to a container that is there (plan/exec.h) */
	/* A container that is there gets other mounts (plan/live_mounts.h): init ends when it has made or taken them away. */
	enum plan_live_mounts { LIVE_MOUNTS_NONE, LIVE_MOUNTS_ADD, LIVE_MOUNTS_REMOVE } live_mounts;
	/* exec: process.execCPUAffinity, before and after the process is in the container's cgroup. */
	struct plan_cpus cpus_before, cpus;

	struct plan_ns ns[NS_COUNT];
	const struct oci_id_mapping *uid_map, *gid_map;
	size_t uid_map_len, gid_map_len;
	enum id_map_writer id_map_writer;
	bool deny_setgroups; /* an unprivileged single mapping: "deny" must be written before gid_map */

	const struct mount_op *mounts;
	size_t mounts_len;
	const char *const *masked_paths, *const *readonly_paths;
	size_t masked_paths_len, readonly_paths_len;
	/* Where the container's own configuration mounts something; for the removal of mounts only. */
	const char *const *own_mounts;
	size_t own_mounts_len;
	const struct plan_device *devices;
	size_t devices_len;
	const struct plan_net_device *net_devices;
	size_t net_devices_len;
	bool bind_devices; /* mknod is not ours in this user namespace: bind the host's nodes */

	struct plan_memory_policy memory_policy;
	struct plan_cgroup cgroup;
	struct plan_process process;
	struct plan_seccomp seccomp;

	/* The message ladder (sync/ladder.h): both sides derive their sequence from these alone. */
	bool sync_go; /* init waits until the host side has mapped ids / adopted it into its cgroup */
	bool sync_hooks; /* init pauses while the host side runs prestart and createRuntime hooks */
	bool sync_filter;   /* init waits for the compiled seccomp program */
	bool sync_listener; /* init loads it before READY, and hands out the notification fd */
	bool gate;	    /* create: init waits for `start` */
};

/* What the caller asked for besides config.json. */
struct plan_options {
	const char *id, *bundle;
	enum cgroup_manager cgroup_manager;
	const char *pidfd_socket; /* --pidfd-socket or NULL */
	const char *notify_dir;	  /* where the payload's socket for sd_notify(3) will be, or NULL */
	const char *seccomp_receiver; /* RUN_OCI_SECCOMP_RECEIVER of the environment, or NULL */
	unsigned preserve_fds, listen_fds;
	bool no_pivot, no_new_keyring, detach, gate;
};

/*
 * Decides everything. Pure: looks at nothing but its arguments. Returns 0, or -errno with the JSON pointer of the value
 * that cannot be honoured in err->at.
 */
int plan_build(const struct oci_config *config, const struct host_facts *facts,
	       const struct plan_options *opts, struct oci_arena *arena, struct launch_plan **ret,
	       struct crun_error *err) CRUN_NODISCARD;

/* One of the lists of config.hooks. */
struct plan_hook_stage {
	const char *name; /* "createRuntime" */
	const struct oci_hook *list;
	size_t len;
	bool in_container; /* its programs are the container's; all others are the host's (config.md, "POSIX-platform Hooks") */
};
#define PLAN_HOOK_STAGES 6

/* All lists of HOOKS, in the order in which they are run. */
void plan_hook_stages(const struct oci_hooks *hooks, struct plan_hook_stage ret[PLAN_HOOK_STAGES]);

/* Each bind source takes a descriptor until it is attached: the host side raises the limit for them, and init sets it back. */
static inline bool plan_raises_nofile(const struct launch_plan *plan)
{
	return plan->facts.nofile && plan->facts.nofile < plan->mounts_len + 128;
}

/*
 * Whether the self-audit looks at the filter in our own status in /proc. One with a listener proves itself by its notification descriptor.
 */
static inline bool plan_audits_filter(const struct launch_plan *plan)
{
	return plan->self_audit && plan->sync_filter && !plan->sync_listener;
}

/* Whether a hook can have changed the container's mounts in the middle of its creation. */
static inline bool plan_hooks_could_mount(const struct launch_plan *plan)
{
	const struct oci_hooks *h = plan->config->hooks;

	return h && (h->prestart_len || h->create_runtime_len || h->create_container_len ||
		     h->start_container_len);
}

static inline bool plan_ns_is_own(const struct launch_plan *plan, enum ns_index i)
{
	return plan->ns[i].action != NS_SHARE;
}

/* Of the two labels that engines send, the one that this host's kernel has an LSM for; both cannot be active. */
static inline bool plan_label_is_apparmor(const struct launch_plan *plan)
{
	const char *profile = plan->config->process->apparmor_profile;

	return profile && profile[0] && plan->facts.apparmor;
}

/* The host id that a container id stands for, or -1 when it is not mapped. Without a user namespace: ID itself. */
int64_t plan_host_id(const struct launch_plan *plan, bool group, uint32_t id);
