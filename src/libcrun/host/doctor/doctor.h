/* SPDX-License-Identifier: Apache-2.0 */
/*
 * crun doctor: what the areas of checks share. A check looks at one thing and reports one finding, also when all is well. It changes
 * nothing: what has to be tried is tried in a child (spawn/probe.h), with a limit of time.
 */
#pragma once

#include "base/error.h"
#include "plan/plan.h"

#include <libocispec/runtime/arena.h>

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

struct libcrun_context;

/* In the order in which people are to read them. */
enum doctor_status {
	DOCTOR_PROBLEM, /* containers do not run, or not as they should */
	DOCTOR_WARNING, /* something that many containers use does not work */
	DOCTOR_NOTE,	/* something that few use does not work, or works in another way */
	DOCTOR_OK,
};

struct doctor_finding {
	const char *area;
	const char
		*id; /* "userns.create": a word of the area and what was looked at; never changes */
	enum doctor_status status;
	const char *found;	       /* the evidence: the file or system call, and its value */
	const char *consequence, *fix; /* "" with DOCTOR_OK */
};

struct doctor {
	const struct libcrun_context *ctx;
	const char *bundle; /* or NULL */
	struct host_facts facts;
	bool rootless;	/* not uid 0 of any namespace: an ordinary user */
	char user[128]; /* our user's name in /etc/passwd, or "" */
	struct oci_arena arena;
	const char *area; /* the one that is looked at */
	struct doctor_finding *list;
	size_t len;
	bool failed; /* out of memory */
};

#define DOCTOR_MAX 1024

/*
 * Adds a finding. ID is static; FOUND, CONSEQUENCE and FIX are kept, so static or from doctor_text(). FIX is sentences, each line of its own, and lines
 * that begin with four blanks: commands or the text of a file, which are shown as they are.
 */
void doctor_add(struct doctor *d, enum doctor_status status, const char *id, const char *found,
		const char *consequence, const char *fix);
void doctor_ok(struct doctor *d, const char *id, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

/* A text that lives as long as D; never NULL. */
const char *doctor_text(struct doctor *d, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

/* What a failed probe says: "mount proc: Operation not permitted" for the words WHAT and the errno -R. */
const char *doctor_failure(struct doctor *d, const char *what, int r);

/* The number in the first line of PATH; false when there is none. "max" is UINT64_MAX. */
bool doctor_read_number(const char *path, uint64_t *ret);

/* For what an ordinary user depends on more, or less, than root does. */
static inline enum doctor_status doctor_if_rootless(const struct doctor *d,
						    enum doctor_status rootless,
						    enum doctor_status root)
{
	return d->rootless ? rootless : root;
}

/* --cgroup-manager systemd. */
bool doctor_wants_systemd(const struct doctor *d);

/* Reports, as ID, which controllers the v2 cgroup DIR, in which an ordinary user's are made, has to hand down. */
void doctor_delegation(struct doctor *d, const char *id, const char *dir);

/* The areas, in the order in which they are looked at. */
void doctor_kernel(struct doctor *d);
void doctor_namespaces(struct doctor *d);
void doctor_ids(struct doctor *d);
void doctor_cgroup(struct doctor *d);
void doctor_systemd(struct doctor *d);
void doctor_security(struct doctor *d);
void doctor_seccomp(struct doctor *d);
void doctor_keyring(struct doctor *d);
void doctor_storage(struct doctor *d);
void doctor_idmap(struct doctor *d);
void doctor_devices(struct doctor *d);
void doctor_nested(struct doctor *d);
void doctor_limits(struct doctor *d);
void doctor_bundle(struct doctor *d);

/*
 * Everything that is going to be asked about the bundle is asked by a child first, for it names files wherever it likes. False, with a finding,
 * when that does not come to an end: nobody else must look at it then.
 */
bool doctor_bundle_answers(struct doctor *d);

/* Writes the findings to OUT. */
void doctor_write_text(const struct doctor *d, FILE *out);
int doctor_write_json(const struct doctor *d, FILE *out, struct crun_error *err) CRUN_NODISCARD;
