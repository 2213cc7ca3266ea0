// SPDX-License-Identifier: Apache-2.0
// linux.intelRdt: the rules of config-linux.md ("IntelRdt") that need no look at the machine.
#include "plan/internal.h"

#include "base/str.h"

#include <errno.h>
#include <string.h>

/* Directories of resctrl itself; taken for a class they would be filled or removed. */
static bool is_reserved(const char *name)
{
	return str_eq(name, "info") || str_eq(name, "mon_groups") || str_eq(name, "mon_data");
}

static int check_schemata(const struct oci_linux_intel_rdt *rdt, struct crun_error *err)
{
	for (size_t i = 0; i < rdt->schemata_len; i++) {
		const char *line = rdt->schemata[i];

		if (line[0] != '\0' && !strchr(line, '\n'))
			continue;
		err_set(err, KIND_SPEC, EINVAL, "each of intelRdt.schemata must be one line");
		return err_at(err, "/linux/intelRdt/schemata/%zu", i);
	}
	return 0;
}

int plan_check_intel_rdt(const struct launch_plan *plan, struct crun_error *err)
{
	const struct oci_linux_intel_rdt *rdt = plan->linux_->intel_rdt;

	if (!rdt)
		return 0;
	if (rdt->clos_id) {
		const char *id = rdt->clos_id;

		/* "/" is the default class. */
		if (!str_eq(id, "/") && (!str_is_filename(id) || strlen(id) > 255 ||
					 strchr(id, '\n') || is_reserved(id))) {
			err_set(err, KIND_SPEC, EINVAL,
				"intelRdt.closID `%.64s` is not a name that a class of service can have",
				id);
			return err_at(err, "/linux/intelRdt/closID");
		}
	} else if (is_reserved(plan->id)) {
		err_set(err, KIND_SPEC, EINVAL,
			"the container's id `%s` cannot name a class of service: give intelRdt.closID",
			plan->id);
		return err_at(err, "/linux/intelRdt");
	}
	return check_schemata(rdt, err);
}
