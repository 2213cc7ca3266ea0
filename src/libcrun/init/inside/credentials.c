// SPDX-License-Identifier: Apache-2.0
// The payload's ids and capabilities: bounding set, groups, gid, uid, then the other sets and no_new_privs.
#include "init/inside/phase.h"

#include "base/log.h"
#include "sys/cred.h"
#include "sys/process.h"

#include <errno.h>
#include <linux/capability.h>
#include <sys/prctl.h>

#define CAP_BIT(cap) (UINT64_C(1) << (cap))

static int drop_bounding(const struct launch_plan *plan, struct crun_error *err)
{
	uint64_t keep = plan->process.has_caps ? plan->process.caps.bounding : 0;

	for (unsigned cap = 0; cap <= plan->facts.last_cap; cap++) {
		int r;

		if (keep & CAP_BIT(cap))
			continue;
		r = sys_capbset_drop((int)cap);
		/* EPERM without CAP_SETPCAP: fine where the capability is not in the set anyway. */
		if (r == -EPERM && sys_capbset_read((int)cap) == 0)
			continue;
		if (r < 0)
			return err_sys(err, r, "drop capability %u from the bounding set", cap);
	}
	return 0;
}

static int set_ids(const struct launch_plan *plan, struct crun_error *err)
{
	const struct plan_process *p = &plan->process;
	bool may_be_denied = plan_ns_is_own(plan, NS_USER) || plan->facts.in_userns;
	int r;

	if (!p->keep_groups && p->set_groups) {
		r = sys_setgroups(p->groups_len, p->groups);
		/*
		 * A user namespace may deny setgroups for good; then there must be nothing to set. Elsewhere the caller's groups
		 * would stay with the payload.
		 */
		if (r < 0 && !(r == -EPERM && may_be_denied && p->groups_len == 0)) {
			err_sys(err, r, "setgroups");
			return err_at(err, "/process/user/additionalGids");
		}
	}
	r = sys_setresgid(p->gid);
	if (r < 0) {
		err_sys(err, r, "setresgid %u", p->gid);
		return err_at(err, "/process/user/gid");
	}
	r = sys_setresuid(p->uid);
	if (r < 0) {
		err_sys(err, r, "setresuid %u", p->uid);
		return err_at(err, "/process/user/uid");
	}
	/* A change of ids clears it (prctl(2)); until READY we die with the runtime. */
	(void)sys_prctl(PR_SET_PDEATHSIG, SIGKILL, 0);
	return 0;
}

/*
 * A filter without no_new_privs needs CAP_SYS_ADMIN (seccomp(2)), and is loaded last. It stays until execve, which computes the
 * payload's sets from the bounding, inheritable and ambient ones alone (capabilities(7)).
 */
static uint64_t needed_for_seccomp(const struct launch_plan *plan)
{
	return plan->sync_filter && !plan->process.no_new_privs ? CAP_BIT(CAP_SYS_ADMIN) : 0;
}

static int set_caps(const struct launch_plan *plan, struct crun_error *err)
{
	const struct plan_caps *want = &plan->process.caps;
	struct sys_caps now, caps = {
				     .effective = want->effective,
				     .permitted = want->permitted,
				     .inheritable = want->inheritable,
			     };
	uint64_t extra = needed_for_seccomp(plan), missing;
	int r = sys_capget(&now);

	if (r < 0)
		return err_sys(err, r, "capget");
	missing = caps.permitted & ~now.permitted;
	if (missing) {
		/* config.md: what cannot be granted is a warning. */
		log_warning("capabilities %#llx cannot be granted: we do not have them ourselves",
			    (unsigned long long)missing);
		caps.permitted &= now.permitted;
		caps.effective &= now.permitted;
		caps.inheritable &= now.permitted;
	}
	caps.permitted |= extra & now.permitted;
	caps.effective |= extra & now.permitted;
	r = sys_capset(&caps);
	if (r < 0) {
		err_sys(err, r, "capset");
		return err_at(err, "/process/capabilities");
	}
	if (sys_ambient_clear() < 0)
		return 0; /* before 4.3 there is nothing to clear */
	for (unsigned cap = 0; cap <= plan->facts.last_cap; cap++) {
		if (!(want->ambient & CAP_BIT(cap)))
			continue;
		r = sys_ambient_raise((int)cap);
		/* EPERM: not both permitted and inheritable, so it cannot be granted. */
		if (r == -EPERM)
			log_warning(
				"ambient capability %u cannot be granted: it must be permitted and inheritable",
				cap);
		else if (r < 0)
			return err_sys(err, r, "raise ambient capability %u", cap);
	}
	return 0;
}

/* The caller's securebits would decide what root means in the container, and locked ones could not be undone there. */
static int reset_securebits(struct crun_error *err)
{
	int r = sys_prctl(PR_GET_SECUREBITS, 0, 0);

	if (r > 0)
		r = sys_prctl(PR_SET_SECUREBITS, 0, 0);
	if (r < 0)
		return err_sys(err, r, "reset the securebits that the caller has set");
	return 0;
}

int phase_credentials(struct inside *in, struct crun_error *err)
{
	const struct launch_plan *plan = in->plan;
	int r = drop_bounding(plan, err);

	if (r < 0)
		return r;
	r = reset_securebits(err);
	if (r < 0)
		return r;
	/* Root that stays root keeps its capabilities anyway (capabilities(7)). */
	if (plan->process.uid != 0)
		r = sys_prctl(PR_SET_KEEPCAPS, 1, 0);
	if (r < 0)
		return err_sys(err, r, "prctl PR_SET_KEEPCAPS");
	r = set_ids(plan, err);
	if (r < 0)
		return r;
	if (plan->process.uid != 0)
		r = sys_prctl(PR_SET_KEEPCAPS, 0, 0);
	if (r < 0)
		return err_sys(err, r, "prctl PR_SET_KEEPCAPS");
	r = set_caps(plan, err);
	if (r < 0)
		return r;
	/* With the sysctl fs.suid_dumpable a change of ids may have opened us to ptrace again. */
	r = sys_prctl(PR_SET_DUMPABLE, 0, 0);
	if (r < 0)
		return err_sys(err, r, "prctl PR_SET_DUMPABLE");
	if (plan->process.no_new_privs) {
		r = sys_set_no_new_privs();
		if (r < 0)
			return err_sys(err, r, "prctl PR_SET_NO_NEW_PRIVS");
	}
	return 0;
}
