// SPDX-License-Identifier: Apache-2.0
// Reading the configuration of a bundle: see config_file.h.
#include "host/config_file.h"

#include "base/cleanup.h"
#include "base/str.h"
#include "sys/file.h"

#include <errno.h>
#include <limits.h>
#include <stdbool.h>

/* The kernel's own idea of the path: it has no symbolic links left and is absolute. */
static int real_path(const char *bundle, char *path, size_t size, struct crun_error *err)
{
	char *copy;
	int fd, r;

	/* The same for the working directory, but for one that cannot be reached from the root. */
	if (str_eq(bundle, ".") && getcwd(path, size) && path[0] == '/')
		return 0;
	fd = sys_openat(AT_FDCWD, bundle, O_PATH | O_DIRECTORY, 0);
	if (fd < 0) {
		err_sys_code(err, CODE_BUNDLE_MISSING, fd, "open bundle `%s`", bundle);
		return fd;
	}
	copy = str_printf("/proc/self/fd/%d", fd);
	r = copy ? sys_readlinkat(AT_FDCWD, copy, path, size) : -ENOMEM;
	free(copy);
	close_fd(&fd);
	/* The bundle is there: it is procfs that is not. */
	if (r == -ENOENT)
		return err_sys_code(err, CODE_PROC_MISSING, r, "resolve bundle `%s` through /proc",
				    bundle);
	if (r < 0)
		return err_sys_code(err, CODE_BUNDLE_MISSING, r, "resolve bundle `%s`", bundle);
	return 0;
}

static int resolve_bundle(struct config_file *f, const char *bundle, struct oci_arena *arena,
			  struct crun_error *err)
{
	char path[PATH_MAX];
	int r = real_path(bundle, path, sizeof(path), err);

	if (r < 0)
		return r;
	f->bundle = oci_arena_strndup(arena, path, strlen(path));
	return f->bundle ? 0 : err_sys(err, -ENOMEM, "resolve bundle `%s`", bundle);
}

static int read_config(struct config_file *f, const char *path, struct oci_arena *arena,
		       struct crun_error *err)
{
	bool is_callers = path;
	_cleanup_close_ int fd = FD_NONE;
	struct oci_parse_error why;
	struct stat st;
	int r;

	if (!path) {
		size_t n = strlen(f->bundle);
		char *joined = oci_arena_bytes(arena, n + sizeof("/config.json"));

		if (!joined)
			return err_sys(err, -ENOMEM, "read config.json");
		memcpy(joined, f->bundle, n);
		memcpy(joined + n, "/config.json", sizeof("/config.json"));
		path = joined;
	}
	f->path = path;
	/* The bundle's file may be a FIFO that nobody writes to; what --config names is the caller's choice, and may be a pipe. */
	fd = sys_openat(AT_FDCWD, path, O_RDONLY | (is_callers ? 0 : O_NONBLOCK), 0);
	if (fd < 0)
		return err_sys_code(err, CODE_CONFIG_MISSING, fd, "open `%s`", path);
	r = sys_fstatat(fd, "", &st);
	if (r < 0)
		return err_sys_code(err, CODE_CONFIG_MISSING, r, "stat `%s`", path);
	if (!is_callers && !S_ISREG(st.st_mode))
		return err_set(err, CODE_CONFIG_MISSING, EINVAL, "`%s` is not a regular file",
			       path);
	r = oci_config_parse_fd(fd, path, arena, &f->text, &f->config, &why);
	if (r < 0)
		return err_set(err, r == -EINVAL ? (unsigned)CODE_CONFIG_SYNTAX : KIND_SYSTEM,
			       why.errnum, "%s", why.text);
	return 0;
}

int config_file_read(struct config_file *f, const struct libcrun_create_options *opts,
		     struct oci_arena *arena, struct crun_error *err)
{
	int r;

	*f = (struct config_file){0};
	r = resolve_bundle(f, opts->bundle ? opts->bundle : ".", arena, err);
	return r < 0 ? r : read_config(f, opts->config, arena, err);
}
