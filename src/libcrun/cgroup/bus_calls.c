// SPDX-License-Identifier: Apache-2.0
// The calls to a systemd manager: units, jobs, properties. See bus.h.
#include "cgroup/bus.h"

#include "base/log.h"
#include "base/cleanup.h"
#include "base/str.h"
#include "cgroup/bus_internal.h"
#include "cgroup/bus_message.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SYSTEMD	      "org.freedesktop.systemd1"
#define OBJECT	      "/org/freedesktop/systemd1"
#define MANAGER	      SYSTEMD ".Manager"
#define UNIT	      SYSTEMD ".Unit"
#define PROPERTIES    "org.freedesktop.DBus.Properties"
#define BROKER	      "org.freedesktop.DBus"
#define BROKER_OBJECT "/org/freedesktop/DBus"

static int bad_message(int r, const char *what, struct crun_error *err)
{
	return err_sys_code(err, CODE_SYSTEMD_REFUSED, r, "systemd: %s: D-Bus message", what);
}

static int no_message(struct cg_bus *bus, int r, const char *what, struct crun_error *err)
{
	bus->broken = true;
	return bad_message(r, what, err);
}

/* Ends and sends W. Returns 0 with the answer in bus->reply, which may be an error. */
static int send_and_wait(struct cg_bus *bus, struct bus_writer *w, const char *what,
			 struct crun_error *err)
{
	int r = bus_write_end(w);

	/* Nothing has been said: the connection is as good as it was. */
	if (r < 0)
		return bad_message(r, what, err);
	bus->reply = (struct bus_message){0};
	bus->answered = false;
	r = bus->broken ? -ENOTCONN : bus_link_send(&bus->link, w, &bus->call);
	if (r < 0)
		return no_message(bus, r, what, err);
	return bus_run(bus, &bus->answered, what, err);
}

/* The answer's error, NULL when it is none. Valid as long as the answer is. */
static const struct bus_error *error_of(struct cg_bus *bus)
{
	struct bus_reader body = bus_body(&bus->reply);

	if (bus->reply.kind != BUS_ERROR)
		return NULL;
	bus->error = (struct bus_error){.name = bus->reply.error};
	/* By convention the first argument, if it is a string, says more: D-Bus Specification, "Error Messages". */
	if (bus_next_type(&body) == 's' && bus_read_text(&body, 's', &bus->error.message) <= 0)
		bus->error.message = NULL;
	return &bus->error;
}

static bool is_error(const struct bus_error *e, const char *name)
{
	return e && str_eq(e->name, name);
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

/* The answer as a failure of ours: 0 when it is no error. */
static int refusal(struct cg_bus *bus, const char *what, struct crun_error *err)
{
	const struct bus_error *e = error_of(bus);

	return e ? refused(e, what, err) : 0;
}

static void begin_call(struct bus_writer *w, const char *object, const char *interface,
		       const char *member, const char *signature)
{
	const struct bus_message head = {
		.kind = BUS_CALL,
		.path = object,
		.interface = interface,
		.member = member,
		.destination = SYSTEMD,
		.signature = signature,
	};

	bus_write_begin(w, &head);
}

/* Calls with the strings up to NULL, at most two. */
static int call_strings(struct cg_bus *bus, const char *object, const char *interface,
			const char *member, const char *const *strings, struct crun_error *err)
{
	_cleanup_bus_writer_ struct bus_writer w = {0};

	begin_call(&w, object, interface, member, strings[1] ? "ss" : "s");
	for (; *strings; strings++)
		bus_write_string(&w, *strings);
	return send_and_wait(bus, &w, member, err);
}

/* Reads a string and copies it. */
static int read_string(struct cg_bus *bus, struct bus_reader *from, char type, const char *what,
		       char **ret, struct crun_error *err)
{
	const char *text;
	int r = bus_read_text(from, type, &text);

	if (r <= 0)
		return no_message(bus, r < 0 ? r : -EBADMSG, what, err);
	*ret = strdup(text);
	return *ret ? 0 : err_sys(err, -ENOMEM, "systemd: %s", what);
}

/* The object path that is the answer. */
static int read_object(struct cg_bus *bus, const char *what, char **ret, struct crun_error *err)
{
	struct bus_reader body = bus_body(&bus->reply);

	return read_string(bus, &body, 'o', what, ret, err);
}

static int get_property(struct cg_bus *bus, const char *object, const char *interface,
			const char *property, char **ret, struct crun_error *err)
{
	struct bus_reader body, value;
	int r = call_strings(bus, object, PROPERTIES, "Get",
			     (const char *const[]){interface, property, NULL}, err);

	if (r < 0)
		return r;
	r = refusal(bus, property, err);
	if (r < 0)
		return r;
	body = bus_body(&bus->reply);
	r = bus_read_enter(&body, "v", &value);
	if (r <= 0)
		return no_message(bus, r < 0 ? r : -EBADMSG, property, err);
	return read_string(bus, &value, 's', property, ret, err);
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
	r = refusal(bus, "GetUnit", err);
	if (r < 0)
		return r;
	r = read_object(bus, "GetUnit", &object, err);
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

/* JobRemoved(u id, o job, s unit, s result). It is sent once: who could not keep it would wait in vain. 0 or -ENOMEM. */
static int on_job_removed(struct cg_bus *bus, const struct bus_message *m)
{
	struct bus_reader body = bus_body(m);
	const char *path, *unit, *result;
	struct bus_job *job;
	uint64_t id;

	if (bus_read_number(&body, 'u', &id) <= 0 || bus_read_text(&body, 'o', &path) <= 0 ||
	    bus_read_text(&body, 's', &unit) <= 0 || bus_read_text(&body, 's', &result) <= 0)
		return 0;
	if (!bus->unit || !str_eq(unit, bus->unit) || (bus->broker && !m->sender))
		return 0;
	/* Of many, the latest matter. */
	job = &bus->jobs[bus->jobs_len++ % BUS_JOBS];
	free(job->path);
	free(job->result);
	free(job->sender);
	job->path = str_dup(path);
	job->result = str_dup(result);
	job->sender = bus->broker ? str_dup(m->sender) : NULL;
	if (!job->path || !job->result || (bus->broker && !job->sender))
		return -ENOMEM;
	bus->job_removed = true;
	return 0;
}

int bus_dispatch(struct cg_bus *bus, const struct bus_message *m)
{
	switch (m->kind) {
	case BUS_CALL:
		return bus_link_refuse(&bus->link, m);
	case BUS_SIGNAL:
		if (str_eq(m->member, "JobRemoved") && str_eq(m->interface, MANAGER) &&
		    str_eq(m->path, OBJECT))
			return on_job_removed(bus, m);
		return 0;
	case BUS_RETURN:
	case BUS_ERROR:
		break;
	default:
		return 0;
	}
	/* What nobody asked for is nobody's. */
	if (m->reply_serial == bus->call) {
		bus->reply = *m;
		bus->call = 0;
		bus->answered = true;
	} else if (m->kind == BUS_ERROR &&
		   (m->reply_serial == bus->hello || m->reply_serial == bus->match)) {
		bus->reply = *m;
		return refusal(bus, "D-Bus", &bus->refusal);
	}
	return 0;
}

/* Calls the broker itself, without waiting for the answer. 0 or a negative errno. */
static int call_broker(struct cg_bus *bus, const char *member, const char *text,
		       uint32_t *ret_serial)
{
	const struct bus_message head = {
		.kind = BUS_CALL,
		.path = BROKER_OBJECT,
		.interface = BROKER,
		.member = member,
		.destination = BROKER,
		.signature = text ? "s" : "",
	};
	_cleanup_bus_writer_ struct bus_writer w = {0};
	int r;

	bus_write_begin(&w, &head);
	if (text)
		bus_write_string(&w, text);
	r = bus_write_end(&w);
	return r < 0 ? r : bus_link_send(&bus->link, &w, ret_serial);
}

int bus_say_hello(struct cg_bus *bus)
{
	return call_broker(bus, "Hello", NULL, &bus->hello);
}

/* Before the call that makes the job. The manager's messages come in order, so the match is there in time without waiting for it. */
static int watch_jobs(struct cg_bus *bus, const char *unit, struct crun_error *err)
{
	int r = 0;

	/* Without a broker everything is sent to us. */
	if (!bus->watching && bus->broker && !bus->broken)
		r = call_broker(bus, "AddMatch",
				"type='signal',sender='" SYSTEMD "',path='" OBJECT
				"',interface='" MANAGER "',member='JobRemoved'",
				&bus->match);
	if (r < 0)
		return no_message(bus, r, "JobRemoved", err);
	bus->watching = true;
	bus->unit = unit;
	return 0;
}

/* SENDER made the job, NULL without a broker: others may send us signals, too. */
static const char *job_result(const struct cg_bus *bus, const char *path, const char *sender)
{
	for (size_t i = 0; i < BUS_JOBS; i++) {
		const struct bus_job *job = &bus->jobs[i];

		if (!path || !job->path || !job->result || !str_eq(job->path, path))
			continue;
		if (!sender || (job->sender && str_eq(job->sender, sender)))
			return job->result;
	}
	return NULL;
}

/* The answer is a job: waits for its end. */
static int wait_for_job(struct cg_bus *bus, const char *what, const char *unit,
			struct crun_error *err)
{
	_cleanup_free_ char *path = NULL, *sender = NULL,
			    *doing = str_printf("%s of `%s`", what, unit);
	const char *result = NULL;
	int r = doing ? read_object(bus, what, &path, err)
		      : err_sys(err, -ENOMEM, "systemd: %s of `%s`", what, unit);

	if (r >= 0 && bus->broker) {
		sender = strdup(bus->reply.sender ? bus->reply.sender : "");
		if (!sender)
			r = err_sys(err, -ENOMEM, "systemd: %s of `%s`", what, unit);
	}
	while (r >= 0 && !(result = job_result(bus, path, sender))) {
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
static void append_start(struct bus_writer *w, const char *name, const struct cg_props *props)
{
	size_t others;

	begin_call(w, OBJECT, MANAGER, "StartTransientUnit", "ssa(sv)a(sa(sv))");
	bus_write_string(w, name);
	bus_write_string(w, "fail");
	bus_append_props(w, props);
	others = bus_write_array(w, '(');
	bus_write_array_end(w, '(', others);
}

/* SetUnitProperties(s name, b runtime, a(sv) properties); runtime: gone with the unit, as the scope itself. */
static void append_set(struct bus_writer *w, const char *name, const struct cg_props *props)
{
	begin_call(w, OBJECT, MANAGER, "SetUnitProperties", "sba(sv)");
	bus_write_string(w, name);
	bus_write_number(w, 'b', 1);
	bus_append_props(w, props);
}

/* Calls until systemd has no more to say against optional properties. Returns 0 with an answer that is no error, or -errno. */
static int call_with_props(struct cg_bus *bus, const char *member,
			   void (*append)(struct bus_writer *, const char *,
					  const struct cg_props *),
			   const char *name, struct cg_props *props, struct crun_error *err)
{
	for (;;) {
		_cleanup_bus_writer_ struct bus_writer w = {0};
		const struct bus_error *e;
		int r;

		append(&w, name, props);
		r = send_and_wait(bus, &w, member, err);
		if (r < 0)
			return r;
		e = error_of(bus);
		if (!e)
			return 0;
		if (leave_out(props, e))
			continue;
		refused(e, member, err);
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
	r = refusal(bus, "StopUnit", err);
	if (r < 0)
		return r;
	return wait_for_job(bus, "stop", name, err);
}

int cg_bus_reset_failed(struct cg_bus *bus, const char *name, struct crun_error *err)
{
	int r = call_strings(bus, OBJECT, MANAGER, "ResetFailedUnit",
			     (const char *const[]){name, NULL}, err);

	if (r < 0)
		return r;
	if (is_error(error_of(bus), SYSTEMD ".NoSuchUnit"))
		return 0;
	return refusal(bus, "ResetFailedUnit", err);
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
	const struct bus_error *e = NULL;
	struct bus_reader body;
	int r = 0;

	for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
		r = call_strings(bus, object, PROPERTIES, "Get",
				 (const char *const[]){kinds[i], p->name, NULL}, err);
		if (r < 0)
			return r;
		e = error_of(bus);
		if (!e)
			break;
		log_debug("systemd: %s of `%s`: %s", p->name, object, e->name);
	}
	if (e)
		return 0;
	body = bus_body(&bus->reply);
	r = bus_read_prop(&body, p, ret);
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
	r = refusal(bus, "GetUnit", err);
	if (r < 0)
		return r;
	r = read_object(bus, "GetUnit", &object, err);
	for (size_t i = 0; r >= 0 && i < props->len; i++) {
		if (!cg_prop_find(ret, props->items[i].name))
			r = get_value(bus, object, &props->items[i], ret, err);
	}
	return r;
}
