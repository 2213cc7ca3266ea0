// SPDX-License-Identifier: Apache-2.0
// On which mount a file is: see mount_id.h.
#include "fs/mount_id.h"

#include "base/str.h"
#include "sys/io.h"
#include "sys/statx.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

/* By plain steps: a look-up with openat2(2) or in place of it may itself be what asks. */
static int id_from_fdinfo(int proc_fd, int fd, uint64_t *ret)
{
	char path[48], text[1024], *id;
	int r;

	snprintf(path, sizeof(path), "self/fdinfo/%d", fd);
	r = io_read_file_at(proc_fd, path, text, sizeof(text));
	if (r < 0)
		return r;
	id = strstr(text, "mnt_id:\t");
	if (!id)
		return -EOPNOTSUPP;
	id += strlen("mnt_id:\t");
	id[strcspn(id, "\n")] = '\0';
	return str_to_u64(id, UINT64_MAX, ret);
}

int mount_id_of(int proc_fd, int fd, uint64_t *ret)
{
	struct sys_mount_place place;
	int r = sys_mount_place(fd, &place);

	if (r == -EOPNOTSUPP)
		return id_from_fdinfo(proc_fd, fd, ret);
	if (r >= 0)
		*ret = place.mount_id;
	return r;
}
