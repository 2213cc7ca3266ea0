// SPDX-License-Identifier: Apache-2.0
// The phase `workdir`: process.cwd exists.
#include "init/outside/phase.h"

#include "base/cleanup.h"
#include "base/log.h"
#include "fs/inroot.h"

#include <sys/stat.h>

int phase_workdir(struct outside *o, struct crun_error *err)
{
	_cleanup_close_ int fd = FD_NONE;
	struct crun_error ignored = {0};

	(void)err;
	fd = inroot_make(o->root_fd, o->plan->process.cwd, S_IFDIR | 0755, 0, NULL, &ignored);
	/* A read-only image, a link to nowhere: entering it later fails with the words that engines look for. */
	if (fd < 0)
		log_debug("create the working directory: %s", ignored.text);
	return 0;
}
