/* SPDX-License-Identifier: Apache-2.0 */
/* Readers for the forms that the kernel's cgroup files have. What cannot be read or understood leaves the value unknown. */
#pragma once

#include "base/buf.h"
#include "cgroup/stats.h"

/* A value somewhere in a struct: a file of its own, or a key in a file. FACTOR 0 is 1; products saturate. */
struct stat_field {
	const char *name;
	size_t offset; /* of the struct stat_value */
	uint32_t factor;
};

/* The content of FILE, at most a MiB of it, into an empty buffer. Returns 0 or -errno. */
int stat_text(int dir, const char *file, struct buf *ret);

/* "123" and "max", of LEN bytes; false for anything else. */
bool stat_number(const char *text, size_t len, uint64_t *ret);

/* Calls FN for each part of FILE between the characters ENDS that is not empty, until it returns less than 0. Missing files are fine. */
typedef int (*stat_part_fn)(char *part, void *data);
int stat_each(int dir, const char *file, const char *ends, stat_part_fn fn, void *data);

/* Room for one more of LEN items, which double in the arena. NULL when out of memory. */
void *stat_grow(struct oci_arena *arena, void *items, size_t len, size_t size);

/* A file with one number. Returns whether it was there. */
bool stat_file(int dir, const char *file, struct stat_value *ret);
void stat_files(int dir, const struct stat_field *fields, size_t len, void *base);

/* "key value" lines. */
void stat_keys(int dir, const char *file, const struct stat_field *fields, size_t len, void *base);
/* All of them. Returns 0 or -ENOMEM. */
int stat_pairs(struct oci_arena *arena, int dir, const char *file, struct stat_pairs *ret);

/* Numbers with blanks between them. Returns 0 or -ENOMEM. */
int stat_list(struct oci_arena *arena, int dir, const char *file, struct stat_list *ret);

/* One line of text, or NULL. */
const char *stat_string(struct oci_arena *arena, int dir, const char *file);

/* "some avg10=0.12 avg60=0.00 avg300=0.00 total=345". */
void stat_pressure(int dir, const char *file, struct stat_psi *ret);

/* "8:0" or "8:0 rest": *ret_rest is what follows the blank. */
bool stat_device(const char *line, struct stat_io *ret, const char **ret_rest);

/* Appends to a list in ARENA. Returns 0 or -ENOMEM. */
int stat_io_add(struct oci_arena *arena, struct stat_io_list *list, const struct stat_io *io);

/* The page sizes that DIR has hugetlb files for. Returns 0 or -ENOMEM. */
int stat_hugetlb_sizes(struct cgroup_stats *ret, int dir, const char *suffix);

/* ---- stats_named.c: rdma and misc, of one directory. Returns 0 or -ENOMEM. ---- */
int stat_named_read(int dir, struct cgroup_stats *ret);

/* ---- v1/stats.c, v1/stats_io.c, v2/stats.c: one directory each ---- */
int cg_v1_stats(int dir, struct cgroup_stats *ret);
int cg_v1_stats_io(int dir, struct cgroup_stats *ret);
int cg_v2_stats(int dir, struct cgroup_stats *ret);
