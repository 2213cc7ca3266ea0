// SPDX-License-Identifier: Apache-2.0
// Reading a list of mounts: see mounts_file.h.
#include "host/mounts_file.h"

#include "base/cleanup.h"
#include "base/str.h"
#include "sys/file.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <unistd.h>

/* A bare array becomes the object that the parser knows; it stays on its line, and columns are counted back. */
#define PREFIX "{\"mounts\":"
#define SUFFIX "}"

/* Returns 0 or -ENOMEM. */
static int wrap(struct mounts_file *f, struct oci_arena *arena)
{
	const size_t n = strlen(PREFIX);
	size_t at = 0;
	char *object;

	while (at < f->text.len && isspace((unsigned char)f->text.data[at]))
		at++;
	f->is_array = at < f->text.len && f->text.data[at] == '[';
	if (!f->is_array)
		return 0;
	object = oci_arena_alloc(arena, f->text.len + sizeof(PREFIX SUFFIX));
	if (!object)
		return -ENOMEM;
	memcpy(object, PREFIX, n);
	memcpy(object + n, f->text.data, f->text.len);
	memcpy(object + n + f->text.len, SUFFIX, sizeof(SUFFIX));
	f->text = (struct oci_text){object, f->text.len + strlen(PREFIX SUFFIX)};
	return 0;
}

static unsigned real_column(const struct mounts_file *f, unsigned line, unsigned column)
{
	return f->is_array && line == 1 && column > strlen(PREFIX)
		       ? column - (unsigned)strlen(PREFIX)
		       : column;
}

/* WHY says "FILE:LINE:COLUMN: ...", with the column of the text as parsed. */
static int refuse(const struct mounts_file *f, const char *name, const struct oci_parse_error *why,
		  int r, struct crun_error *err)
{
	unsigned code = r == -EINVAL ? (unsigned)CODE_CONFIG_SYNTAX : KIND_SYSTEM;
	unsigned column = real_column(f, why->line, why->column);
	char prefix[64];
	const char *rest = str_after(why->text, name);

	snprintf(prefix, sizeof(prefix), ":%u:%u: ", why->line, why->column);
	rest = rest ? str_after(rest, prefix) : NULL;
	if (!rest)
		return err_set(err, code, why->errnum, "%s", why->text);
	return err_set(err, code, why->errnum, "%s:%u:%u: %s", name, why->line, column, rest);
}

int mounts_file_read(struct mounts_file *f, const char *path, struct oci_arena *arena,
		     struct oci_mount_list **ret, struct crun_error *err)
{
	_cleanup_close_ int fd = FD_NONE;
	struct oci_parse_error why;
	int r;

	*f = (struct mounts_file){.path = path};
	fd = str_eq(path, "-") ? sys_dup_cloexec(STDIN_FILENO, 3)
			       : sys_openat(AT_FDCWD, path, O_RDONLY, 0);
	if (fd < 0)
		return err_sys_code(err, CODE_CONFIG_MISSING, fd, "open `%s`", path);
	r = oci_read_fd(fd, path, arena, &f->text, &why);
	if (r < 0)
		return err_set(err, CODE_CONFIG_MISSING, why.errnum, "%s", why.text);
	if (wrap(f, arena) < 0)
		return err_sys(err, -ENOMEM, "read `%s`", path);
	r = oci_mount_list_parse(path, f->text.data, f->text.len, arena, ret, &why);
	return r < 0 ? refuse(f, path, &why, r, err) : 0;
}

int mounts_file_locate(const struct mounts_file *f, struct crun_error *err)
{
	unsigned line, column;
	char at[sizeof(err->at)];

	if (!str_after(err->at, "/mounts") || !f->text.data ||
	    oci_locate(f->text.data, f->text.len, err->at, &line, &column) != 0)
		return -err->errnum;
	memcpy(at, err->at, sizeof(at));
	/* In an array the pointer of its first element is "/0". */
	if (f->is_array)
		snprintf(err->at, sizeof(err->at), "%s", at + strlen("/mounts"));
	return err_in(err, "%s:%u:%u: %s", f->path, line, real_column(f, line, column),
		      f->is_array ? at + strlen("/mounts") : at);
}
