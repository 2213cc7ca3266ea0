// SPDX-License-Identifier: Apache-2.0
// Identity and power of the calling thread: see cred.h.
#include "sys/cred.h"

#include "sys/ret.h"

#include <linux/capability.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

/* The raw calls, not libc's: glibc's setresuid signals every thread, which a forked child has no use for. */
int sys_setresuid(uid_t uid)
{
	return SYS_RET((int)syscall(SYS_setresuid, uid, uid, uid));
}

int sys_setresgid(gid_t gid)
{
	return SYS_RET((int)syscall(SYS_setresgid, gid, gid, gid));
}

int sys_setgroups(size_t n, const gid_t *gids)
{
	return SYS_RET((int)syscall(SYS_setgroups, n, gids));
}

int sys_capset(const struct sys_caps *caps)
{
	struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct data[2] = {
		{(uint32_t)caps->effective, (uint32_t)caps->permitted, (uint32_t)caps->inheritable},
		{(uint32_t)(caps->effective >> 32), (uint32_t)(caps->permitted >> 32),
		 (uint32_t)(caps->inheritable >> 32)},
	};

	return SYS_RET((int)syscall(SYS_capset, &header, data));
}

int sys_capget(struct sys_caps *caps)
{
	struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct data[2];
	int r = SYS_RET((int)syscall(SYS_capget, &header, data));

	if (r < 0)
		return r;
	caps->effective = data[0].effective | (uint64_t)data[1].effective << 32;
	caps->permitted = data[0].permitted | (uint64_t)data[1].permitted << 32;
	caps->inheritable = data[0].inheritable | (uint64_t)data[1].inheritable << 32;
	return 0;
}

int sys_capbset_drop(int cap)
{
	return SYS_RET(prctl(PR_CAPBSET_DROP, cap, 0, 0, 0));
}

int sys_capbset_read(int cap)
{
	return SYS_RET(prctl(PR_CAPBSET_READ, cap, 0, 0, 0));
}

int sys_ambient_raise(int cap)
{
	return SYS_RET(prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, cap, 0, 0));
}

int sys_ambient_clear(void)
{
	return SYS_RET(prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0));
}

int sys_set_no_new_privs(void)
{
	return SYS_RET(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0));
}
