// SPDX-License-Identifier: Apache-2.0
// The phase `masks`: the two objects that all masked paths are covered with.
#include "init/outside/phase.h"

#include "base/cleanup.h"
#include "sys/file.h"
#include "sys/mount.h"

/*
 * One empty directory for all masked directories: an instance for each of them makes the teardown of a large host with many
 * containers crawl. 0555 and read-only as a whole: nothing can ever appear in it.
 */
static int make_mask(struct crun_error *err)
{
	_cleanup_close_ int fs = FD_NONE;
	int r;

	fs = sys_fsopen("tmpfs");
	if (fs < 0)
		return err_sys(err, fs, "fsopen tmpfs for masked paths");
	r = sys_fsconfig_string(fs, "mode", "0555");
	if (r >= 0)
		r = sys_fsconfig_string(fs, "size", "4k");
	if (r >= 0)
		r = sys_fsconfig_flag(fs, "ro");
	if (r >= 0)
		r = sys_fsconfig_create(fs);
	if (r >= 0)
		r = sys_fsmount(fs, MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV |
					    MOUNT_ATTR_NOEXEC);
	if (r < 0)
		return err_sys(err, r, "make the empty directory for masked paths");
	return r;
}

int phase_masks(struct outside *o, struct crun_error *err)
{
	o->mask_fd = make_mask(err);
	if (o->mask_fd < 0)
		return o->mask_fd;
	/*
	 * The host's, as long as that is "/": the container's own /dev/null may be anything (CVE-2025-31133). Not before: a mount can
	 * be cloned in its own mount namespace only, and with a user namespace ours is made late.
	 */
	o->null_fd = outside_open_null(err);
	if (o->null_fd < 0)
		return o->null_fd;
	o->mask_null_fd = sys_open_tree(o->null_fd, "", OPEN_TREE_CLONE | AT_EMPTY_PATH);
	if (o->mask_null_fd < 0)
		return err_sys(err, o->mask_null_fd, "clone /dev/null for masked paths");
	return 0;
}
