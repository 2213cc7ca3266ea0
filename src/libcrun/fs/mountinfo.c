// SPDX-License-Identifier: Apache-2.0
// /proc/self/mountinfo: see mountinfo.h.
#include "fs/mountinfo.h"

#include "base/buf.h"
#include "base/str.h"
#include "fs/procfs.h"
#include "sys/file.h"
#include "sys/io.h"

#include <string.h>

/* The kernel writes blank, tab, newline and backslash as a backslash and three octal digits. */
static void unescape(char *s)
{
	char *to = s;

	for (const char *p = s; *p; p++) {
		if (p[0] == '\\' && p[1] >= '0' && p[1] <= '3' && p[2] >= '0' && p[2] <= '7' &&
		    p[3] >= '0' && p[3] <= '7') {
			*to++ = (char)((p[1] - '0') * 64 + (p[2] - '0') * 8 + (p[3] - '0'));
			p += 3;
		} else {
			*to++ = *p;
		}
	}
	*to = '\0';
}

/* "36 35 98:0 /root /mnt rw,noatime master:1 - ext3 /dev/root rw,errors=continue" */
static int split(char *line, struct mountinfo *ret)
{
	char *fields[6], *after[3];
	char *rest = line, *word;
	size_t n = 0;

	while (n < 6 && (word = strsep(&rest, " ")) != NULL)
		fields[n++] = word;
	if (n < 6 || !rest)
		return 0;
	/* Optional fields up to a lone dash. */
	do {
		word = strsep(&rest, " ");
	} while (word && strcmp(word, "-") != 0);
	for (n = 0; n < 3 && (word = strsep(&rest, " ")) != NULL; n++)
		after[n] = word;
	if (n < 3)
		return 0;
	unescape(fields[3]);
	unescape(fields[4]);
	*ret = (struct mountinfo){0};
	(void)str_to_u64(fields[0], UINT64_MAX, &ret->id);
	(void)str_to_u64(fields[1], UINT64_MAX, &ret->parent);
	ret->root = fields[3];
	ret->mount_point = fields[4];
	ret->options = fields[5];
	ret->fstype = after[0];
	ret->super_options = after[2];
	return 1;
}

int mountinfo_next(char **cursor, struct mountinfo *ret)
{
	char *line;

	while (*cursor && **cursor) {
		line = strsep(cursor, "\n");
		if (split(line, ret))
			return 1;
	}
	return 0;
}

int mountinfo_read(int proc_fd, const char *path, struct buf *buf, struct crun_error *err)
{
	_cleanup_close_ int fd = FD_NONE;
	char part[4096];
	ssize_t n;

	fd = procfs_open(proc_fd, path, O_RDONLY);
	if (fd < 0)
		return err_sys(err, fd, "open `/proc/%s`", path);
	while ((n = io_read_full(fd, part, sizeof(part))) > 0)
		buf_append(buf, part, (size_t)n);
	if (n < 0)
		return err_sys(err, (int)n, "read `/proc/%s`", path);
	if (buf->failed)
		return err_sys(err, -ENOMEM, "read `/proc/%s`", path);
	return 0;
}

int mountinfo_has_option(const char *list, const char *word, size_t len)
{
	while (*list) {
		size_t n = strcspn(list, ",");

		if (n == len && memcmp(list, word, len) == 0)
			return 1;
		list += n;
		list += *list == ',';
	}
	return 0;
}
