/* SPDX-License-Identifier: Apache-2.0 */
/* A bounded wait for a descriptor. */
#pragma once

#include <errno.h>
#include <poll.h>

/* Waits until FD is readable or has hung up, for at most MS: 1, or 0 when that is over. -1: poll(2) failed. */
static inline int wait_in(int fd, int ms)
{
	struct pollfd p = {.fd = fd, .events = POLLIN};
	int r;

	do
		r = poll(&p, 1, ms);
	while (r < 0 && errno == EINTR);
	return r;
}
