// SPDX-License-Identifier: Apache-2.0
// crun validate: every fault of a configuration at once, found by the checks that create uses.
#include "host/validate.h"

#include "base/cleanup.h"
#include "base/printable.h"
#include "base/str.h"
#include "host/checks.h"
#include "host/config_file.h"
#include "host/config_text.h"
#include "host/facts.h"
#include "spec/rules.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* More than a person reads: of the others only the number is told. */
#define SHOWN_MAX 256
/* An end for what cannot be repaired. */
#define FINDINGS_MAX 2048

struct finding {
	bool warning;
	char *pointer, *text; /* into the configuration as it was read */
	unsigned line, column;
};

struct validation {
	struct oci_arena arena;
	struct config_file file;
	struct config_text text; /* that of the file, with ever fewer faults */
	struct finding *list;
	size_t len, errors;
	bool as_root; /* that the user lacks privileges was found already: what else is wrong? */
};

static char *keep(struct validation *v, const char *text)
{
	char *copy = oci_arena_strndup(&v->arena, text, strlen(text));

	return copy ? copy : "";
}

static void place(struct finding *f, unsigned line, unsigned column)
{
	f->line = line;
	f->column = column;
}

/* The place of the value, or of what is around it. */
static void locate(struct validation *v, struct finding *f)
{
	char at[CONFIG_TEXT_POINTER];
	char *slash;

	snprintf(at, sizeof(at), "%s", f->pointer);
	while (oci_locate(v->file.text.data, v->file.text.len, at, &f->line, &f->column) < 0) {
		slash = strrchr(at, '/');
		if (!slash) {
			place(f, 1, 1);
			return;
		}
		*slash = '\0';
	}
}

/* What follows from an earlier finding: the same value, or the lack of what was taken out; or the same said of a neighbour. */
static bool is_known(const struct validation *v, const char *pointer, const char *text)
{
	const char *slash = strrchr(pointer, '/');
	size_t parent = slash ? (size_t)(slash - pointer) : 0;

	for (size_t i = 0; i < v->len; i++) {
		const struct finding *f = &v->list[i];
		const char *rest = pointer[0] ? str_after(f->pointer, pointer) : NULL;

		if (rest && (*rest == '\0' || *rest == '/') && !f->warning)
			return true;
		/* What was taken out with all that is in it, or has a default value now. */
		rest = f->pointer[0] && !f->warning ? str_after(pointer, f->pointer) : NULL;
		if (rest && *rest == '/')
			return true;
		if (str_eq(f->text, text) && str_eq(f->pointer, pointer))
			return true;
		if (str_eq(f->text, text) && parent && strncmp(f->pointer, pointer, parent) == 0 &&
		    strrchr(f->pointer, '/') == f->pointer + parent)
			return true;
	}
	return false;
}

/* Where the next finding goes; NULL: nowhere any more. Warnings must not crowd out an error, or the configuration would seem to be in order. */
static struct finding *make_room(struct validation *v, bool warning)
{
	if (v->len < FINDINGS_MAX)
		return &v->list[v->len++];
	for (size_t i = v->len; !warning && i-- > 0;) {
		if (v->list[i].warning)
			return &v->list[i];
	}
	return NULL;
}

static void add(void *data, bool warning, const char *at, const char *text)
{
	struct validation *v = data;
	char pointer[CONFIG_TEXT_POINTER], line[sizeof(((struct crun_error *)0)->text)];
	struct finding *f;

	config_text_original(&v->text, at, pointer);
	/* It quotes the configuration, and goes to a terminal. */
	snprintf(line, sizeof(line), "%s", text);
	make_printable(line);
	f = is_known(v, pointer, line) ? NULL : make_room(v, warning);
	if (!f)
		return;
	*f = (struct finding){.warning = warning};
	f->pointer = keep(v, pointer);
	f->text = keep(v, line);
	locate(v, f);
	v->errors += !warning;
}

/* Messages of the checks that name their place at the beginning: "/process/capabilities/bounding/3: ...". */
static void take_warning(void *data, enum crun_log_level level, const char *text)
{
	const char *colon = strstr(text, ": ");
	char at[CONFIG_TEXT_POINTER] = "";

	if (level != LOG_LEVEL_WARNING)
		return;
	if (text[0] == '/' && colon && (size_t)(colon - text) < sizeof(at)) {
		memcpy(at, text, (size_t)(colon - text));
		text = colon + 2;
	}
	add(data, true, at, text);
}

/* "config.json:12:15: /process/args: expected ..." without what the finding says itself. */
static const char *without_place(const struct oci_parse_error *why, const char *name)
{
	char prefix[CONFIG_TEXT_POINTER + 64];
	const char *text = why->text, *rest;

	snprintf(prefix, sizeof(prefix), ":%u:%u: ", why->line, why->column);
	rest = str_after(text, name);
	rest = rest ? str_after(rest, why->line ? prefix : ": ") : NULL;
	text = rest ? rest : text;
	rest = why->pointer[0] ? str_after(text, why->pointer) : NULL;
	rest = rest ? str_after(rest, ": ") : NULL;
	return rest ? rest : text;
}

/* No key is "~2" in a pointer: not to be found means that nothing in the text is wrong, but its end may be missing. */
static bool is_json(const struct config_text *t)
{
	unsigned line, column;

	return config_text_is_whole(t) &&
	       oci_locate(t->text.data, t->text.len, "/~2", &line, &column) == -ENOENT;
}

/* The checks of a document that could be parsed. Returns 0, or -errno with the pointer to repair in err->at. */
static int check_config(struct validation *v, const struct oci_config *config,
			const struct plan_options *options, struct oci_arena *arena,
			struct crun_error *err)
{
	struct launch_plan *plan;
	struct host_facts facts;
	int r;

	r = facts_gather(config, &facts, err);
	if (r >= 0) {
		facts.privileged = facts.privileged || v->as_root;
		r = config_check(config, &facts, options, arena, &plan, err);
	}
	if (r < 0)
		add(v, false, err->at, err->text);
	else
		host_check(plan, add, v);
	return r;
}

/* One run of all checks over the present text. Returns true when something was changed and all is to be checked again. */
static bool check_once(struct validation *v, const struct plan_options *options)
{
	struct oci_arena arena = {0};
	struct oci_config *config;
	struct oci_parse_error why;
	struct crun_error err = {0};
	bool again = false;

	if (oci_config_parse("config.json", v->text.text.data, v->text.text.len, &arena, &config,
			     &why) < 0) {
		add(v, false, why.pointer, without_place(&why, "config.json"));
		/* Of the document itself, only the version can be lacking. */
		if (is_json(&v->text))
			again = config_text_repair(&v->text,
						   why.pointer[0] ? why.pointer : "/ociVersion");
		else if (v->len == 1 && why.line)
			place(&v->list[0], why.line, why.column);
	} else if (check_config(v, config, options, &arena, &err) < 0) {
		again = err.at[0] ? config_text_repair(&v->text, err.at)
				  : err.kind == KIND_PERMISSION && !v->as_root;
		v->as_root = v->as_root || err.kind == KIND_PERMISSION;
	}
	oci_arena_free(&arena);
	return again;
}

static void check_all(struct validation *v, const struct plan_options *options)
{
	enum crun_log_level max;
	log_sink sink;
	void *data;

	log_get_sink(&sink, &data, &max);
	/* A warning is repeated by every run: is_known() lets it pass once. */
	log_set_sink(take_warning, v, LOG_LEVEL_WARNING);
	for (size_t i = 0; i < 2 * FINDINGS_MAX && check_once(v, options); i++)
		;
	log_set_sink(sink, data, max);
}

static int by_place(const void *a, const void *b)
{
	const struct finding *x = a, *y = b;

	if (x->line != y->line)
		return x->line < y->line ? -1 : 1;
	return x->column < y->column ? -1 : x->column > y->column;
}

/* Where not all are shown, errors are. */
static int errors_first(const void *a, const void *b)
{
	const struct finding *x = a, *y = b;

	return x->warning != y->warning ? x->warning - y->warning : by_place(a, b);
}

static size_t shown(const struct validation *v)
{
	return v->len < SHOWN_MAX ? v->len : SHOWN_MAX;
}

static void write_text(const struct validation *v, FILE *out)
{
	for (size_t i = 0; i < shown(v); i++) {
		const struct finding *f = &v->list[i];
		const struct rule *rule = rule_find(f->pointer);

		fprintf(out, "%s:%u:%u: %s: %s%s%s\n", v->file.path, f->line, f->column,
			f->warning ? "warning" : "error", f->pointer, f->pointer[0] ? ": " : "",
			f->text);
		fprintf(out, "    rule: %s\n    fix: %s\n", rule->section, rule->fix);
	}
	if (v->len > shown(v))
		fprintf(out, "%s%zu more findings are not shown\n",
			v->len == FINDINGS_MAX ? "at least " : "", v->len - shown(v));
	fprintf(out, "%zu errors, %zu warnings\n", v->errors, v->len - v->errors);
}

static int write_json(const struct validation *v, FILE *out, struct crun_error *err)
{
	struct oci_json json = {.pretty = true};
	int r;

	oci_json_begin_object(&json);
	oci_json_member_string(&json, "config", v->file.path);
	oci_json_member_bool(&json, "valid", v->errors == 0);
	oci_json_member_int(&json, "errors", (int64_t)v->errors);
	oci_json_member_int(&json, "warnings", (int64_t)(v->len - v->errors));
	oci_json_member_int(&json, "notShown", (int64_t)(v->len - shown(v)));
	oci_json_key(&json, "findings");
	oci_json_begin_array(&json);
	for (size_t i = 0; i < shown(v); i++) {
		const struct finding *f = &v->list[i];
		const struct rule *rule = rule_find(f->pointer);

		oci_json_begin_object(&json);
		oci_json_member_string(&json, "level", f->warning ? "warning" : "error");
		oci_json_member_int(&json, "line", f->line);
		oci_json_member_int(&json, "column", f->column);
		oci_json_member_string(&json, "pointer", f->pointer);
		oci_json_member_string(&json, "message", f->text);
		oci_json_member_string(&json, "rule", rule->section);
		oci_json_member_string(&json, "fix", rule->fix);
		oci_json_end_object(&json);
	}
	oci_json_end_array(&json);
	oci_json_end_object(&json);
	r = oci_json_finish(&json);
	if (r >= 0)
		fwrite(json.data, 1, json.len, out);
	oci_json_free(&json);
	return r < 0 ? err_sys_code(err, CODE_OUTPUT, r, "write the findings") : 0;
}

static int validate(struct validation *v, const struct libcrun_create_options *opts,
		    struct crun_error *err)
{
	struct plan_options options = {
		.id = "validate",
		.seccomp_receiver = getenv(SECCOMP_RECEIVER_ENV),
		.gate = true,
		.detach = true,
	};
	int r = config_file_read(&v->file, opts, &v->arena, err);

	/* What is no configuration has findings; what cannot be read has none. */
	if (r < 0 && !(v->file.text.data && err->kind == KIND_SPEC))
		return r;
	options.bundle = v->file.bundle;
	v->list = oci_arena_alloc(&v->arena, FINDINGS_MAX * sizeof(*v->list));
	r = config_text_init(&v->text, v->file.text.data, v->file.text.len);
	if (r < 0 || !v->list)
		return err_sys(err, -ENOMEM, "check the configuration");
	check_all(v, &options);
	qsort(v->list, v->len, sizeof(*v->list), v->len > SHOWN_MAX ? errors_first : by_place);
	/* Not before: places are looked for by the names as they are. */
	for (size_t i = 0; i < v->len; i++)
		make_printable(v->list[i].pointer);
	return 0;
}

int validate_each(const struct libcrun_create_options *opts, validate_finding_fn found, void *data,
		  struct crun_error *err)
{
	struct validation v = {0};
	int r = validate(&v, opts, err);

	for (size_t i = 0; r >= 0 && i < v.len; i++)
		found(data, v.list[i].warning, v.list[i].pointer, v.list[i].text,
		      rule_find(v.list[i].pointer)->fix);
	config_text_done(&v.text);
	oci_arena_free(&v.arena);
	return r;
}

int libcrun_validate(const struct libcrun_context *ctx, const struct libcrun_create_options *opts,
		     enum libcrun_validate_format format, FILE *out, unsigned *ret_errors,
		     struct crun_error *err)
{
	struct validation v = {0};
	int r = validate(&v, opts, err);

	(void)ctx; /* where states are kept, and what makes cgroups, is no matter of the configuration */
	if (r >= 0 && format == LIBCRUN_VALIDATE_JSON)
		r = write_json(&v, out, err);
	else if (r >= 0)
		write_text(&v, out);
	*ret_errors = (unsigned)v.errors;
	config_text_done(&v.text);
	oci_arena_free(&v.arena);
	return r;
}
