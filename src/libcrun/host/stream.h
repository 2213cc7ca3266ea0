/* SPDX-License-Identifier: Apache-2.0 */
/* Output that goes on until a container ends or nobody reads it any more. */
#pragma once

#include "base/error.h"

#include <stdint.h>
#include <stdio.h>

enum stream_event {
	STREAM_TICK,  /* the time is over */
	STREAM_OTHER, /* OTHER_FD is readable */
	STREAM_ENDED, /* the process of PIDFD ended */
	STREAM_UNREAD /* the reader of OUT is gone: an end without a failure */
};

/* Waits until UNTIL_MS (clock_ms). PIDFD and OTHER_FD may be FD_NONE. OTHER comes before ENDED. Returns an event or a negative errno. */
int stream_wait(FILE *out, int pidfd, int other_fd, int64_t until_ms);

/* Writes LEN bytes at once. Returns STREAM_TICK, STREAM_UNREAD, or a negative errno with *err set. */
int stream_write(FILE *out, const char *data, size_t len, struct crun_error *err) CRUN_NODISCARD;
