/* SPDX-License-Identifier: Apache-2.0 */
/* Reading what the checks of crun doctor look at: texts of the kernel's and the system's files. Pure but for doctor_find_user(). */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* "6.1.0-13-amd64" is 6, 1. False when TEXT does not begin like that. */
bool doctor_parse_version(const char *text, unsigned *ret_major, unsigned *ret_minor);

/* The name of UID in TEXT, which is like /etc/passwd. False without one, or when it does not fit. */
bool doctor_parse_user(const char *text, uid_t uid, char *buf, size_t size);

/* The same of /etc/passwd; BUF is "" without one. Not NSS: a crun that is linked statically has none. */
void doctor_find_user(uid_t uid, char *buf, size_t size);

/* A line "alice:100000:65536" of /etc/subuid. */
struct doctor_subids {
	bool any;
	uint64_t first, count; /* of the first range of the user */
	uint64_t total;	       /* of all of them */
	unsigned bad_line;     /* number of the first line that is none, or 0 */
	char other[64];	       /* owner of a range that overlaps one of the user's, or "" */
	uint64_t free;	       /* first id from 100000 up behind every range */
};

/* Looks for the user NAME ("" is nobody) or the number UID in TEXT, which is like /etc/subuid. */
void doctor_parse_subids(const char *text, const char *name, uid_t uid, struct doctor_subids *ret);

/* The line of UID in /proc/key-users (keyrings(7)). */
struct doctor_keys {
	uint64_t keys, max_keys, bytes, max_bytes;
};
bool doctor_parse_key_users(const char *text, uid_t uid, struct doctor_keys *ret);

/* Whether the list of words LIST, separated by blanks, commas or newlines, has WORD. */
bool doctor_has_word(const char *list, const char *word);

/* The path in the line "0::/a/b" of /proc/self/cgroup; false without one. */
bool doctor_parse_own_cgroup(const char *text, char *buf, size_t size);

/* How many ids the map TEXT, like /proc/self/uid_map, has. */
uint64_t doctor_parse_map_size(const char *text);

/* Whether file capabilities, a value of security.capability (linux/capability.h), permit CAP and make it effective. */
bool doctor_parse_file_cap(const void *value, size_t size, unsigned cap);
