// SPDX-License-Identifier: Apache-2.0
// Tells the payload's execve from the death of init: see payload.h.
#include "host/payload.h"

#include "base/cleanup.h"
#include "base/str.h"
#include "init/init_main.h"
#include "sys/io.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* include/linux/sched.h: set before a dying process closes its files; shown as field 9 of /proc/PID/stat. */
#define PF_EXITING_ 0x4

/*
 * Whether the process died as init. Its files were closed, by execve or by death: then the name is no longer init's, or execve is
 * about to change it and cannot fail any more, or the process is marked as exiting. So one look tells.
 */
bool payload_died_before(pid_t pid)
{
	static const char name[] = "(" INIT_COMM ") ";
	char path[64], text[2048];
	const char *field;
	char state;

	snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
	if (io_read_file_at(AT_FDCWD, path, text, sizeof(text)) < 0)
		return false; /* gone: it may have had a short life as the payload */
	field = strstr(text, name);
	if (!field)
		return false;
	/* proc_pid_stat(5): (3) state (4) ppid (5) pgrp (6) session (7) tty_nr (8) tpgid (9) flags */
	field += strlen(name);
	state = *field;
	for (int i = 3; field && i < 9; i++) {
		field = strchr(field, ' ');
		field = field ? field + 1 : NULL;
	}
	return strchr("ZXx", state) || (field && strtoul(field, NULL, 10) & PF_EXITING_);
}

int payload_check_began(pid_t pid, struct crun_error *err)
{
	if (!payload_died_before(pid))
		return 0;
	return err_set(
		err, CODE_INIT_DIED, EPIPE,
		"read from the init process: it was killed before it could execute the payload "
		"(does the seccomp profile allow execve?)");
}

pid_t payload_find_thread(pid_t pid, struct crun_error *err)
{
	_cleanup_closedir_ DIR *dir = NULL;
	const struct dirent *entry;
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/task", (int)pid);
	dir = opendir(path);
	if (!dir)
		return err_sys(err, -errno, "open `%s`", path);
	while ((entry = readdir(dir))) {
		uint64_t tid;

		if (str_to_u64(entry->d_name, INT32_MAX, &tid) == 0 && (pid_t)tid != pid)
			return (pid_t)tid;
	}
	return err_set(err, KIND_INTERNAL, ESRCH, "init has no second thread in `%s`", path);
}
