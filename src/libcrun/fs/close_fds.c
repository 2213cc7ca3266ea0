// SPDX-License-Identifier: Apache-2.0
// Closing descriptors: see close_fds.h.
#include "fs/close_fds.h"

#include "base/cleanup.h"
#include "base/str.h"
#include "fs/procfs.h"
#include "sys/file.h"

#include <dirent.h>
#include <errno.h>
#include <sys/resource.h>

static int close_listed(unsigned first, unsigned last)
{
	_cleanup_close_ int proc = procfs_open_host(ERR_IGNORED);
	_cleanup_closedir_ DIR *dir = NULL;
	struct dirent *entry;
	uint64_t fd;
	int dir_fd;

	if (proc < 0)
		return proc;
	dir_fd = procfs_open(proc, "self/fd", O_RDONLY | O_DIRECTORY);
	if (dir_fd < 0)
		return dir_fd;
	dir = fdopendir(dir_fd);
	if (!dir) {
		close(dir_fd);
		return -ENOMEM;
	}
	while ((entry = readdir(dir)) != NULL) {
		if (str_to_u64(entry->d_name, last, &fd) < 0 || fd < first)
			continue;
		/* These two are closed when we return. */
		if ((int)fd != dir_fd && (int)fd != proc)
			close((int)fd);
	}
	return 0;
}

static int close_each(unsigned first, unsigned last)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
		return -errno;
	for (unsigned fd = first; fd <= last && fd < limit.rlim_max; fd++)
		close((int)fd);
	return 0;
}

int close_fds(unsigned first, unsigned last)
{
	int r = sys_close_range(first, last, 0);

	if (r != -ENOSYS)
		return r;
	r = close_listed(first, last);
	return r < 0 ? close_each(first, last) : 0;
}
