// SPDX-License-Identifier: Apache-2.0
// The calls to a systemd manager: units, jobs, properties. See bus.h.
#include "cgroup/bus.h"

#include "base/log.h"
#include "base/cleanup.h"
#include "base/str.h"
#include "cgroup/bus_internal.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SYSTEMD	   "org.freedesktop.systemd1"
#define OBJECT	   "/org/freedesktop/systemd1"
#define MANAGER	   SYSTEMD ".Manager"
#define UNIT	   SYSTEMD ".Unit"
#define PROPERTIES "org.freedesktop.DBus.Properties"

struct call {
	struct cg_bus *bus;
	bool done;
};

static int on_reply(struct sd_bus_message *m, void *data, struct bus_error *error)
{
	struct call *call = data;

	(void)error;
	call->bus->reply = call->bus->sd.message_ref(m);
	call->done = true;
	return 0;
}

static int no_message(struct cg_bus *bus, int r, const char *what, struct crun_error *err)
{
	bus->broken = true;
	return err_sys_code(err, CODE_SYSTEMD_REFUSED, r, "systemd: %s: D-Bus message", what);
}

/* Sends M, which is released. Returns 0 with the answer in bus->reply, which may be an error. */
static int send_and_wait(struct cg_bus *bus, struct sd_bus_message *m, const char *what,
			 struct crun_error *err)
{
	struct call call = {.bus = bus};
	int r;

	if (bus->reply)
		bus->reply = bus->sd.message_unref(bus->reply);
	/* The call's own timeout is none: bus_run has one. A connection on which it ran out is not used any more. */
	r = bus->sd.call_async(bus->bus, NULL, m, on_reply, &call, UINT64_MAX);
	bus->sd.message_unref(m);
	if (r < 0)
		return no_message(bus, r, what, err);
	return bus_run(bus, &call.done, what, err);
}

static const struct bus_error *error_of(struct cg_bus *bus)
{
	return bus->sd.get_error(bus->reply);
}

static bool is_error(const struct bus_error *e, const char *name)
{
	return e && e->name && str_eq(e->name, name);
}

/* WHAT failed as E says. */
static int describe_refusal(const struct bus_error *e, const char *what, struct crun_error *err)
{
	const char *text = e->message ? e->message : e->name;

	if (is_error(e, SYSTEMD ".UnitExists"))
		return err_set(err, KIND_EXISTS, EEXIST, "systemd: %s: %s", what, text);
	if (is_error(e, SYSTEMD ".NoSuchUnit"))
		return err_set(err, KIND_NOT_FOUND, ENOENT, "systemd: %s: %s", what, text);
	if (is_error(e, "org.freedesktop.DBus.Error.AccessDenied") ||
	    is_error(e, "org.freedesktop.DBus.Error.InteractiveAuthorizationRequired"))
		return err_set(err, KIND_PERMISSION, EPERM, "systemd: %s: %s", what, text);
	return err_set(err, CODE_SYSTEMD_REFUSED, EIO, "systemd: %s: %s (%s)", what, text, e->name);
}

static int refused(const struct bus_error *e, const char *what, struct crun_error *err)
{
	describe_refusal(e, what, err);
	return err_code(err, CODE_SYSTEMD_REFUSED);
}

static int new_call(struct cg_bus *bus, const char *object, const char *interface,
		    const char *member, struct sd_bus_message **ret, struct crun_error *err)
{
	int r = bus->broken ? -ENOTCONN
			    : bus->sd.new_method_call(bus->bus, ret, SYSTEMD, object, interface,
						      member);

	return r < 0 ? no_message(bus, r, member, err) : 0;
}

/* Appends strings up to NULL and sends. */
static int call_strings(struct cg_bus *bus, const char *object, const char *interface,
			const char *member, const char *const *strings, struct crun_error *err)
{
	struct sd_bus_message *m = NULL;
	int r = new_call(bus, object, interface, member, &m, err);

	if (r < 0)
		return r;
	for (; r >= 0 && *strings; strings++)
		r = bus->sd.append_basic(m, 's', *strings);
	if (r >= 0)
		return send_and_wait(bus, m, member, err);
	bus->sd.message_unref(m);
	return no_message(bus, r, member, err);
}

/* Reads a string of the answer and copies it. */
static int read_string(struct cg_bus *bus, char type, const char *what, char **ret,
		       struct crun_error *err)
{
	const char *text;
	int r = bus->sd.read_basic(bus->reply, type, &text);

	if (r <= 0)
		return no_message(bus, r < 0 ? r : -EBADMSG, what, err);
	*ret = strdup(text);
	return *ret ? 0 : err_sys(err, -ENOMEM, "systemd: %s", what);
}

static int get_property(struct cg_bus *bus, const char *object, const char *interface,
			const char *property, char **ret, struct crun_error *err)
{
	int r = call_strings(bus, object, PROPERTIES, "Get",
			     (const char *const[]){interface, property, NULL}, err);

	if (r < 0)
		return r;
	if (error_of(bus))
		return refused(error_of(bus), property, err);
	r = bus->sd.enter_container(bus->reply, 'v', "s");
	if (r <= 0)
		return no_message(bus, r < 0 ? r : -EBADMSG, property, err);
	return read_string(bus, 's', property, ret, err);
}

int cg_bus_root(struct cg_bus *bus, char **ret, struct crun_error *err)
{
	return get_property(bus, OBJECT, MANAGER, "ControlGroup", ret, err);
}

void cg_unit_done(struct cg_unit *unit)
{
	free(unit->description);
	free(unit->active);
	*unit = (struct cg_unit){0};
}

int cg_bus_get_unit(struct cg_bus *bus, const char *name, struct cg_unit *ret,
		    struct crun_error *err)
{
	_cleanup_free_ char *object = NULL;
	struct cg_unit unit = {0};
	int r = call_strings(bus, OBJECT, MANAGER, "GetUnit", (const char *const[]){name, NULL},
			     err);

	if (r < 0)
		return r;
	if (is_error(error_of(bus), SYSTEMD ".NoSuchUnit"))
		return 0;
	if (error_of(bus))
		return refused(error_of(bus), "GetUnit", err);
	r = read_string(bus, 'o', "GetUnit", &object, err);
	if (r >= 0)
		r = get_property(bus, object, UNIT, "Description", &unit.description, err);
	if (r >= 0)
		r = get_property(bus, object, UNIT, "ActiveState", &unit.active, err);
	if (r < 0) {
		cg_unit_done(&unit);
		return r;
	}
	*ret = unit;
	return 1;
}

/* ---- jobs ---- */

/* JobRemoved(u id, o job, s unit, s result). */
static int on_job_removed(struct sd_bus_message *m, void *data, struct bus_error *error)
{
	struct cg_bus *bus = data;
	const char *path, *unit, *result;
	struct bus_job *job;
	uint32_t id;

	(void)error;
	if (bus->sd.read_basic(m, 'u', &id) <= 0 || bus->sd.read_basic(m, 'o', &path) <= 0 ||
	    bus->sd.read_basic(m, 's', &unit) <= 0 || bus->sd.read_basic(m, 's', &result) <= 0)
		return 0;
	if (!bus->unit || !str_eq(unit, bus->unit))
		return 0;
	/* Of many, the latest matter. */
	job = &bus->jobs[bus->jobs_len++ % BUS_JOBS];
	free(job->path);
	free(job->result);
	*job = (struct bus_job){strdup(path), strdup(result)};
	bus->job_removed = true;
	return 0;
}

/* Before the call that makes the job. The manager's messages come in order, so the match is there in time without waiting for it. */
static int watch_jobs(struct cg_bus *bus, const char *unit, struct crun_error *err)
{
	int r;

	if (!bus->watching) {
		/* Without a broker messages have no sender. */
		r = bus->sd.match_signal_async(bus->bus, NULL, bus->broker ? SYSTEMD : NULL, OBJECT,
					       MANAGER, "JobRemoved", on_job_removed, NULL, bus);
		if (r < 0)
			return no_message(bus, r, "JobRemoved", err);
		bus->watching = true;
	}
	bus->unit = unit;
	return 0;
}

static const char *job_result(const struct cg_bus *bus, const char *path)
{
	for (size_t i = 0; i < BUS_JOBS; i++) {
		if (bus->jobs[i].path && bus->jobs[i].result && path &&
		    str_eq(bus->jobs[i].path, path))
			return bus->jobs[i].result;
	}
	return NULL;
}

/* The answer is a job: waits for its end. */
static int wait_for_job(struct cg_bus *bus, const char *what, const char *unit,
			struct crun_error *err)
{
	_cleanup_free_ char *path = NULL, *doing = str_printf("%s of `%s`", what, unit);
	const char *result = NULL;
	int r = doing ? read_string(bus, 'o', what, &path, err)
		      : err_sys(err, -ENOMEM, "systemd: %s of `%s`", what, unit);

	while (r >= 0 && !(result = job_result(bus, path))) {
		bus->job_removed = false;
		r = bus_run(bus, &bus->job_removed, doing, err);
	}
	if (r < 0)
		return r;
	if (str_eq(result, "done"))
		return 0;
	return err_set(err, CODE_SYSTEMD_REFUSED, EIO,
		       "systemd: %s of `%s`: the job ended with the result `%s`; "
		       "`systemctl%s status %s` may say more",
		       what, unit, result, bus->user ? " --user" : "", unit);
}

/* ---- what changes units ---- */

/* Whether TEXT has NAME as a whole word. */
static bool has_word(const char *text, const char *name)
{
	static const char letters[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
	size_t n = strlen(name);

	for (const char *p = text; (p = strstr(p, name)); p += n) {
		if ((p == text || !strchr(letters, p[-1])) && (!p[n] || !strchr(letters, p[n])))
			return true;
	}
	return false;
}

/* systemd names the property that it does not know or like: is it one of those that can be left out? Removes it. */
static bool leave_out(struct cg_props *props, const struct bus_error *e)
{
	for (size_t i = 0; e->message && i < props->len; i++) {
		struct cg_prop *p = &props->items[i];

		if (!p->optional || p->configured || !has_word(e->message, p->name))
			continue;
		log_debug("systemd: %s: going on without the property", e->message);
		cg_prop_remove(props, i);
		return true;
	}
	return false;
}

/*
 * The error points to the annotation that systemd's answer is about. About a value of the wrong type it says no more than "Unexpected message
 * contents": then all that come from annotations are named.
 */
static int blame(const struct cg_props *props, struct crun_error *err)
{
	char names[400] = "";
	size_t len = 0;

	for (size_t i = 0; i < props->len; i++) {
		const struct cg_prop *p = &props->items[i];

		if (!p->configured)
			continue;
		if (has_word(err->text, p->name))
			return err_at(err, "/annotations/org.systemd.property.%s", p->name);
		if (len < sizeof(names))
			len += (size_t)snprintf(names + len, sizeof(names) - len, "%s%s",
						len ? ", " : "", p->name);
	}
	if (!len || err->kind != KIND_SYSTEM)
		return -err->errnum;
	err_in(err, "annotations org.systemd.property.* (%s): is one of another type?", names);
	return err_at(err, "/annotations");
}

/* StartTransientUnit(s name, s mode, a(sv) properties, a(sa(sv)) others); mode "fail": a job under way is not ours to replace. */
static int append_start(struct cg_bus *bus, struct sd_bus_message *m, const char *name,
			const struct cg_props *props)
{
	const struct sd_library *sd = &bus->sd;
	int r = sd->append_basic(m, 's', name);

	if (r >= 0)
		r = sd->append_basic(m, 's', "fail");
	if (r >= 0)
		r = bus_append_props(sd, m, props);
	if (r >= 0)
		r = sd->open_container(m, 'a', "(sa(sv))");
	return r < 0 ? r : sd->close_container(m);
}

/* SetUnitProperties(s name, b runtime, a(sv) properties); runtime: gone with the unit, as the scope itself. */
static int append_set(struct cg_bus *bus, struct sd_bus_message *m, const char *name,
		      const struct cg_props *props)
{
	const int runtime = 1;
	int r = bus->sd.append_basic(m, 's', name);

	if (r >= 0)
		r = bus->sd.append_basic(m, 'b', &runtime);
	return r < 0 ? r : bus_append_props(&bus->sd, m, props);
}

/* Calls until systemd has no more to say against optional properties. Returns 0 with an answer that is no error, or -errno. */
static int call_with_props(struct cg_bus *bus, const char *member,
			   int (*append)(struct cg_bus *, struct sd_bus_message *, const char *,
					 const struct cg_props *),
			   const char *name, struct cg_props *props, struct crun_error *err)
{
	for (;;) {
		struct sd_bus_message *m;
		int r = new_call(bus, OBJECT, MANAGER, member, &m, err);

		if (r < 0)
			return r;
		r = append(bus, m, name, props);
		if (r < 0) {
			bus->sd.message_unref(m);
			return no_message(bus, r, member, err);
		}
		r = send_and_wait(bus, m, member, err);
		if (r < 0 || !error_of(bus))
			return r;
		if (leave_out(props, error_of(bus)))
			continue;
		refused(error_of(bus), member, err);
		return blame(props, err);
	}
}

int cg_bus_start_scope(struct cg_bus *bus, const char *name, struct cg_props *props,
		       bool *ret_began, struct crun_error *err)
{
	int r = watch_jobs(bus, name, err);

	if (r < 0)
		return r;
	r = call_with_props(bus, "StartTransientUnit", append_start, name, props, err);
	/* An answer says that nothing was begun; without one it may have been. */
	*ret_began = r >= 0 || bus->broken;
	return r < 0 ? r : wait_for_job(bus, "start", name, err);
}

int cg_bus_stop_unit(struct cg_bus *bus, const char *name, struct crun_error *err)
{
	int r = watch_jobs(bus, name, err);

	if (r >= 0)
		r = call_strings(bus, OBJECT, MANAGER, "StopUnit",
				 (const char *const[]){name, "replace", NULL}, err);
	if (r < 0)
		return r;
	if (is_error(error_of(bus), SYSTEMD ".NoSuchUnit"))
		return 0;
	if (error_of(bus))
		return refused(error_of(bus), "StopUnit", err);
	return wait_for_job(bus, "stop", name, err);
}

int cg_bus_reset_failed(struct cg_bus *bus, const char *name, struct crun_error *err)
{
	int r = call_strings(bus, OBJECT, MANAGER, "ResetFailedUnit",
			     (const char *const[]){name, NULL}, err);

	if (r < 0)
		return r;
	if (!error_of(bus) || is_error(error_of(bus), SYSTEMD ".NoSuchUnit"))
		return 0;
	return refused(error_of(bus), "ResetFailedUnit", err);
}

int cg_bus_set_properties(struct cg_bus *bus, const char *name, struct cg_props *props,
			  struct crun_error *err)
{
	return call_with_props(bus, "SetUnitProperties", append_set, name, props, err);
}

/* The property P of the unit OBJECT. */
static int get_value(struct cg_bus *bus, const char *object, const struct cg_prop *p,
		     struct cg_props *ret, struct crun_error *err)
{
	static const char *const kinds[] = {SYSTEMD ".Scope", SYSTEMD ".Unit"};
	int r = 0;

	for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
		r = call_strings(bus, object, PROPERTIES, "Get",
				 (const char *const[]){kinds[i], p->name, NULL}, err);
		if (r < 0)
			return r;
		if (!error_of(bus))
			break;
		log_debug("systemd: %s of `%s`: %s", p->name, object, error_of(bus)->name);
	}
	if (error_of(bus))
		return 0;
	r = bus_read_prop(&bus->sd, bus->reply, p, ret);
	return r < 0 ? no_message(bus, r, p->name, err) : 0;
}

int cg_bus_get_properties(struct cg_bus *bus, const char *name, const struct cg_props *props,
			  struct cg_props *ret, struct crun_error *err)
{
	_cleanup_free_ char *object = NULL;
	int r = call_strings(bus, OBJECT, MANAGER, "GetUnit", (const char *const[]){name, NULL},
			     err);

	if (r < 0)
		return r;
	if (error_of(bus))
		return refused(error_of(bus), "GetUnit", err);
	r = read_string(bus, 'o', "GetUnit", &object, err);
	for (size_t i = 0; r >= 0 && i < props->len; i++) {
		if (!cg_prop_find(ret, props->items[i].name))
			r = get_value(bus, object, &props->items[i], ret, err);
	}
	return r;
}
