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

/* The answer of the rules for one access, straight from their definition. */
bool cg_rules_allow(const struct cg_rules *rules, uint8_t type, uint8_t access, uint32_t major,
		    uint32_t minor);

/* ---- v2/devices_compile.c ---- */

/* Compiles the rules; *ret is malloc'd. Returns 0, -ENOMEM, or -E2BIG for thousands of rules. */
int cg_devices_compile(const struct cg_rules *rules, struct bpf_insn **ret,
		       size_t *ret_len) CRUN_NODISCARD;

/* ---- v2/devices_attach.c ---- */
int cg_v2_devices(const struct cgroup *cg, const struct cg_hier *h, const struct cg_rules *rules,
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
