/* SPDX-License-Identifier: Apache-2.0 */
/* A root directory with a hostile image in it, and the context that the phases of init/inside get. */
#pragma once

#include "init/inside/phase.h"

#include "../state/tempdir.h"
#include "../test.h"

#include <sys/stat.h>

static struct crun_error err;
static struct inside in;
static struct launch_plan plan;
static struct tempdir root;

static inline void begin(void)
{
	root = tempdir_make();
	plan = (struct launch_plan){0};
	in = (struct inside){.plan = &plan};
	in.root_fd = in.cwd_fd = open(root.path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	memset(&err, 0, sizeof(err));
}

static inline void end(void)
{
	close(in.root_fd);
	tempdir_remove(&root);
}

static inline void put(const char *name, const void *data, size_t len, mode_t mode)
{
	int fd = open(in_dir(root.path, name), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, mode);

	if (fd < 0 || write(fd, data, len) != (ssize_t)len || fchmod(fd, mode) < 0)
		perror(name);
	close(fd);
}

static inline void put_dir(const char *name)
{
	if (mkdir(in_dir(root.path, name), 0755) < 0)
		perror(name);
}
