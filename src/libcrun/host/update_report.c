// SPDX-License-Identifier: Apache-2.0
// The report of an update: see update_report.h.
#include "host/update_report.h"

#include "base/buf.h"
#include "host/verbs.h"

#include <errno.h>
#include <string.h>

static int write_json(const struct update_report *report, const char *id, FILE *out,
		      struct crun_error *err)
{
	struct oci_json json = {.pretty = true};
	int r;

	oci_json_begin_object(&json);
	oci_json_member_string(&json, "id", id);
	oci_json_key(&json, "keys");
	oci_json_begin_array(&json);
	for (size_t i = 0; i < report->len; i++) {
		const struct update_entry *e = &report->items[i];

		oci_json_begin_object(&json);
		oci_json_member_string(&json, "key", e->key);
		oci_json_member_string(&json, "verdict", update_verdict_name(e->verdict));
		oci_json_member_string(&json, "file", e->file);
		oci_json_member_string(&json, "before", e->before);
		oci_json_member_string(&json, "after", e->after);
		oci_json_member_string(&json, "reason", e->reason);
		oci_json_end_object(&json);
	}
	oci_json_end_array(&json);
	oci_json_end_object(&json);
	r = oci_json_finish(&json);
	if (r < 0)
		err_sys_code(err, CODE_OUTPUT, r, "write the report");
	else
		r = write_output(out, json.data, json.len, "the report", err);
	oci_json_free(&json);
	return r;
}

static int width(const struct update_report *report)
{
	int widest = (int)strlen("KEY");

	for (size_t i = 0; i < report->len; i++) {
		int n = (int)strlen(report->items[i].key);

		widest = n > widest ? n : widest;
	}
	return widest;
}

static int write_table(const struct update_report *report, FILE *out, struct crun_error *err)
{
	_cleanup_buf_ struct buf text = {0};
	int w = width(report);

	buf_printf(&text, "%-*s  %-11s  WHAT\n", w, "KEY", "VERDICT");
	for (size_t i = 0; i < report->len; i++) {
		const struct update_entry *e = &report->items[i];

		buf_printf(&text, "%-*s  %-11s  ", w, e->key, update_verdict_name(e->verdict));
		if (e->reason)
			buf_puts(&text, e->reason);
		else if (e->file && e->verdict == UPDATE_LEFT)
			buf_printf(&text, "%s in %s", e->before ? e->before : "?", e->file);
		else if (e->file)
			buf_printf(&text, "%s -> %s in %s", e->before ? e->before : "?",
				   e->after ? e->after : "?", e->file);
		else
			buf_puts(&text, "-");
		buf_puts(&text, "\n");
	}
	if (text.failed)
		return err_sys(err, -ENOMEM, "write the report");
	return write_output(out, text.data, text.len, "the report", err);
}

int update_report_write(const struct update_report *report, const char *id,
			enum libcrun_update_format format, FILE *out, struct crun_error *err)
{
	return format == LIBCRUN_UPDATE_JSON ? write_json(report, id, out, err)
					     : write_table(report, out, err);
}
