// SPDX-License-Identifier: Apache-2.0
// crun doctor --bundle: what the bundle's own configuration needs, as crun validate finds it.
#include "host/doctor/doctor.h"

#include "base/cleanup.h"
#include "host/validate.h"
#include "spawn/probe.h"

#include <errno.h>

/* Enough for the largest configuration on a slow machine. */
#define LIMIT_MS 30000

/* More than a person reads, of each kind: of the others the number is told. */
#define SHOWN_MAX 256

struct counts {
	struct doctor *d;
	size_t errors, warnings;
};

static void found(void *data, bool warning, const char *pointer, const char *text, const char *fix)
{
	struct counts *c = data;
	struct doctor *d = c->d;
	size_t *n = warning ? &c->warnings : &c->errors;

	if (++*n > SHOWN_MAX)
		return;
	doctor_add(d, warning ? DOCTOR_WARNING : DOCTOR_PROBLEM, "bundle.config",
		   doctor_text(d, "config.json: %s%s%s", pointer, pointer[0] ? ": " : "", text),
		   warning ? "It has no effect on this host, or may have none."
			   : "`crun create` fails for this bundle.",
		   doctor_text(d, "%s", fix));
}

static void ignore(void *data, bool warning, const char *pointer, const char *text, const char *fix)
{
	(void)data;
	(void)warning;
	(void)pointer;
	(void)text;
	(void)fix;
}

static int rehearse(const void *bundle, char text[PROBE_TEXT])
{
	const struct libcrun_create_options opts = {.size = sizeof(opts), .bundle = bundle};

	(void)text;
	/* What is wrong is told by whoever asks again: only the end of it counts. */
	return validate_each(&opts, ignore, NULL, ERR_IGNORED) < 0 ? -EIO : 0;
}

bool doctor_bundle_answers(struct doctor *d)
{
	const struct probe p = {
		.cgroup_fd = FD_NONE, .limit_ms = LIMIT_MS, .run = rehearse, .arg = d->bundle};
	char text[PROBE_TEXT];

	if (probe_run(&p, text) != -ETIMEDOUT)
		return true;
	doctor_add(d, DOCTOR_PROBLEM, "bundle.config", doctor_text(d, "%s: %s", d->bundle, text),
		   "Its file system, or one that its configuration names, does not answer: whoever "
		   "looks there waits.",
		   "See whether the servers of these file systems answer.");
	return false;
}

static void tell_rest(struct doctor *d, enum doctor_status status, size_t n, const char *what)
{
	if (n > SHOWN_MAX)
		doctor_add(
			d, status, "bundle.config",
			doctor_text(d, "config.json: %zu more %s", n - SHOWN_MAX, what),
			"This configuration was not made with care, or not for this host.",
			doctor_text(d, "All of them are told by:\n    crun validate --bundle DIR"));
}

void doctor_bundle(struct doctor *d)
{
	const struct libcrun_create_options opts = {.size = sizeof(opts), .bundle = d->bundle};
	struct counts c = {.d = d};
	struct crun_error err;
	int r;

	if (!d->bundle)
		return;
	r = validate_each(&opts, found, &c, &err);
	tell_rest(d, DOCTOR_PROBLEM, c.errors, "errors");
	tell_rest(d, DOCTOR_WARNING, c.warnings, "warnings");
	if (r < 0)
		doctor_add(d, DOCTOR_PROBLEM, "bundle.config", doctor_text(d, "%s", err.text),
			   "There is nothing to make a container of.",
			   "Name the directory that holds config.json.");
	else if (c.errors + c.warnings == 0)
		doctor_ok(d, "bundle.config", "%s/config.json: this host has what it needs",
			  d->bundle);
}
