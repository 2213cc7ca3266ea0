/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the files of this room share: the hierarchies, the container's directory in each of them, and how its files are written.
 * A hierarchy has one root fd and, once the container's directory is there, one fd of it; everything is reached from these.
 */
#pragma once

#include "base/cleanup.h"
#include "base/error.h"
#include "cgroup/cgroup.h"
#include "plan/plan.h"
#include "sys/deadline.h"

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define CG_ROOT	     "/sys/fs/cgroup"
#define CG_MAX_HIER  24
#define CG_MAX_DEPTH 64 /* components of a path; `made` below is a bit mask of them */
#define CG_PATH_SIZE 4096
/* How long cgroup_destroy waits for the kernel: a process in uninterruptible sleep must not hang `delete`. */
#define CG_DESTROY_MS 2000

/* The names of the controllers, in this order, are in cg_controller_names. */
enum cg_controller {
	CG_CPU,
	CG_CPUACCT,
	CG_CPUSET,
	CG_MEMORY,
	CG_PIDS,
	CG_DEVICES,
	CG_FREEZER,
	CG_IO,
	CG_HUGETLB,
	CG_NET_CLS,
	CG_NET_PRIO,
	CG_RDMA,
	CG_MISC,
	CG_DMEM,
	CG_PERF_EVENT,
	CG_SYSTEMD, /* v1: systemd's hierarchy without controllers */
	CG_CONTROLLERS
};

#define CG_BIT(c) (1U << (c))

/* The v1 and the v2 name of each controller; NULL where that version has none. */
struct cg_controller_name {
	const char *v1, *v2;
};
extern const struct cg_controller_name cg_controller_names[CG_CONTROLLERS];

/* The bits of the controllers in LIST, whose words end at one of the characters of SEPARATORS. Unknown words are skipped. */
unsigned cg_controller_bits(const char *list, const char *separators, bool v2);

struct cg_hier {
	char *root; /* "/sys/fs/cgroup/memory"; owned */
	bool v2;
	unsigned controllers; /* v1: what is mounted here; v2: filled while enabling */
	dev_t dev;	      /* tells hierarchies apart that are mounted twice */
	int root_fd;
	int dir_fd;	 /* the container's directory when we made or use it, else FD_NONE */
	size_t existing; /* leading components of the path that were there before us */
	uint64_t made;	 /* bit per component: directories that we made, hence may remove */
	bool leaf_made;	 /* the last component is among them */
	bool inner;	 /* dir_fd is CG_INNER in the container's directory (fs.c) */
	bool used; /* the container's directory was there before us, empty: written to, never killed in, frozen or removed */
};

struct cg_changes;
struct cg_props;

struct cgroup {
	const struct plan_cgroup *plan; /* NULL when reopened from a record */
	char *path;			/* "/a/b"; NULL: no cgroup */
	uint16_t ends
		[CG_MAX_DEPTH]; /* length of the relative path (path + 1) up to each component */
	size_t depth;		/* number of components */
	struct cg_hier hier[CG_MAX_HIER];
	size_t hier_len;
	char **planned; /* NULL-terminated */
	char **used;	/* the same, of directories with hier.used */
	/*
	 * What our device filter at a used directory is called, where it would outlive us: it can be told from others without an id that
	 * somebody may be killed before writing down.
	 */
	char filter_name[16];
	const struct deadline
		*deadline; /* the command's, or NULL: deadline_or(cg->deadline, CG_..._MS) */
	bool adopt; /* this kernel lets nobody be born in a cgroup: as on v1, init is moved there */
	/* The systemd driver's (systemd.h): all NULL and 0 without it. */
	char *slice, *scope; /* the unit, and the slice that it is in */
	char *description;
	size_t scope_depth; /* components of the path up to the scope; what is above is systemd's */
	bool stale_unit, stale_dirs; /* left by a dead container */
	bool scope_began;	     /* systemd was asked to start it */
	bool scope_left;	     /* nobody could be asked to stop it, which was said */
	struct cg_props *
		former; /* of an update: what the properties that it changes were before; borrowed */
	bool entering;	/* exec: the scope is there, a process is put into it (enter.c) */
	bool entered_inits; /* not into the container's own directory, but into that of its first process */
	bool absent; /* could not be made and need not be: path and planned, which callers may hold, live on */
};

/* A directory whose files are written: the fd does the work, the path is for the error text. */
struct cg_dir {
	int fd;
	const char *path;
	struct cg_changes *changes; /* of an update (changes.h); NULL while a container is made */
	unsigned
		v1; /* in a v2 directory: the controllers that are v1 hierarchies, hence have no files here */
};

static inline bool cg_is_update(const struct cg_dir *dir)
{
	return dir->changes;
}

/* ---- discover.c ---- */

/* Opens the hierarchies of the host into cg->hier; none found is not an error (hier_len 0). */
int cg_discover(struct cgroup *cg, enum cgroup_layout layout,
		struct crun_error *err) CRUN_NODISCARD;

/* ---- select.c ---- */

/* Sets cg->path, ends and depth from a path that must be normal: "/a/b" or "a/b". POINTER goes into the error. */
int cg_set_path(struct cgroup *cg, const char *path, struct crun_error *err) CRUN_NODISCARD;

/* The same for the same text at any time: for names that have to be found again. */
uint64_t cg_hash(const char *text);

/* Writes the relative path of the first N components ("a/b") into BUF. */
void cg_prefix(const struct cgroup *cg, size_t n, char buf[CG_PATH_SIZE]);

/* Fills cg->planned from h->existing of each hierarchy. */
int cg_list_planned(struct cgroup *cg, struct crun_error *err) CRUN_NODISCARD;

/* Closes all and forgets every hierarchy. */
void cg_close(struct cgroup *cg);

/* The same, and frees the path and the list. */
void cg_clear(struct cgroup *cg);

/* ---- fs.c ---- */

/* Writes VALUE into FILE. AT: the value's pointer below /linux/resources, or NULL. A missing file is KIND_UNSUPPORTED. */
int cg_write(const struct cg_dir *dir, const char *file, const char *value, const char *at,
	     struct crun_error *err) CRUN_NODISCARD;
int cg_write_u64(const struct cg_dir *dir, const char *file, uint64_t value, const char *at,
		 struct crun_error *err) CRUN_NODISCARD;
int cg_write_i64(const struct cg_dir *dir, const char *file, int64_t value, const char *at,
		 struct crun_error *err) CRUN_NODISCARD;
/* VALUE < 0 is written as "max". */
int cg_write_max(const struct cg_dir *dir, const char *file, int64_t value, const char *at,
		 struct crun_error *err) CRUN_NODISCARD;
bool cg_has_file(const struct cg_dir *dir, const char *file);

/* Reads a number; "max" and what v1 has for it are UINT64_MAX. Returns 0 or -errno, without an error text. */
int cg_read_u64(const struct cg_dir *dir, const char *file, uint64_t *ret) CRUN_NODISCARD;

/*
 * The error for a value that this cgroup version cannot express; returns -EOPNOTSUPP. The first pass of an update takes it down and
 * returns 0, so that the others are looked at, too.
 */
int cg_unsupported(const struct cg_dir *dir, const char *at, const char *reason,
		   struct crun_error *err) CRUN_NODISCARD;

/*
 * systemd, on v1: the directory in the scope's where the container is in the hierarchy of devices, and there alone. systemd writes its own
 * rules to the scope again with each daemon-reload; it knows no "everything but", no minor number alone, and no order.
 */
#define CG_INNER "container"

/*
 * Opens the container's directory in H, for the fd that everything is done with: h->dir_fd. MAKE: its CG_INNER is made where it has to be.
 * Returns 0 or -errno.
 */
int cg_open_dir(const struct cgroup *cg, struct cg_hier *h, bool make);

/* The same with the directory of the path itself. */
int cg_open_outer(const struct cgroup *cg, struct cg_hier *h);

/* The controllers that are mounted as v1 hierarchies. */
unsigned cg_v1_controllers(const struct cgroup *cg);

/*
 * Removes the directories that we made in H, deepest first, and then parents that another container made and left to us; busy and missing
 * ones are left.
 */
void cg_rmdir_made(const struct cgroup *cg, struct cg_hier *h);

/*
 * For a cgroup that can be filled only once it exists: makes the directories that are missing, moves PID into them, and writes all limits
 * and the device filter.
 */
int cg_place(struct cgroup *cg, pid_t pid, struct crun_error *err) CRUN_NODISCARD;

/* Moves PID into every hierarchy's directory. -EBUSY: a v2 cgroup that hands its controllers down takes no process. */
int cg_move_in(struct cgroup *cg, pid_t pid, struct crun_error *err) CRUN_NODISCARD;

/* ---- destroy.c ---- */

/* cgroup_open, also for a cgroup that we are in ourselves: nobody may be killed, nor anything removed there. */
int cg_open_record(const struct oci_record *record, struct cgroup **ret,
		   struct crun_error *err) CRUN_NODISCARD;

/* ---- reuse.c ---- */

/* Whether a container may live in its directory (DIR for messages) of H, which exists: see cgroup_used. */
int cg_check_reuse(const struct cgroup *cg, const struct cg_hier *h, const char *dir,
		   struct crun_error *err) CRUN_NODISCARD;

/* KIND_STATE when the directory DIRFD of H, or one above it, is frozen: init would never get to its first instruction. */
int cg_check_thawed(const struct cg_hier *h, int dirfd, const char *dir,
		    struct crun_error *err) CRUN_NODISCARD;

/* Sets cg->filter_name: one for each container, from what its record has from the beginning. */
void cg_name_filter(struct cgroup *cg, const char *id, int runtime_pid);
/* Takes our device filters off the used directories: they would not go with these. */
void cg_detach_filters(const struct cgroup *cg);

/* ---- rootless.c ---- */

/*
 * For an ordinary user on cgroup v2: the cgroup, below the root and without a leading slash, in which we may make others and move processes
 * between them: the parent of our own, or our own. Empty: the root, or there is none.
 */
void cg_delegated_base(const struct cgroup *cg, char buf[CG_PATH_SIZE]);

/* Puts what is not delegated, and the way to delegate it, into the error of an ordinary user whose limits cannot be set. Returns -errno. */
int cg_explain_rootless(const struct cgroup *cg, struct crun_error *err);

/* ---- v2/enable.c ---- */

/*
 * Makes controllers available in the container's directory: writes cgroup.subtree_control from the root down to its parent. REQUIRED
 * ones that cannot be had are an error that names the file; the usual others are enabled where that works. Above a scope of systemd
 * nothing is written. Sets h->controllers.
 */
int cg_v2_enable(const struct cgroup *cg, struct cg_hier *h, unsigned required,
		 struct crun_error *err) CRUN_NODISCARD;

/* The error for a controller that the cgroup2 directory in H does not have: names the topmost cgroup.controllers without it. -EOPNOTSUPP. */
int cg_v2_no_controller(const struct cgroup *cg, const struct cg_hier *h, enum cg_controller c,
			struct crun_error *err);

/* ---- resources.c ---- */

/* Bits of the controllers that the plan's resources need (devices included unless the plan leaves filters out). */
unsigned cg_needed(const struct plan_cgroup *plan);

/* The directory that serves a controller, or NULL: v1 before v2, as the kernel binds each controller once. */
const struct cg_hier *cg_find(const struct cgroup *cg, enum cg_controller c, bool v2);
const struct cg_hier *cg_find_v2(const struct cgroup *cg);

/* The error for a controller that this host does not have. Returns -EOPNOTSUPP. */
int cg_no_controller(const struct cgroup *cg, enum cg_controller c, struct crun_error *err);

/* The controllers that must be enabled on cgroup v2 for the plan's resources. */
unsigned cg_v2_required(const struct cgroup *cg);

/* Writes the limits of the plan's resources, but not the device filter. CHANGES: of an update, or NULL. */
int cg_apply_limits(const struct cgroup *cg, struct cg_changes *changes,
		    struct crun_error *err) CRUN_NODISCARD;

/* Writes all limits and the device filter into the directories that were made. */
int cg_apply(struct cgroup *cg, struct crun_error *err) CRUN_NODISCARD;

/* ---- procs.c ---- */

struct cg_pids {
	pid_t *pids;
	size_t len, cap;
};

/* Appends the pids of the directory FD and of all below it; 0 (a process of another pid namespace) is left out. */
int cg_read_pids(int fd, struct cg_pids *ret);

/* Kills all that is below the directory and waits for the end. 0, -ETIMEDOUT, -ECANCELED or another -errno. */
int cg_kill_dir(const struct cg_hier *h, const struct deadline *d);

/* ---- walk.c ---- */

/* What the kernel says of a cgroup that was removed: of its name, and of a file in it that is open. No other failure means that it is not there. */
static inline bool cg_is_gone(int r)
{
	return r == -ENOENT || r == -ENODEV;
}

/*
 * The payload of an ordinary user's container may be that user, too, and take away the modes of a cgroup that is handed to it: EACCES. This
 * gives those back to the directory FD and its files that signalling and removing need. 0, or -errno when it is not ours.
 */
int cg_take_back(int fd);

/* The first subdirectory's name of FD into NAME; 1, 0 when there is none, or -errno. */
int cg_first_child(int fd, char name[256]);

/* Moves the descriptor *CUR to the directory NAME in it, which may be "..". On failure (-errno) it stays. */
int cg_step(int *cur, const char *name);

/*
 * Calls VISIT for the directory FD and all below it, those above first, with two descriptors however deep the payload nested them. A negative
 * result ends the walk and is returned, but for -ENOENT and -ENODEV: directories come and go meanwhile.
 */
int cg_walk(int fd, int (*visit)(int fd, void *data), void *data);
