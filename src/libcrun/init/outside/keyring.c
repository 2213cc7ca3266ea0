// SPDX-License-Identifier: Apache-2.0
// A session keyring of the container's own, so that the keys of the host and of other containers are out of reach.
#include "init/outside/phase.h"

#include "base/log.h"
#include "sys/keyring.h"

#include <errno.h>

int phase_keyring(struct outside *o, struct crun_error *err)
{
	/*
	 * Without a name, which makes a new one for sure: a named one is joined when it exists, and another container of the same
	 * user may have made it, with permissions for everybody (keyctl_join_session_keyring(3)).
	 */
	int32_t r = sys_keyring_join(NULL);

	(void)o;
	if (r >= 0)
		return 0;
	/* Without CONFIG_KEYS, or where an outer container's filter forbids the call, there is nothing to protect or to be done. */
	if (r == -ENOSYS || r == -EPERM) {
		log_debug("no session keyring: keyctl is not available");
		return 0;
	}
	if (r == -EDQUOT)
		return err_set(
			err, KIND_SYSTEM, EDQUOT,
			"no room for a session keyring: this user has too many keys. Raise the sysctl "
			"kernel.keys.maxkeys, or go without by --no-new-keyring: Disk quota exceeded");
	return err_sys(err, r, "join a new session keyring");
}
