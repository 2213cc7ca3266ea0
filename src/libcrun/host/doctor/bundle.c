// SPDX-License-Identifier: Apache-2.0
// crun doctor --bundle: what the bundle's own configuration needs, as crun validate finds it.
#include "host/doctor/doctor.h"

#include "host/validate.h"

static void found(void *data, bool warning, const char *pointer, const char *text, const char *fix)
{
	struct doctor *d = data;

	doctor_add(d, warning ? DOCTOR_WARNING : DOCTOR_PROBLEM, "bundle.config",
		   doctor_text(d, "config.json: %s%s%s", pointer, pointer[0] ? ": " : "", text),
		   warning ? "It has no effect on this host, or may have none."
			   : "`crun create` fails for this bundle.",
		   doctor_text(d, "%s", fix));
}

void doctor_bundle(struct doctor *d)
{
	const struct libcrun_create_options opts = {.size = sizeof(opts), .bundle = d->bundle};
	size_t before = d->len;
	struct crun_error err;

	if (!d->bundle)
		return;
	if (validate_each(d->ctx, &opts, found, d, &err) < 0)
		doctor_add(d, DOCTOR_PROBLEM, "bundle.config", doctor_text(d, "%s", err.text),
			   "There is nothing to make a container of.",
			   "Name the directory that holds config.json.");
	else if (d->len == before)
		doctor_ok(d, "bundle.config", "%s/config.json: this host has what it needs",
			  d->bundle);
}
