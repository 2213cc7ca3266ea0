// SPDX-License-Identifier: Apache-2.0
// crun doctor: runs the areas of checks and says what they found.
#include "host/doctor/doctor.h"

#include "base/cleanup.h"
#include "base/str.h"
#include "host/doctor/parse.h"
#include "host/facts.h"
#include "libcrun.h"
#include "sys/file.h"
#include "sys/io.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <string.h>
#include <unistd.h>

#define MAX_DESCRIPTORS 24

static const struct {
	const char *name;
	void (*check)(struct doctor *d);
} areas[] = {
	{"kernel", doctor_kernel},   {"namespaces", doctor_namespaces},
	{"ids", doctor_ids},	     {"cgroup", doctor_cgroup},
	{"systemd", doctor_systemd}, {"security", doctor_security},
	{"seccomp", doctor_seccomp}, {"keyring", doctor_keyring},
	{"storage", doctor_storage}, {"idmap", doctor_idmap},
	{"devices", doctor_devices}, {"nested", doctor_nested},
	{"limits", doctor_limits},   {"bundle", doctor_bundle},
};

void doctor_add(struct doctor *d, enum doctor_status status, const char *id, const char *found,
		const char *consequence, const char *fix)
{
	if (d->len == DOCTOR_MAX)
		return;
	d->list[d->len++] = (struct doctor_finding){d->area, id, status, found, consequence, fix};
}

__attribute__((format(printf, 2, 0))) static const char *keep(struct doctor *d, const char *fmt,
							      va_list ap)
{
	const char *copy = NULL;
	va_list again;
	int n;

	va_copy(again, ap);
	n = vsnprintf(NULL, 0, fmt, again);
	va_end(again);
	if (n >= 0) {
		char *room = oci_arena_bytes(&d->arena, (size_t)n + 1);

		if (room)
			vsnprintf(room, (size_t)n + 1, fmt, ap);
		copy = room;
	}
	d->failed = d->failed || !copy;
	return copy ? copy : "";
}

const char *doctor_text(struct doctor *d, const char *fmt, ...)
{
	const char *text;
	va_list ap;

	va_start(ap, fmt);
	text = keep(d, fmt, ap);
	va_end(ap);
	return text;
}

void doctor_ok(struct doctor *d, const char *id, const char *fmt, ...)
{
	const char *text;
	va_list ap;

	va_start(ap, fmt);
	text = keep(d, fmt, ap);
	va_end(ap);
	doctor_add(d, DOCTOR_OK, id, text, "", "");
}

const char *doctor_failure(struct doctor *d, const char *what, int r)
{
	return doctor_text(d, "%s: %s", what, err_describe(-r));
}

bool doctor_read_number(const char *path, uint64_t *ret)
{
	char text[64];

	if (io_read_file_at(AT_FDCWD, path, text, sizeof(text)) < 0)
		return false;
	if (str_eq(text, "max")) {
		*ret = UINT64_MAX;
		return true;
	}
	text[strcspn(text, " \t\n")] = '\0';
	return str_to_u64(text, UINT64_MAX, ret) == 0;
}

/*
 * What the checks open at the same time. A check takes what it cannot open for missing, which would be wrong when it is descriptors
 * that are missing.
 */
static int check_descriptors(struct crun_error *err)
{
	int fds[MAX_DESCRIPTORS], r = 0;
	size_t n = 0;

	while (n < ARRAY_LEN(fds) && r >= 0) {
		r = sys_openat(AT_FDCWD, "/", O_PATH | O_DIRECTORY, 0);
		if (r >= 0)
			fds[n++] = r;
	}
	while (n > 0)
		close(fds[--n]);
	return r < 0 ? err_sys(err, r, "open `/` %zu times", ARRAY_LEN(fds)) : 0;
}

static int look(struct doctor *d, struct crun_error *err)
{
	const struct oci_config nothing = {0};
	int r = facts_gather(&nothing, &d->facts, err);

	if (r < 0)
		return r;
	d->rootless = d->facts.euid != 0;
	doctor_find_user(d->facts.euid, d->user, sizeof(d->user));
	d->list = oci_arena_alloc(&d->arena, DOCTOR_MAX * sizeof(*d->list));
	if (!d->list)
		return err_sys(err, -ENOMEM, "look at the host");
	d->area = "bundle";
	if (d->bundle && !doctor_bundle_answers(d))
		d->bundle = NULL;
	for (size_t i = 0; i < ARRAY_LEN(areas); i++) {
		d->area = areas[i].name;
		areas[i].check(d);
	}
	return d->failed ? err_sys(err, -ENOMEM, "look at the host") : 0;
}

int libcrun_doctor(const struct libcrun_context *ctx, const char *bundle,
		   enum libcrun_doctor_format format, FILE *out, unsigned *ret_problems,
		   struct crun_error *err)
{
	struct doctor d = {.ctx = ctx, .bundle = bundle};
	int r = check_descriptors(err);

	if (r >= 0)
		r = look(&d, err);
	if (r >= 0 && format == LIBCRUN_DOCTOR_JSON)
		r = doctor_write_json(&d, out, err);
	else if (r >= 0)
		doctor_write_text(&d, out);
	*ret_problems = 0;
	for (size_t i = 0; i < d.len; i++)
		*ret_problems += d.list[i].status == DOCTOR_PROBLEM;
	oci_arena_free(&d.arena);
	return r;
}
