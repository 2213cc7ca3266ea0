/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The journal of an update. The functions of controllers.h run twice with it: in the first pass nothing is written, and what this host
 * cannot do is taken down; in the second each write is noted with what was there before, so that it can be undone.
 */
#pragma once

#include "cgroup/internal.h"
#include "cgroup/update_report.h"

struct cg_undo {
	int dir_fd;	  /* borrowed from the cgroup */
	char *path;	  /* of the file, for messages */
	const char *name; /* its last part */
	char *value;
};

struct cg_changes {
	bool checking;			 /* the first pass */
	const struct deadline *deadline; /* or NULL */
	struct update_report *report;
	struct cg_undo *undo;
	size_t len, cap;
	struct crun_error first; /* of the first pass; all zero: there was none */
};

/* What cg_write does in an update. */
int cg_changes_write(const struct cg_dir *dir, const char *file, const char *value, const char *at,
		     struct crun_error *err) CRUN_NODISCARD;

/* Whether the kernel may take long over a write to FILE, and lets a signal end it. */
bool cg_write_is_slow(const char *file);

/* One write for two keys: the verdict on AT is that on LIKE. */
int cg_changes_also(struct cg_changes *changes, const char *at, const char *like,
		    struct crun_error *err) CRUN_NODISCARD;

/* Takes ERR down for the key AT; 0 in the first pass, else -err->errnum. */
int cg_changes_unsupported(struct cg_changes *changes, const char *at, struct crun_error *err);

/* The same for all keys of a controller that is not there. */
int cg_changes_no_controller(struct cg_changes *changes, const struct oci_linux_resources *res,
			     enum cg_controller c, struct crun_error *err);

/*
 * Calls FN for each key of RES that has a value, in the document's order, with its pointer ("memory/limit") and the controller that it is
 * for (CG_CONTROLLERS: none, as for unified), until it returns less than 0. The elements of lists and maps are keys of their own.
 */
typedef int (*cg_key_fn)(void *data, const char *key, enum cg_controller c, struct crun_error *err);
int cg_each_key(const struct oci_linux_resources *res, cg_key_fn fn, void *data,
		struct crun_error *err) CRUN_NODISCARD;

/* ---- undo.c ---- */

/* Takes down that FILE of DIR had VALUE (copied; NULL: nobody knows, so that it cannot be put back). Returns 0 or -ENOMEM. */
int cg_changes_note(struct cg_changes *changes, const struct cg_dir *dir, const char *file,
		    const char *value);

/* Writes the former VALUE of FILE (NULL: -ENODATA), within the deadline if that takes long. Returns 0 or a negative errno. */
int cg_changes_put_back(const struct cg_changes *changes, int dir_fd, const char *file,
			const char *value) CRUN_NODISCARD;
/* Appends to ERR that this did not work. */
void cg_changes_kept(const char *path, struct crun_error *err);

/* Puts back what was written, the last first; appends to ERR the files for which that fails. */
void cg_changes_undo(struct cg_changes *changes, struct crun_error *err);
void cg_changes_done(struct cg_changes *changes);

/* ---- changes.c ---- */

/*
 * The part of TEXT, the content of FILE, that a write of VALUE is about: the line of its device or name ("8:0 rbps=1048576"), or the whole
 * setting. Malloc'd, and so that it can be written; *ret is NULL when there is none, and no way to say so.
 */
int cg_changes_pick(const char *file, const char *text, const char *value,
		    char **ret) CRUN_NODISCARD;
