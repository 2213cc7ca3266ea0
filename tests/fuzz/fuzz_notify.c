// SPDX-License-Identifier: Apache-2.0
// Fuzz target: what a payload writes to its notify socket. The input is cut into datagrams at each zero byte that is followed by another
// one; none of what a service manager would act upon may be passed on.

#include "fuzz.h"

#include "base/str.h"
#include "host/notify.h"

#include <errno.h>
#include <stdio.h>
#include <sys/socket.h>

#define MAIN_PID 4711

ssize_t __wrap_recv(int fd, void *buf, size_t size, int flags);
ssize_t __wrap_sendmsg(int fd, const struct msghdr *mh, int flags);
int __wrap_socket(int domain, int type, int protocol);

static const uint8_t *input;
static size_t input_len;
static unsigned main_pids;

ssize_t __wrap_recv(int fd, void *buf, size_t size, int flags)
{
	const uint8_t *end = memmem(input, input_len, "\0\0", 2);
	size_t len = end ? (size_t)(end - input) : input_len;

	(void)fd;
	REQUIRE(flags & MSG_TRUNC && flags & MSG_DONTWAIT);
	if (input_len == 0) {
		errno = EAGAIN;
		return -1;
	}
	memcpy(buf, input, len < size ? len : size);
	input += len + (end ? 2 : 0);
	input_len -= len + (end ? 2 : 0);
	return (ssize_t)len;
}

int __wrap_socket(int domain, int type, int protocol)
{
	(void)domain;
	(void)type;
	(void)protocol;
	return 1000000; /* nobody has so many: closing it does nothing */
}

static bool is_harmless(const char *line)
{
	static const char *const begins[] = {"STATUS=",	  "ERRNO=",	   "MONOTONIC_USEC=",
					     "BUSERROR=", "VARLINKERROR=", "EXTEND_TIMEOUT_USEC="};

	for (size_t i = 0; i < sizeof(begins) / sizeof(begins[0]); i++) {
		if (str_after(line, begins[i]))
			return true;
	}
	return str_eq(line, "READY=1") || str_eq(line, "STOPPING=1") ||
	       str_eq(line, "RELOADING=1") || str_eq(line, "WATCHDOG=1");
}

ssize_t __wrap_sendmsg(int fd, const struct msghdr *mh, int flags)
{
	char text[8192], *rest = text, *line;
	size_t len = mh->msg_iov[0].iov_len;

	(void)fd;
	(void)flags;
	REQUIRE(mh->msg_iovlen == 1 && len > 0 && len < sizeof(text) && !mh->msg_control);
	memcpy(text, mh->msg_iov[0].iov_base, len);
	text[len] = '\0';
	REQUIRE(strlen(text) == len && text[len - 1] == '\n');
	text[len - 1] = '\0';
	while ((line = strsep(&rest, "\n"))) {
		if (is_harmless(line))
			continue;
		/* Ours, at the end, once. */
		REQUIRE(str_eq(line, "MAINPID=4711") && !rest);
		main_pids++;
	}
	return (ssize_t)len;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct notify n = {.fd = -1, .host = "@host", .main_pid = MAIN_PID};
	size_t left;

	input = data;
	input_len = size;
	main_pids = 0;
	do {
		left = input_len;
		notify_pass(&n);
		REQUIRE(main_pids == (n.ready ? 1 : 0));
	} while (input_len > 0 && input_len < left);
	return 0;
}
