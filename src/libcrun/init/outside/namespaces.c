// SPDX-License-Identifier: Apache-2.0
// The namespaces that init enters or makes itself, after its birth.
#include "init/outside/phase.h"

#include "base/cleanup.h"
#include "sys/file.h"
#include "sys/io.h"
#include "sys/process.h"

#include <errno.h>
#include <stdio.h>
#include <sys/prctl.h>

int phase_join(struct outside *o, struct crun_error *err)
{
	for (int i = 0; i < NS_COUNT; i++) {
		int r;

		if (!(o->birth->join_after & (1U << i)))
			continue;
		r = sys_setns(o->ns_fds[i], ns_table[i].flag);
		if (r < 0)
			return err_sys(err, r, "join the %s namespace `%s`", ns_table[i].spec_name,
				       o->plan->ns[i].path ? o->plan->ns[i].path
							   : "of the container");
	}
	return 0;
}

int phase_unshare(struct outside *o, struct crun_error *err)
{
	int r = 0;

	if (o->birth->unshare_flags)
		r = sys_unshare(o->birth->unshare_flags);
	if (r == -ENOSPC)
		return err_set(err, CODE_NAMESPACE_LIMIT, ENOSPC,
			       "no more namespaces: raise the sysctls user.max_*_namespaces");
	if (r < 0)
		return err_sys(err, r, "unshare the container's namespaces");
	return 0;
}

static int write_offsets(const struct outside *o, struct crun_error *err)
{
	const struct oci_linux_time_offset_map *map = o->plan->linux_->time_offsets;

	for (size_t i = 0; map && i < map->len; i++) {
		char line[96];
		int r;

		snprintf(line, sizeof(line), "%s %lld %u", map->items[i].key,
			 (long long)map->items[i].value.secs, map->items[i].value.nanosecs);
		r = io_write_file_at(o->proc_fd, "self/timens_offsets", line);
		if (r < 0) {
			err_sys(err, r, "set time offset `%s`", line);
			return err_at(err, "/linux/timeOffsets/%s", map->items[i].key);
		}
	}
	return 0;
}

int phase_timens(struct outside *o, struct crun_error *err)
{
	int fd, r = sys_unshare(CLONE_NEWTIME);

	if (r < 0)
		return err_sys(err, r, "unshare the time namespace");
	/*
	 * The offsets file of a process that is closed to ptrace belongs to the host's root: open up while we write it, but not where
	 * somebody else's processes could use the moment.
	 */
	if (o->plan->ns[NS_USER].action != NS_JOIN && o->plan->ns[NS_PID].action != NS_JOIN)
		(void)sys_prctl(PR_SET_DUMPABLE, 1, 0);
	r = write_offsets(o, err);
	(void)sys_prctl(PR_SET_DUMPABLE, 0, 0);
	if (r < 0)
		return r;
	/* time_namespaces(7): unshare puts only children in; entering it ourselves saves a fork. */
	fd = sys_openat(o->proc_fd, "self/ns/time_for_children", O_RDONLY, 0);
	if (fd < 0)
		return err_sys(err, fd, "open our time namespace");
	r = sys_setns(fd, CLONE_NEWTIME);
	close_fd(&fd);
	if (r < 0)
		return err_sys(err, r, "enter the time namespace");
	return 0;
}
