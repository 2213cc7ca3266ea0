// SPDX-License-Identifier: Apache-2.0
// The pid file: digits and nothing else, complete at first sight, because callers poll for it and parse at once.
#include "host/pidfile.h"

#include "base/cleanup.h"
#include "base/str.h"
#include "sys/file.h"
#include "sys/io.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

int pidfile_write(const char *path, pid_t pid, struct crun_error *err)
{
	_cleanup_free_ char *temporary = str_printf("%s.%d.tmp", path, pid);
	_cleanup_close_ int fd = FD_NONE;
	char digits[16];
	int r;

	if (!temporary)
		return err_sys(err, -ENOMEM, "write pid file `%s`", path);
	fd = sys_openat(AT_FDCWD, temporary, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, 0644);
	if (fd == -EEXIST) {
		/* Left by a runtime that was killed right here. */
		(void)sys_unlinkat(AT_FDCWD, temporary, 0);
		fd = sys_openat(AT_FDCWD, temporary, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW,
				0644);
	}
	if (fd < 0)
		return err_sys_code(err, CODE_PID_FILE, fd, "create pid file `%s`", path);
	snprintf(digits, sizeof(digits), "%d", pid);
	r = io_write_all(fd, digits, strlen(digits));
	if (r >= 0)
		r = sys_renameat(AT_FDCWD, temporary, AT_FDCWD, path);
	if (r < 0) {
		(void)sys_unlinkat(AT_FDCWD, temporary, 0);
		return err_sys_code(err, CODE_PID_FILE, r, "write pid file `%s`", path);
	}
	return 0;
}
