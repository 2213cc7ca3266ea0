// SPDX-License-Identifier: Apache-2.0
// Session keyrings: see keyring.h.
#include "sys/keyring.h"

#include "sys/ret.h"

#include <linux/keyctl.h>
#include <sys/syscall.h>
#include <unistd.h>

int32_t sys_keyring_join(const char *name)
{
	return SYS_RET((int)syscall(SYS_keyctl, KEYCTL_JOIN_SESSION_KEYRING, name, 0, 0, 0));
}

int32_t sys_keyring_session(void)
{
	return SYS_RET(
		(int)syscall(SYS_keyctl, KEYCTL_GET_KEYRING_ID, KEY_SPEC_SESSION_KEYRING, 0, 0, 0));
}
