/* SPDX-License-Identifier: Apache-2.0 */
/* The document of `mounts add` and `mounts remove`. */
#pragma once

#include "base/error.h"

#include <libocispec/oci.h>

struct mounts_file {
	const char *path; /* as given; borrowed */
	struct oci_text text;
	bool is_array; /* the text got a member name in front of it */
};

/*
 * Reads PATH ("-": standard input): an object with the member "mounts", like config.json, or the bare array of it. *RET is in ARENA, and so is
 * F->text. KIND_SPEC with the place in the file for a bad one.
 */
int mounts_file_read(struct mounts_file *f, const char *path, struct oci_arena *arena,
		     struct oci_mount_list **ret, struct crun_error *err) CRUN_NODISCARD;

/* The place in the file in front of an error that has a JSON pointer. Returns -errno. */
int mounts_file_locate(const struct mounts_file *f, struct crun_error *err);
