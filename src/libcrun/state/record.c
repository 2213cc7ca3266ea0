// SPDX-License-Identifier: Apache-2.0
// The documents in a state directory: the record and the copy of config.json. See store.h.
#include "state/store.h"

#include "base/cleanup.h"
#include "state/internal.h"
#include "sys/file.h"
#include "sys/io.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>

#define CONFIG_NAME "config.json"

/* No fsync: after a crash of the machine the container is gone, and the directory is on a tmpfs as a rule. */
int state_replace_file(const struct state_dir *dir, const char *name, const char *temporary,
		       const char *data, size_t len)
{
	/* Readable for us whatever the caller's umask. */
	_cleanup_close_ int fd = sys_openat_exact(dir->fd, temporary,
						  O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW, 0600);
	int r;

	if (fd < 0)
		return fd;
	r = io_write_all(fd, data, len);
	if (r == 0)
		r = sys_renameat(dir->fd, temporary, dir->fd, name);
	if (r < 0)
		sys_unlinkat(dir->fd, temporary, 0);
	return r;
}

int state_write_record(const struct state_dir *dir, const struct oci_record *record,
		       struct crun_error *err)
{
	_cleanup_(oci_json_free) struct oci_json json = {0};
	int r = oci_record_write(record, &json);

	if (r == 0)
		r = oci_json_finish(&json);
	if (r == 0)
		r = state_replace_file(dir, STATE_RECORD_FILE, "." STATE_RECORD_FILE, json.data,
				       json.len);
	if (r < 0)
		return err_sys_code(err, CODE_STATE_DIR, r,
				    "write the state record of container `%s`", dir->id);
	return 0;
}

int state_open_document(int dirfd, const char *path)
{
	return sys_openat(dirfd, path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY, 0);
}

static int missing_record(const struct state_dir *dir, struct crun_error *err)
{
	struct stat st;

	if (sys_fstatat(dir->root_fd, dir->id, &st) < 0 || (!dir->locked && state_is_busy(dir)))
		return err_set(err, CODE_CONTAINER_UNKNOWN, ENOENT, "container `%s` does not exist",
			       dir->id);
	return err_set(err, CODE_CONTAINER_DAMAGED, ENODATA,
		       "container `%s` has no state record: its creation was cut off early, and "
		       "`delete --force` removes what is left of it",
		       dir->id);
}

int state_read_record(const struct state_dir *dir, struct oci_arena *arena, struct oci_record **ret,
		      struct crun_error *err)
{
	_cleanup_close_ int fd = state_open_document(dir->fd, STATE_RECORD_FILE);
	struct oci_parse_error why;
	int r;

	if (fd == -ENOENT)
		return missing_record(dir, err);
	if (fd < 0)
		return err_sys_code(err, CODE_STATE_DIR, fd,
				    "open the state record of container `%s`", dir->id);
	r = oci_record_parse_fd(fd, STATE_RECORD_FILE, arena, NULL, ret, &why);
	if (r == -EINVAL || r == -EFBIG)
		return err_set(err, CODE_CONTAINER_DAMAGED, EINVAL,
			       "the state record of container `%s` is damaged: %s", dir->id,
			       why.text);
	if (r < 0)
		return err_sys_code(err, CODE_STATE_DIR, r,
				    "read the state record of container `%s`", dir->id);
	return 0;
}

int state_write_config(const struct state_dir *dir, const char *data, size_t len,
		       struct crun_error *err)
{
	int r = state_replace_file(dir, CONFIG_NAME, "." CONFIG_NAME, data, len);

	if (r < 0)
		return err_sys_code(err, CODE_STATE_DIR, r,
				    "copy the configuration of container `%s`", dir->id);
	return 0;
}

int state_read_config(const struct state_dir *dir, struct oci_arena *arena, struct oci_config **ret,
		      struct crun_error *err)
{
	_cleanup_close_ int fd = state_open_document(dir->fd, CONFIG_NAME);
	struct oci_parse_error why;
	int r;

	if (fd < 0)
		return err_sys_code(err, CODE_STATE_DIR, fd,
				    "open the configuration copy of container `%s`", dir->id);
	r = oci_config_parse_fd(fd, CONFIG_NAME, arena, NULL, ret, &why);
	if (r < 0)
		return err_set(err, CODE_CONTAINER_DAMAGED, -r,
			       "the configuration copy of container `%s` is damaged: %s", dir->id,
			       why.text);
	return 0;
}
