// SPDX-License-Identifier: Apache-2.0
// What became of each key of an update: see update_report.h.
#include "cgroup/update_report.h"

#include "base/cleanup.h"
#include "base/log.h"
#include "base/str.h"

#include <errno.h>
#include <stdlib.h>

static const char *const names[] = {
	[UPDATE_APPLIED] = "applied", [UPDATE_UNCHANGED] = "unchanged",
	[UPDATE_IGNORED] = "ignored", [UPDATE_UNSUPPORTED] = "unsupported",
	[UPDATE_FAILED] = "failed",   [UPDATE_LEFT] = "left",
};

const char *update_verdict_name(enum update_verdict verdict)
{
	return names[verdict];
}

static char *copy(const char *s, bool *lost)
{
	char *p = s ? str_dup(s) : NULL;

	*lost |= s && !p;
	return p;
}

static struct update_entry *find(const struct update_report *report, const char *key)
{
	for (size_t i = 0; i < report->len; i++) {
		if (str_eq(report->items[i].key + 1, key))
			return &report->items[i];
	}
	return NULL;
}

static struct update_entry *append(struct update_report *report, const char *key)
{
	struct update_entry *e;

	if (report->len == report->cap) {
		size_t cap = report->cap ? 2 * report->cap : 16;

		e = reallocarray(report->items, cap, sizeof(*e));
		if (!e)
			return NULL;
		report->items = e;
		report->cap = cap;
	}
	e = &report->items[report->len];
	*e = (struct update_entry){.key = str_printf("/%s", key)};
	if (!e->key)
		return NULL;
	report->len++;
	return e;
}

int update_report_add(struct update_report *report, const char *key, enum update_verdict verdict,
		      const char *file, const char *before, const char *after, const char *reason)
{
	struct update_entry *e = find(report, key);
	bool lost = false;

	/* A second look at what was applied, or is as it should be, adds nothing unless it does something; a retry counts. */
	if (e && ((verdict == UPDATE_UNCHANGED && e->verdict != UPDATE_FAILED) ||
		  (verdict == UPDATE_APPLIED && e->verdict == UPDATE_APPLIED)))
		return 0;
	if (!e)
		e = append(report, key);
	if (!e)
		return -ENOMEM;
	free(e->file);
	free(e->before);
	free(e->after);
	free(e->reason);
	e->verdict = verdict;
	e->file = copy(file, &lost);
	e->before = copy(before, &lost);
	e->after = copy(after, &lost);
	e->reason = copy(reason, &lost);
	log_debug("update of %s: %s%s%s", key, update_verdict_name(verdict), file ? ": " : "",
		  file ? file : "");
	return lost ? -ENOMEM : 0;
}

void update_report_undone(struct update_report *report)
{
	for (size_t i = 0; i < report->len; i++) {
		struct update_entry *e = &report->items[i];

		if (e->verdict != UPDATE_APPLIED)
			continue;
		e->verdict = UPDATE_LEFT;
		free(e->after);
		e->after = NULL;
	}
}

void update_report_done(struct update_report *report)
{
	for (size_t i = 0; i < report->len; i++) {
		struct update_entry *e = &report->items[i];

		free(e->key);
		free(e->file);
		free(e->before);
		free(e->after);
		free(e->reason);
	}
	free(report->items);
	*report = (struct update_report){0};
}
