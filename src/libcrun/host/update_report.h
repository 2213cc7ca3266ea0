/* SPDX-License-Identifier: Apache-2.0 */
/* The report of an update, for people or programs. */
#pragma once

#include "cgroup/update_report.h"
#include "libcrun.h"

/* Writes the report of the update of container ID to OUT, as a table or as JSON. */
int update_report_write(const struct update_report *report, const char *id,
			enum libcrun_update_format format, FILE *out,
			struct crun_error *err) CRUN_NODISCARD;
