// SPDX-License-Identifier: Apache-2.0
// Fuzz target: the messages between the runtime and init, and those of the start gate. The input is a sequence of packets: a length of two
// bytes, a number of descriptors, the bytes. Whatever comes, the reader ends, names what is wrong, and keeps no descriptor that it was not asked for.

#include "fuzz.h"

#include "base/cleanup.h"
#include "base/log.h"
#include "sync/channel.h"

#include <fcntl.h>
#include <sched.h>
#include <sys/socket.h>
#include <unistd.h>

#define FDS_MAX	    8
#define PACKETS_MAX 64

static size_t logged;

static void count_log(void *data, enum crun_log_level level, const char *text)
{
	(void)data;
	REQUIRE(level <= LOG_LEVEL_DEBUG);
	logged += strlen(text) + 1;
}

static int lowest_free(void)
{
	int fd = dup(STDERR_FILENO);

	REQUIRE(fd >= 0);
	close(fd);
	return fd;
}

static void send_packet(int sock, const uint8_t *data, size_t len, unsigned fds)
{
	const int passed = STDERR_FILENO;
	union {
		struct cmsghdr align;
		char buf[CMSG_SPACE(FDS_MAX * sizeof(int))];
	} control = {0};
	struct iovec iov = {.iov_base = (void *)data, .iov_len = len};
	struct msghdr mh = {.msg_iov = &iov, .msg_iovlen = 1};

	if (fds) {
		struct cmsghdr *c;

		mh.msg_control = control.buf;
		mh.msg_controllen = CMSG_SPACE(fds * sizeof(int));
		c = CMSG_FIRSTHDR(&mh);
		c->cmsg_level = SOL_SOCKET;
		c->cmsg_type = SCM_RIGHTS;
		c->cmsg_len = CMSG_LEN(fds * sizeof(int));
		for (unsigned i = 0; i < fds; i++)
			memcpy(CMSG_DATA(c) + i * sizeof(int), &passed, sizeof(int));
	}
	/* A queue that is full takes no more: the rest of the input says nothing. */
	(void)!sendmsg(sock, &mh, MSG_DONTWAIT | MSG_NOSIGNAL);
}

static void send_all(int sock, const uint8_t *data, size_t size)
{
	for (unsigned n = 0; size >= 3 && n < PACKETS_MAX; n++) {
		size_t len = data[0] | (size_t)data[1] << 8;
		unsigned fds = data[2] % (FDS_MAX + 1);

		data += 3;
		size -= 3;
		len = len < size ? len : size;
		send_packet(sock, data, len, fds);
		data += len;
		size -= len;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	int before = lowest_free(), fd, r;
	struct channel ours, theirs;
	struct crun_error err = {0};
	unsigned kind;

	if (size == 0)
		return 0;
	log_set_sink(count_log, NULL, LOG_LEVEL_DEBUG);
	REQUIRE(channel_pair(&ours, &theirs, &err) == 0);
	send_all(theirs.fd, data + 1, size - 1);
	channel_close(&theirs);
	/* Who reads the links in /proc/PID/fd at this moment has the other end open, too. */
	while (!channel_is_hung_up(&ours))
		sched_yield();
	kind = data[0] % (MSG_KIND_MAX - 1) + 1;
	for (;;) {
		fd = FD_NONE;
		r = channel_expect(&ours, (enum message_kind)kind, NULL,
				   data[0] & 0x80 ? &fd : NULL, &err);
		close_fd(&fd);
		if (r < 0)
			break;
	}
	/* A failure that init tells of may have any text; that is for a reader of the error to bear. */
	REQUIRE(err.errnum == -r && memchr(err.text, '\0', sizeof(err.text)));
	REQUIRE(memchr(err.at, '\0', sizeof(err.at)));
	(void)err_code_name(&err);
	(void)err_kind_name(err.kind);
	(void)err_in(&err, "frame");
	while (channel_expect_eof(&ours, NULL, &err) < 0)
		REQUIRE(err.errnum > 0);
	channel_close(&ours);
	REQUIRE(lowest_free() == before);
	return 0;
}
