// SPDX-License-Identifier: Apache-2.0
// The phase `masks`: the two objects that all masked paths are covered with.
#include "init/outside/phase.h"

#include "fs/cover.h"
#include "sys/mount.h"

/*
 * One empty directory for all masked directories: an instance for each of them makes the teardown of a large host with many
 * containers crawl. 0555 and read-only as a whole: nothing can ever appear in it.
 */
static int make_mask(struct outside *o, struct crun_error *err)
{
	int r = mount_stage_new_simple(&o->stage, "tmpfs", "tmpfs",
				       MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV |
					       MOUNT_ATTR_NOEXEC,
				       "mode=0555,size=4k,ro");

	return r < 0 ? err_sys(err, r, "make the empty directory for masked paths") : r;
}

/* What waits on a stage goes with the host's files: then all is covered now, and `seal` makes sure that it still is. */
static int cover_now(struct outside *o, struct crun_error *err)
{
	struct covers covers = {.dir_fd = o->mask_fd, .file_fd = o->mask_null_fd};

	for (size_t i = 0; i < o->plan->masked_paths_len; i++) {
		const char *path = o->plan->masked_paths[i];

		if (cover_path(&o->stage, &covers, o->root_fd, path, err) >= 0)
			continue;
		err_in(err, "masked path `%s`", path);
		return err_at(err, "/linux/maskedPaths/%zu", i);
	}
	return 0;
}

int phase_masks(struct outside *o, struct crun_error *err)
{
	o->mask_fd = make_mask(o, err);
	if (o->mask_fd < 0)
		return o->mask_fd;
	/*
	 * The host's, as long as that is "/": the container's own /dev/null may be anything (CVE-2025-31133). Not before: a mount can
	 * be cloned in its own mount namespace only, and with a user namespace ours is made late.
	 */
	o->null_fd = outside_open_null(err);
	if (o->null_fd < 0)
		return o->null_fd;
	o->mask_null_fd = mount_stage_clone(&o->stage, o->null_fd, false);
	if (o->mask_null_fd < 0)
		return err_sys(err, o->mask_null_fd, "clone /dev/null for masked paths");
	return mount_stage_is_open(&o->stage) ? cover_now(o, err) : 0;
}
