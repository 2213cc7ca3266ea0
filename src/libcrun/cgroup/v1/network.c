// SPDX-License-Identifier: Apache-2.0
// cgroup v1: the net_cls and net_prio controllers.
#include "cgroup/controllers.h"

#include "base/str.h"

#include <errno.h>
#include <stdio.h>

int cg_v1_net_cls(const struct cg_dir *dir, const struct oci_linux_resources *res,
		  struct crun_error *err)
{
	if (!res->network->class_id)
		return 0;
	return cg_write_u64(dir, "net_cls.classid", res->network->class_id, "network/classID", err);
}

int cg_v1_net_prio(const struct cg_dir *dir, const struct oci_linux_resources *res,
		   struct crun_error *err)
{
	for (size_t i = 0; i < res->network->priorities_len; i++) {
		const struct oci_linux_interface_priority *p = &res->network->priorities[i];
		_cleanup_free_ char *line = str_printf("%s %u", p->name, p->priority);
		char at[64];
		int r;

		snprintf(at, sizeof(at), "network/priorities/%zu", i);
		if (!line)
			return err_sys(err, -ENOMEM, "priority of interface `%s`", p->name);
		r = cg_write(dir, "net_prio.ifpriomap", line, at, err);
		if (r < 0)
			return r;
	}
	return 0;
}
