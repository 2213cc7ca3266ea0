// SPDX-License-Identifier: Apache-2.0
// Output that goes on until something ends: see stream.h.
#include "host/stream.h"

#include "base/cleanup.h"
#include "sys/pidfd.h"

#include <errno.h>
#include <poll.h>

int stream_wait(FILE *out, int pidfd, int other_fd, int64_t until_ms)
{
	int64_t left = until_ms - clock_ms();
	struct deadline end = deadline_in(left > 0 ? left : 0);
	/* POLLERR comes unasked: a pipe or a terminal that nobody has open on its other end. */
	struct pollfd p[3] = {{.fd = pidfd, .events = POLLIN},
			      {.fd = other_fd, .events = POLLIN},
			      {.fd = fileno(out)}};
	int r = sys_pidfd_poll(&end, p, 3);

	if (r == -ETIMEDOUT)
		return STREAM_TICK;
	if (r < 0)
		return r;
	if (p[1].revents)
		return STREAM_OTHER;
	return p[0].revents ? STREAM_ENDED : STREAM_UNREAD;
}

int stream_write(FILE *out, const char *data, size_t len, struct crun_error *err)
{
	if (fwrite(data, 1, len, out) == len && fflush(out) == 0)
		return STREAM_TICK;
	if (errno != EPIPE)
		return err_sys_code(err, CODE_OUTPUT, errno ? -errno : -EIO, "write to the output");
	/* What could not be written must not be tried again at the end of the program. */
	clearerr(out);
	return STREAM_UNREAD;
}
