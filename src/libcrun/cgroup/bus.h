/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Talking to a systemd manager, over a connection that is opened when a container uses the systemd driver and at no other time. Every
 * call ends by the deadline that the connection was opened with. Open it after the fork of init or close it before: nothing of it
 * may reach the container.
 */
#pragma once

#include "base/error.h"
#include "sys/deadline.h"

#include <stdbool.h>
#include <sys/types.h>

/* What a command without --timeout allows systemd for one job. A busy manager takes seconds, more than this only one that hangs. */
#define CG_BUS_MS 30000

struct cg_bus;
struct cg_props;

/*
 * Connects to the manager that is ours: the system's for root, the user's for everybody else and for root of a user namespace. Its
 * private socket is tried first: it has no broker in between, which is one process less to wait for, and is there where no D-Bus daemon
 * is installed or it is not up yet; systemctl does the same. The error names what was tried, and why each failed. No environment but
 * XDG_RUNTIME_DIR is looked at. cg_bus_close it.
 */
int cg_bus_open(const struct deadline *deadline, struct cg_bus **ret,
		struct crun_error *err) CRUN_NODISCARD;
void cg_bus_close(struct cg_bus *bus);

static inline void cleanup_bus_(struct cg_bus **bus)
{
	cg_bus_close(*bus);
}
#define _cleanup_bus_ __attribute__((cleanup(cleanup_bus_)))

/* A user's manager, not the system's. */
bool cg_bus_is_user(const struct cg_bus *bus);

/* The manager's own cgroup, below which its units are: "/user.slice/...", or "" for the root. malloc'd. */
int cg_bus_root(struct cg_bus *bus, char **ret, struct crun_error *err) CRUN_NODISCARD;

/* A loaded unit. */
struct cg_unit {
	char *description;
	char *active; /* "active", "failed", "inactive", "deactivating", ... */
};
void cg_unit_done(struct cg_unit *unit);

/* 1 and *ret, 0 when no unit of that name is loaded, or -errno. */
int cg_bus_get_unit(struct cg_bus *bus, const char *name, struct cg_unit *ret,
		    struct crun_error *err) CRUN_NODISCARD;

/*
 * Starts the scope NAME and waits until it is up. Properties that systemd does not know and that are optional are left out, and removed
 * from PROPS. KIND_EXISTS: there is a unit of that name. *ret_began is set as soon as the scope may exist, whatever comes then.
 */
int cg_bus_start_scope(struct cg_bus *bus, const char *name, struct cg_props *props,
		       bool *ret_began, struct crun_error *err) CRUN_NODISCARD;

/* Stops a unit and waits until it is down. One that is not loaded is fine. */
int cg_bus_stop_unit(struct cg_bus *bus, const char *name, struct crun_error *err) CRUN_NODISCARD;

/* Has systemd forget that a unit failed. One that is not loaded is fine. */
int cg_bus_reset_failed(struct cg_bus *bus, const char *name,
			struct crun_error *err) CRUN_NODISCARD;

/*
 * Adds to RET the present values of those properties of the unit NAME that PROPS has and RET has not. What this systemd does not know, or
 * says in another way than it is told, is left out.
 */
int cg_bus_get_properties(struct cg_bus *bus, const char *name, const struct cg_props *props,
			  struct cg_props *ret, struct crun_error *err) CRUN_NODISCARD;

/* Changes properties of a running unit, until it stops. Unknown optional ones are left out. */
int cg_bus_set_properties(struct cg_bus *bus, const char *name, struct cg_props *props,
			  struct crun_error *err) CRUN_NODISCARD;
