/* SPDX-License-Identifier: Apache-2.0 */
/* What an update did: one verdict for each key of the request. */
#pragma once

#include "base/error.h"

#include <stddef.h>

/* What became of one key of the request. */
enum update_verdict {
	UPDATE_APPLIED,	  /* the kernel's file says something else than before */
	UPDATE_UNCHANGED, /* it said so already, or the value means "leave it as it is" */
	UPDATE_IGNORED, /* the specification or the lack of power over devices lets it be passed over */
	UPDATE_UNSUPPORTED, /* this host, kernel or container cannot have it */
	UPDATE_FAILED,	    /* the kernel or a check refused it */
	UPDATE_LEFT,	    /* it was not tried, or undone, because of another key */
};

/* "applied", "unchanged", "ignored", "unsupported", "failed", "left" */
const char *update_verdict_name(enum update_verdict verdict);

struct update_entry {
	char *key; /* JSON pointer within linux.resources: "/memory/limit"; schemata of resctrl: "/intelRdt/l3CacheSchema" */
	char *file;   /* absolute path of the kernel's file, or NULL */
	char *before; /* what it said, and says now; NULL when that is not known */
	char *after;
	char *reason; /* for people; NULL when there is nothing to say */
	enum update_verdict verdict;
};

/* All zero is an empty one; released with update_report_done. */
struct update_report {
	struct update_entry *items;
	size_t len, cap;
};

/*
 * Adds the verdict on KEY (without the leading '/'). A key has one entry: of several files that it stands for, the one that changed
 * something, or the first. Strings are copied. Returns 0 or -ENOMEM.
 */
int update_report_add(struct update_report *report, const char *key, enum update_verdict verdict,
		      const char *file, const char *before, const char *after,
		      const char *reason) CRUN_NODISCARD;

/* After a failure: what was applied or not yet looked at is UPDATE_LEFT now. */
void update_report_undone(struct update_report *report);
void update_report_done(struct update_report *report);
#define _cleanup_update_report_ _cleanup_(update_report_done)
