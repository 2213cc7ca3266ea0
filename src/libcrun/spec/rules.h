/* SPDX-License-Identifier: Apache-2.0 */
/* Where the specification speaks of a field, and what a person can do about a fault in it. Pure. */
#pragma once

struct rule {
	const char *
		pointer; /* JSON pointer; '*' stands for an index or a key; what is below it is meant too */
	const char *section; /* "config.md#mounts" */
	const char *fix;
};

/* The rule of the value at POINTER; never NULL. */
const struct rule *rule_find(const char *pointer);
