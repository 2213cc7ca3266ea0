/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Device access rules, in order: for each kind of access (read, write, mknod) the last rule that matches the device decides; without one
 * it is denied. v2 compiles them to an eBPF program; v1 gets the list of exceptions that means the same.
 */
#pragma once

#include "cgroup/internal.h"

#include <linux/bpf.h>

#define CG_ACCESS_ALL (BPF_DEVCG_ACC_MKNOD | BPF_DEVCG_ACC_READ | BPF_DEVCG_ACC_WRITE)
#define CG_ANY	      (-1)

struct cg_rule {
	bool allow;
	uint8_t type;	      /* BPF_DEVCG_DEV_CHAR, BPF_DEVCG_DEV_BLOCK, or 0 for both */
	uint8_t access;	      /* BPF_DEVCG_ACC_* */
	bool ours;	      /* one of the defaults, not of the configuration */
	int32_t major, minor; /* or CG_ANY */
	int index;	      /* in linux.resources.devices, for messages; -1 */
};

struct cg_rules {
	struct cg_rule *items;
	size_t len, cap;
};

/* A rule for every device and access. */
static inline bool cg_rule_is_total(const struct cg_rule *r)
{
	return r->type == 0 && r->major == CG_ANY && r->minor == CG_ANY &&
	       r->access == CG_ACCESS_ALL;
}

/*
 * The whole list for a container: nothing, then the plan's device nodes, then the configuration's rules, then what every container may use
 * (null, zero, full, random, urandom, tty, console, ptmx, pts; mknod of anything). Nodes come before the configuration's rules: these may
 * take away from them. Released with cg_rules_done.
 */
int cg_rules_build(const struct plan_cgroup *plan, struct cg_rules *ret,
		   struct crun_error *err) CRUN_NODISCARD;
void cg_rules_done(struct cg_rules *rules);
int cg_rules_add(struct cg_rules *rules, const struct cg_rule *rule) CRUN_NODISCARD;

/* True when the rules deny nothing, as those of a privileged container. */
bool cg_rules_allow_all(const struct cg_rules *rules);

/* ---- v2/devices_compile.c ---- */

/* Compiles the rules; *ret is malloc'd. Returns 0, -ENOMEM, or -E2BIG for thousands of rules. */
int cg_devices_compile(const struct cg_rules *rules, struct bpf_insn **ret,
		       size_t *ret_len) CRUN_NODISCARD;

/* ---- v2/devices_attach.c ---- */

/*
 * The name of our programs at the directory of H: an update knows them by it. A service manager has others on the same cgroup, and in a
 * directory that was there before the container those of other containers may have stayed.
 */
const char *cg_v2_filter_name(const struct cgroup *cg, const struct cg_hier *h);

/* Compiles and loads the rules as a program called NAME; returns its fd. */
int cg_v2_devices_load(const struct cg_rules *rules, const char *name,
		       struct crun_error *err) CRUN_NODISCARD;
int cg_v2_devices(struct cgroup *cg, const struct cg_hier *h, const struct cg_rules *rules,
		  struct crun_error *err) CRUN_NODISCARD;

/* ---- v1/devices.c ---- */

/*
 * The same as a default answer and exceptions from it, which is all that v1 knows. *ret is released with cg_rules_done. KIND_UNSUPPORTED for a
 * rule that denies a part of what a broader one allowed, or the other way round.
 */
int cg_v1_exceptions(const struct cg_rules *rules, bool *ret_default, struct cg_rules *ret,
		     struct crun_error *err) CRUN_NODISCARD;
int cg_v1_devices(const struct cgroup *cg, const struct cg_hier *h, const struct cg_rules *rules,
		  struct crun_error *err) CRUN_NODISCARD;

/* One line of devices.allow and devices.deny. */
void cg_v1_format_rule(char text[64], const struct cg_rule *e);

/* True when each device of A is one of B (types are never "both" here); accesses are not looked at. */
bool cg_v1_within(const struct cg_rule *a, const struct cg_rule *b);

/* ---- devices_update.c, v1/devices_update.c, v2/devices_update.c ---- */

#define CG_DEVICE_PROGRAMS 64 /* the kernel's own limit for one cgroup */

/* What a v1 cgroup has: a default answer and the exceptions from it. The kernel does not tell the exceptions from "allowed". */
struct cg_v1_filter {
	bool allowed;
	struct cg_rules exceptions;
};

/* A change of the filter of a container that exists. */
struct cg_device_change {
	struct cgroup *cg;
	const struct cg_hier *h; /* NULL: nothing is to be changed, or was */
	bool done;
	bool frozen; /* no process of the container can open anything meanwhile */
	struct cg_rules rules;
	/* v1 */
	struct cg_v1_filter before, after;
	/* v2: programs of ours */
	int old[CG_DEVICE_PROGRAMS];
	size_t old_len;
	int prog; /* FD_NONE: everything is allowed */
};
#define CG_DEVICE_CHANGE_NONE    \
	{                        \
		.prog = FD_NONE, \
	}

struct cg_changes;

/*
 * Finds out what has to be done so that the filter is what the plan's resources say, if they have rules for devices, and takes down the verdict
 * when that is nothing. What can fail without touching the filter fails here.
 */
int cg_devices_prepare(struct cgroup *cg, struct cg_changes *changes, struct cg_device_change *ret,
		       struct crun_error *err) CRUN_NODISCARD;

/* Does it. At no moment the container may do more than before and after. */
int cg_devices_change(struct cg_changes *changes, struct cg_device_change *c,
		      struct crun_error *err) CRUN_NODISCARD;
/* Puts the former filter back; appends to ERR when that fails. */
void cg_devices_undo(struct cg_device_change *c, struct crun_error *err);
void cg_device_change_done(struct cg_device_change *c);

/* 1: there is something to do, 0: not, or -errno. */
int cg_v1_devices_prepare(struct cg_device_change *c, struct crun_error *err) CRUN_NODISCARD;
int cg_v2_devices_prepare(struct cg_device_change *c, struct crun_error *err) CRUN_NODISCARD;
int cg_v1_devices_change(const struct cg_device_change *c, const struct cg_v1_filter *from,
			 const struct cg_v1_filter *to, struct crun_error *err) CRUN_NODISCARD;
int cg_v2_devices_change(const struct cg_device_change *c, struct crun_error *err) CRUN_NODISCARD;
int cg_v1_devices_undo(const struct cg_device_change *c, struct crun_error *err);
int cg_v2_devices_undo(const struct cg_device_change *c);

/* The content of devices.list as a filter. *ret is released with cg_rules_done(&ret->exceptions). Returns 0 or -ENOMEM. */
int cg_v1_filter_parse(const char *text, struct cg_v1_filter *ret) CRUN_NODISCARD;
