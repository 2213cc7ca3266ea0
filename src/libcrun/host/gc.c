// SPDX-License-Identifier: Apache-2.0
// crun gc: finds and removes what killed commands left. A container that merely stopped is its engine's to delete, and left alone.
#include "host/verbs.h"

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/str.h"
#include "base/str_list.h"
#include "cgroup/cgroup.h"

#include <errno.h>

/* For one that a dying process still holds the lock of; who holds it for longer is at work. */
#define GC_LOCK_MS 2000

enum reason {
	NOT_GARBAGE,
	NO_RECORD, /* killed before its intent was written, or at the very end of a deletion */
	CREATION,
	RUN,
	DELETION,
	DAMAGED,
	ELSEWHERE,
};

static const struct {
	const char *name, *text;
} reasons[] = {
	[NO_RECORD] = {"no-record", "a command was killed before it made anything of it, or after "
				    "it had removed everything else"},
	[CREATION] = {"creation", "its creation was cut off"},
	[RUN] = {"run", "the `crun run` that made it was killed"},
	[DELETION] = {"deletion", "its deletion was cut off"},
	[DAMAGED] = {"damaged", "its state cannot be read"},
	[ELSEWHERE] = {"elsewhere",
		       "it cannot be told from here whether it is alive: it was made in another "
		       "pid namespace, or by an older crun"},
};

struct sweep {
	const struct libcrun_context *ctx;
	const struct libcrun_gc_options *opts;
	struct deadline deadline;
	struct buf text;
	struct oci_json json;
	unsigned failures;
	struct crun_error *err;
};

/* What is left of one container. */
struct finding {
	const char *id;
	enum reason reason;
	char **things;
	size_t things_len;
	const char *action;
	struct crun_error why; /* of what is left alone; or no text */
};

static void finding_done(struct finding *f)
{
	for (size_t i = 0; i < f->things_len; i++)
		free(f->things[i]);
	free(f->things);
}

/* Processes are numbered by pid namespaces: in another one even a living container looks dead. */
static bool is_from_elsewhere(const struct oci_record *rec)
{
	uint64_t ours;

	return !rec->has_pid_namespace || container_pid_namespace(&ours) < 0 ||
	       rec->pid_namespace != ours;
}

/* `run` has an end of its own, which removes the container unless it was told to leave it behind. */
static bool is_left_by_run(const struct container *c)
{
	const struct oci_record *rec = c->record;
	bool stays = rec->detached || rec->keep;

	if (rec->phase != OCI_RECORD_PHASE_RUNNING || container_maker_lives(c))
		return false;
	return !stays || !state_is_marked(&c->dir, STATE_MARK_BEGAN);
}

/* Of a container whose record can be read. */
static enum reason judge(const struct container *c)
{
	enum reason reason = NOT_GARBAGE;

	if (c->cut_off)
		reason = CREATION;
	else if (c->status != LIBCRUN_STOPPED)
		return NOT_GARBAGE;
	else if (state_is_marked(&c->dir, STATE_MARK_DELETING))
		reason = DELETION;
	else if (is_left_by_run(c))
		reason = RUN;
	return reason != NOT_GARBAGE && is_from_elsewhere(c->record) ? ELSEWHERE : reason;
}

static int add_thing(struct finding *f, const char *what, const char *name)
{
	struct buf b = {0};
	int r;

	buf_printf(&b, "%s%s%s", what, name[0] ? " " : "", name);
	r = b.failed ? -ENOMEM : str_list_push(&f->things, &f->things_len, b.data);
	buf_done(&b);
	return r;
}

static int add_cgroup(struct finding *f, const struct oci_record *rec)
{
	struct cgroup *cg = NULL;
	int r = 0;

	if (cgroup_open(rec, &cg, ERR_IGNORED) < 0)
		return 0;
	if (cgroup_exists(cg) && rec->systemd_scope)
		r = add_thing(f, "scope", rec->systemd_scope);
	else if (cgroup_exists(cg) && rec->cgroup_path && rec->cgroup_created_len)
		r = add_thing(f, "cgroup", rec->cgroup_path);
	cgroup_free(cg);
	return r;
}

/* What the record says that there may be, and what of that can be seen. */
static int list_things(struct finding *f, const struct container *c)
{
	const struct oci_record *rec = c->record;
	char number[16];
	int r = 0;

	if (c->pidfd >= 0) {
		snprintf(number, sizeof(number), "%d", (int)rec->pid);
		r = add_thing(f, "process", number);
	}
	if (r == 0 && rec)
		r = add_cgroup(f, rec);
	if (r == 0 && rec && rec->intel_rdt_group)
		r = add_thing(f, "resctrl group", rec->intel_rdt_group);
	for (size_t i = 0; r == 0 && rec && i < rec->net_devices_len; i++)
		r = add_thing(f, "network interface", rec->net_devices[i].name);
	return r == 0 ? add_thing(f, "state directory", "") : r;
}

/* Looks again under the lock, for the container may have become another one, or be gone. */
static int remove_locked(struct container *c, struct finding *f, struct crun_error *err)
{
	struct deadline soon = deadline_within(&c->deadline, GC_LOCK_MS);
	int r = state_lock(&c->dir, &soon, err);

	if (r < 0)
		return r;
	r = container_load(c, err);
	if (r == -ENODATA && f->reason == NO_RECORD)
		return state_remove(&c->dir, err);
	if (r < 0)
		return r;
	/* With the lock in hand a creation under way is none. */
	f->reason = judge(c);
	if (f->reason == NOT_GARBAGE || f->reason == ELSEWHERE)
		return 0;
	return container_remove(c, err);
}

/* Its runtime is gone, so nobody will ever tell init to go on; dead, it holds no copy of the lock. */
static int end_init(struct container *c, struct crun_error *err)
{
	return c->cut_off && c->pidfd >= 0 ? container_end(c, err) : 0;
}

static void clean(struct sweep *s, struct container *c, struct finding *f)
{
	int r;

	if (f->reason == DAMAGED || f->reason == ELSEWHERE) {
		f->action = "left";
		s->failures += f->reason == DAMAGED;
		return;
	}
	if (s->opts->dry_run) {
		f->action = "would remove";
		return;
	}
	c->deadline = s->deadline;
	r = end_init(c, &f->why);
	if (r == 0)
		r = remove_locked(c, f, &f->why);
	f->action = r < 0 || f->reason == ELSEWHERE ? "left" : "removed";
	if (r == 0)
		f->why = (struct crun_error){0};
	else if (f->why.kind == KIND_NOT_FOUND)
		f->reason = NOT_GARBAGE; /* somebody else was quicker */
	else
		s->failures++;
}

static void tell_text(struct sweep *s, const struct finding *f)
{
	buf_printf(&s->text, "%s %s: %s", f->action, f->id, reasons[f->reason].text);
	for (size_t i = 0; i < f->things_len; i++)
		buf_printf(&s->text, "%s%s", i == 0 ? " (" : ", ", f->things[i]);
	buf_puts(&s->text, f->things_len ? ")" : "");
	if (f->why.text[0])
		buf_printf(&s->text, ": %s", f->why.text);
	buf_puts(&s->text, "\n");
}

static void tell_json(struct sweep *s, const struct finding *f)
{
	oci_json_begin_object(&s->json);
	oci_json_member_string(&s->json, "id", f->id);
	oci_json_member_string(&s->json, "reason", reasons[f->reason].name);
	oci_json_member_bool(&s->json, "removed", str_eq(f->action, "removed"));
	oci_json_key(&s->json, "found");
	oci_json_begin_array(&s->json);
	for (size_t i = 0; i < f->things_len; i++)
		oci_json_string(&s->json, f->things[i]);
	oci_json_end_array(&s->json);
	oci_json_member_string(&s->json, "error", f->why.text[0] ? f->why.text : NULL);
	oci_json_end_object(&s->json);
}

static int sweep_one(const char *id, void *data)
{
	_cleanup_container_ struct container c = CONTAINER_EMPTY;
	_cleanup_(finding_done) struct finding f = {.id = id};
	struct sweep *s = data;
	int r = container_open(s->ctx, id, &c, &f.why);

	/* A record that is missing while somebody holds the lock is not found either. */
	if (r < 0 && f.why.kind == KIND_NOT_FOUND)
		return 0;
	if (r == 0)
		f.reason = judge(&c);
	else
		f.reason = r == -ENODATA ? NO_RECORD : DAMAGED;
	if (f.reason == NOT_GARBAGE)
		return 0;
	if (f.reason != DAMAGED)
		f.why = (struct crun_error){0};
	/* Before it is gone. */
	if (list_things(&f, &c) < 0)
		return err_sys(s->err, -ENOMEM, "look for leftovers");
	clean(s, &c, &f);
	if (f.reason == NOT_GARBAGE)
		return 0;
	if (s->opts->format == LIBCRUN_GC_JSON)
		tell_json(s, &f);
	else
		tell_text(s, &f);
	return 0;
}

int libcrun_gc(const struct libcrun_context *ctx, const struct libcrun_gc_options *opts, FILE *out,
	       unsigned *ret_left, struct crun_error *err)
{
	struct sweep s = {
		.ctx = ctx,
		.opts = opts,
		.deadline = command_deadline(ctx),
		.json = {.pretty = true},
		.err = err,
	};
	int r;

	oci_json_begin_array(&s.json);
	r = libcrun_each_id(ctx, sweep_one, &s, err);
	oci_json_end_array(&s.json);
	if (r == 0 && (oci_json_finish(&s.json) < 0 || s.text.failed))
		r = err_sys(err, -ENOMEM, "list what was left");
	if (r == 0 && opts->format == LIBCRUN_GC_JSON)
		r = write_output(out, s.json.data, s.json.len, "the list", err);
	else if (r == 0)
		r = write_output(out, s.text.data, s.text.len, "the list", err);
	*ret_left = s.failures;
	oci_json_free(&s.json);
	buf_done(&s.text);
	return r;
}
