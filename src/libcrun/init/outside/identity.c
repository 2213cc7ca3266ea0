// SPDX-License-Identifier: Apache-2.0
// Init's first steps: it waits until its ids are mapped, gets a session of its own and becomes the container's root.
#include "init/outside/phase.h"

#include "sync/ladder.h"
#include "sys/cred.h"
#include "sys/process.h"

#include <errno.h>
#include <sys/prctl.h>

int phase_go(struct outside *o, struct crun_error *err)
{
	return channel_expect(o->channel, MSG_GO, NULL, NULL, err);
}

int phase_session(struct outside *o, struct crun_error *err)
{
	int r = sys_setsid();

	(void)o;
	/* EPERM: we are a session leader already, as the first process of a new pid namespace may be. */
	if (r < 0 && r != -EPERM)
		return err_sys(err, r, "setsid");
	return 0;
}

/*
 * Id 0, or the first that a map without it has: nothing can be made on a file system that does not know who makes it (EOVERFLOW).
 * All capabilities are ours anyway until execve. EINVAL: the ids of a joined user namespace are not known to us.
 */
static int become(int (*set)(uid_t id), const struct oci_id_mapping *map, size_t len)
{
	int r = set(0);

	return r == -EINVAL && len ? set(map[0].container_id) : r;
}

int phase_identity(struct outside *o, struct crun_error *err)
{
	int r;

	if (plan_ns_is_own(o->plan, NS_USER)) {
		/* The caller's groups mean nothing in here; where setgroups is denied they are all that there is. */
		r = o->plan->process.keep_groups ? 0 : sys_setgroups(0, NULL);
		if (r < 0 && r != -EPERM)
			return err_sys(err, r, "setgroups");
		r = become(sys_setresgid, o->plan->gid_map, o->plan->gid_map_len);
		if (r < 0 && r != -EINVAL)
			return err_sys(err, r, "setresgid 0");
		r = become(sys_setresuid, o->plan->uid_map, o->plan->uid_map_len);
		if (r < 0 && r != -EINVAL)
			return err_sys(err, r, "setresuid 0");
		/* A change of ids clears it (prctl(2)). */
		(void)sys_prctl(PR_SET_PDEATHSIG, SIGKILL, 0);
	}
	/* From here to the payload's execve nobody in a shared pid or user namespace may ptrace us or look at our fds (CVE-2016-9962). */
	r = sys_prctl(PR_SET_DUMPABLE, 0, 0);
	if (r < 0)
		return err_sys(err, r, "prctl PR_SET_DUMPABLE");
	return 0;
}
