// SPDX-License-Identifier: Apache-2.0
// How the findings of crun doctor are written: for people, 80 columns wide, and as JSON.
#include "host/doctor/doctor.h"

#include "base/cleanup.h"
#include "base/printable.h"
#include "base/str.h"

#include <libocispec/runtime/json.h>

#include <string.h>

#define COLUMNS	   80
#define INDENT	   10 /* of what follows "  found:  " and its like */
#define ID_COLUMNS 26 /* of the table of what is in order */
#define COMMAND	   "    "

static const char *const status_names[] = {
	[DOCTOR_PROBLEM] = "problem",
	[DOCTOR_WARNING] = "warning",
	[DOCTOR_NOTE] = "note",
	[DOCTOR_OK] = "ok",
};

/* Whatever came from files of the host, or from a bundle, goes to a terminal: no control characters. */
static void put(const char *text, size_t len, FILE *out)
{
	for (size_t i = 0; i < len; i++) {
		size_t n = control_length(text + i);

		fputc(n ? '?' : text[i], out);
		i += n > 1 ? n - 1 : 0;
	}
}

/* One paragraph of LEN bytes, whose first line begins at column AT, broken at blanks. */
static void write_wrapped(const char *text, size_t len, size_t at, size_t indent, FILE *out)
{
	size_t column = at, word;

	for (const char *end = text + len; text < end; text += word) {
		const char *blank = memchr(text, ' ', (size_t)(end - text));

		word = blank ? (size_t)(blank - text) : (size_t)(end - text);
		if (column > indent && column + 1 + word > COLUMNS) {
			fprintf(out, "\n%*s", (int)indent, "");
			column = indent;
		} else if (column > indent) {
			fputc(' ', out);
			column++;
		}
		put(text, word, out);
		column += word;
		word += blank ? 1 : 0;
	}
	fputc('\n', out);
}

/* Evidence is one paragraph: a name with newlines in it must not look like something that we say. */
static void write_evidence(const char *label, const char *text, FILE *out)
{
	fprintf(out, "  %-*s", INDENT - 2, label);
	write_wrapped(text, strlen(text), INDENT, INDENT, out);
}

/* Sentences are wrapped, commands are shown as they are, so that they can be copied. */
static void write_lines(const char *label, const char *text, FILE *out)
{
	fprintf(out, "  %-*s", INDENT - 2, label);
	for (bool first = true; *text || first; first = false) {
		size_t len = strcspn(text, "\n");

		if (!first)
			fprintf(out, "%*s", INDENT, "");
		if (str_after(text, COMMAND)) {
			put(text, len, out);
			fputc('\n', out);
		} else {
			write_wrapped(text, len, INDENT, INDENT, out);
		}
		text += len + (text[len] == '\n');
	}
}

static void write_finding(const struct doctor_finding *f, FILE *out)
{
	fprintf(out, "%s: %s\n", status_names[f->status], f->id);
	write_evidence("found:", f->found, out);
	write_lines("means:", f->consequence, out);
	write_lines("fix:", f->fix, out);
	fputc('\n', out);
}

static void write_ok(const struct doctor_finding *f, FILE *out)
{
	size_t len = strlen(f->id);

	fprintf(out, "  ok  %-*s", ID_COLUMNS, f->id);
	if (len >= ID_COLUMNS)
		fprintf(out, "\n%*s", ID_COLUMNS + 6, "");
	write_wrapped(f->found, strlen(f->found), ID_COLUMNS + 6, ID_COLUMNS + 6, out);
}

void doctor_write_text(const struct doctor *d, FILE *out)
{
	static const char *const plurals[] = {"problems", "warnings", "notes", "ok"};
	size_t counts[DOCTOR_OK + 1] = {0};

	for (unsigned s = 0; s <= DOCTOR_OK; s++) {
		for (size_t i = 0; i < d->len; i++) {
			if (d->list[i].status != s)
				continue;
			counts[s]++;
			if (s == DOCTOR_OK)
				write_ok(&d->list[i], out);
			else
				write_finding(&d->list[i], out);
		}
	}
	fputc('\n', out);
	for (unsigned s = 0; s <= DOCTOR_OK; s++)
		fprintf(out, "%s%zu %s", s ? ", " : "", counts[s],
			counts[s] == 1 ? status_names[s] : plurals[s]);
	fputc('\n', out);
}

int doctor_write_json(const struct doctor *d, FILE *out, struct crun_error *err)
{
	struct oci_json json = {.pretty = true};
	int r;

	oci_json_begin_array(&json);
	for (size_t i = 0; i < d->len; i++) {
		const struct doctor_finding *f = &d->list[i];

		oci_json_begin_object(&json);
		oci_json_member_string(&json, "id", f->id);
		oci_json_member_string(&json, "area", f->area);
		oci_json_member_string(&json, "status", status_names[f->status]);
		oci_json_member_string(&json, "found", f->found);
		oci_json_member_string(&json, "consequence", f->consequence);
		oci_json_member_string(&json, "fix", f->fix);
		oci_json_end_object(&json);
	}
	oci_json_end_array(&json);
	r = oci_json_finish(&json);
	if (r >= 0)
		fwrite(json.data, 1, json.len, out);
	oci_json_free(&json);
	return r < 0 ? err_sys(err, r, "write the findings") : 0;
}
