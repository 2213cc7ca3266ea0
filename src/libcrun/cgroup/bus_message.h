/* SPDX-License-Identifier: Apache-2.0 */
/* Properties of units as D-Bus values: org.freedesktop.systemd1(5). */
#pragma once

#include "cgroup/bus_wire.h"
#include "cgroup/systemd_value.h"

/*
 * Reads the variant that comes next in R as the value of a property of P's type, and adds it to RET. 1, 0 when it is of another type, or a
 * negative errno.
 */
int bus_read_prop(struct bus_reader *r, const struct cg_prop *p, struct cg_props *ret);

/* Appends "a(sv)". */
void bus_append_props(struct bus_writer *w, const struct cg_props *props);
