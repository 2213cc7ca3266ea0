// SPDX-License-Identifier: Apache-2.0
// Ownership of the payload's standard streams, so that an ordinary user can reopen /dev/stdout.
#include "init/inside/phase.h"

#include "base/log.h"
#include "sys/file.h"

#include <errno.h>

int phase_stdio(struct inside *in, struct crun_error *err)
{
	uid_t uid = in->plan->process.uid;

	(void)err;
	for (int fd = 0; fd <= 2; fd++) {
		struct stat st;
		int r;

		/* Only what was made for this container: never a device or a file of the host (CVE-2026-88265). */
		if (sys_fstatat(fd, "", &st) < 0 ||
		    (!S_ISFIFO(st.st_mode) && !S_ISSOCK(st.st_mode)) || st.st_uid == uid)
			continue;
		r = sys_fchownat(fd, "", uid, (gid_t)-1, AT_EMPTY_PATH);
		if (r < 0)
			log_debug("fd %d stays as it is: fchown: %s", fd, err_describe(-r));
	}
	return 0;
}
