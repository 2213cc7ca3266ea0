/* SPDX-License-Identifier: Apache-2.0 */
/* Properties of systemd units as values, and their text form in annotations. Pure. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * A property of a unit as it is sent. TYPE is the D-Bus code of the simple types (b y n q i u x t d s); of the others 'S' is as, 'Y' ay,
 * 'P' a(ss), 'T' a(st), 'U' au.
 */
struct cg_prop {
	char name[64];
	char type;
	bool optional;	 /* a systemd that does not know it goes without */
	bool configured; /* by an annotation */
	bool replaces;	 /* a list: takes the place of what the unit has, instead of being added */
	uint64_t number; /* all integers, sign-extended; 'b' */
	double real;
	char **strings;	   /* 's' has one, 'P' two per entry, 'T' one; owned */
	uint64_t *numbers; /* 'T' and 'U': one per entry; 'Y': one per byte; owned */
	size_t len;
};

struct cg_props {
	struct cg_prop *items;
	size_t len, cap;
};

/* Adds a property or replaces that of the same name; the result has no value yet. NULL without memory. NAME must fit. */
struct cg_prop *cg_prop_set(struct cg_props *props, const char *name, char type);
void cg_prop_remove(struct cg_props *props, size_t i);
void cg_props_done(struct cg_props *props);
const struct cg_prop *cg_prop_find(const struct cg_props *props, const char *name);

/* Shorthands; 0 or -ENOMEM. */
int cg_prop_bool(struct cg_props *props, const char *name, bool value);
int cg_prop_u64(struct cg_props *props, const char *name, uint64_t value);
int cg_prop_string(struct cg_props *props, const char *name, const char *value);
/* Appends to a property of type 'P' or 'T'; SECOND is NULL for 'T'. */
int cg_prop_entry(struct cg_props *props, const char *name, char type, const char *first,
		  const char *second, uint64_t number);

/*
 * The annotation org.systemd.property.NAME with the GVariant text TEXT: 7, uint64 7, true, 'text', ['a', 'b']. A NAME that ends in "Sec"
 * after a lower-case letter is sent as "...USec", in millionths. Returns 0, -ENOMEM, or -EINVAL with *ret_reason.
 */
int cg_prop_parse(struct cg_props *props, const char *name, const char *text,
		  const char **ret_reason);
