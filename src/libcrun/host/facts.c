// SPDX-License-Identifier: Apache-2.0
// What is true of this host, found out once per command with as few calls as will do.
#include "host/facts.h"

#include "base/str.h"
#include "sys/cred.h"
#include "sys/file.h"
#include "sys/io.h"

#include <errno.h>
#include <linux/capability.h>
#include <sys/resource.h>
#include <sys/vfs.h>
#include <unistd.h>

/* include/linux/proc_ns.h: PROC_USER_INIT_INO, part of the kernel's ABI. */
#define INITIAL_USER_NS_INODE 0xEFFFFFFDU

#define CGROUP_ROOT	      "/sys/fs/cgroup"

#define NEWEST_KNOWN_CAP      40 /* CAP_CHECKPOINT_RESTORE, 5.9 */

static int find_last_cap(unsigned *ret, struct crun_error *err)
{
	char text[16];
	uint64_t value;
	int r;

	/* Two cheap calls tell for every kernel from 5.9 to today; only others need the file. */
	if (sys_capbset_read(NEWEST_KNOWN_CAP) >= 0 && sys_capbset_read(NEWEST_KNOWN_CAP + 1) < 0) {
		*ret = NEWEST_KNOWN_CAP;
		return 0;
	}
	r = io_read_file_at(AT_FDCWD, "/proc/sys/kernel/cap_last_cap", text, sizeof(text));
	if (r >= 0)
		r = str_to_u64(text, 63, &value);
	if (r < 0)
		return err_sys(err, r, "read /proc/sys/kernel/cap_last_cap");
	*ret = (unsigned)value;
	return 0;
}

/* Only what is not there is "none": a look that failed must not make a container without limits. */
static int find_cgroup_layout(enum cgroup_layout *ret, struct crun_error *err)
{
	struct statfs fs;
	int r = sys_statfs(CGROUP_ROOT, &fs);

	*ret = CGROUP_NONE;
	if (r == -ENOENT || r == -ENOTDIR || r == -EACCES)
		return 0; /* the mount table may know another place */
	if (r < 0)
		return err_sys_code(err, CODE_CGROUP_MOUNT, r, "statfs " CGROUP_ROOT);
	if (fs.f_type == CGROUP2_SUPER_MAGIC_)
		*ret = CGROUP_V2;
	if (fs.f_type != TMPFS_MAGIC_)
		return 0;
	*ret = CGROUP_V1;
	r = sys_statfs(CGROUP_ROOT "/unified", &fs);
	if (r == -ENOENT || r == -ENOTDIR || r == -EACCES)
		return 0;
	if (r < 0)
		return err_sys_code(err, CODE_CGROUP_MOUNT, r, "statfs " CGROUP_ROOT "/unified");
	if (fs.f_type == CGROUP2_SUPER_MAGIC_)
		*ret = CGROUP_HYBRID;
	return 0;
}

/* A label is refused where its module is not enabled: a look that failed is another error, and must not be taken for that. */
static int apparmor_is_enabled(bool *ret, struct crun_error *err)
{
	char text[8] = "";
	int r = io_read_file_at(AT_FDCWD, "/sys/module/apparmor/parameters/enabled", text,
				sizeof(text));

	*ret = text[0] == 'Y';
	if (r >= 0 || r == -ENOENT || r == -ENOTDIR)
		return 0;
	return err_sys(err, r, "read /sys/module/apparmor/parameters/enabled");
}

static int selinux_is_enabled(bool *ret, struct crun_error *err)
{
	int r = access("/sys/fs/selinux/enforce", F_OK) < 0 ? -errno : 0;

	*ret = r == 0;
	if (r == 0 || r == -ENOENT || r == -ENOTDIR)
		return 0;
	return err_sys(err, r, "look for /sys/fs/selinux/enforce");
}

int facts_gather(const struct oci_config *config, struct host_facts *ret, struct crun_error *err)
{
	struct sys_caps caps;
	struct rlimit limit;
	struct stat st;
	int r;

	*ret = (struct host_facts){.euid = geteuid(), .egid = getegid()};
	r = sys_capget(&caps);
	if (r < 0)
		return err_sys(err, r, "capget");
	ret->privileged = caps.effective & (UINT64_C(1) << CAP_SYS_ADMIN);
	if (stat("/proc/self/ns/user", &st) < 0)
		return err_sys_code(err, CODE_PROC_MISSING, -errno,
				    "stat /proc/self/ns/user: is /proc mounted?");
	ret->in_userns = st.st_ino != INITIAL_USER_NS_INODE;
	r = find_last_cap(&ret->last_cap, err);
	if (r < 0)
		return r;
	if (config->process && config->process->apparmor_profile)
		r = apparmor_is_enabled(&ret->apparmor, err);
	if (r >= 0 && ((config->process && config->process->selinux_label) ||
		       (config->linux && config->linux->mount_label)))
		r = selinux_is_enabled(&ret->selinux, err);
	if (r < 0)
		return r;
	if (getrlimit(RLIMIT_NOFILE, &limit) == 0)
		ret->nofile = limit.rlim_cur;
	return find_cgroup_layout(&ret->cgroup_layout, err);
}
