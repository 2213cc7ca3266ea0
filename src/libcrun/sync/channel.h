/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The channel between the host side and init: one SOCK_SEQPACKET pair, few kinds of message, fds attached. See ladder.h for
 * who says what when. Anything that is not expected is refused by name.
 */
#pragma once

#include "base/error.h"
#include "sys/deadline.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum message_kind {
	MSG_NONE,   /* never sent: zeroed memory is no message */
	MSG_GO,	    /* host -> init: ids are mapped, the cgroup has you */
	MSG_PAUSED, /* init -> host: everything is mounted, run your hooks */
	MSG_RESUME, /* host -> init: hooks are done */
	MSG_FILTER, /* host -> init: the seccomp program is in the shared area */
	MSG_READY, /* init -> host: all that can fail before the payload has been done; carries the terminal, if any */
	MSG_FAILED,  /* init -> host, instead of any other: a struct crun_error */
	MSG_LOG,     /* init -> host, any time: a line for the log */
	MSG_SETTLED, /* host -> init: the record names you, go on */
	MSG_START,   /* start -> init, over the gate: go on */
	MSG_LISTENER, /* init -> host: the filter is loaded in the payload's thread; carries the notification fd */
	MSG_KIND_MAX
};

struct channel {
	int fd;
	const char *peer;   /* "the init process" or "the runtime", for errors */
	bool heard_failure; /* MSG_FAILED came: the peer has said why it ended */
	/*
	 * Optional: called with WATCHED before each wait for a message, until the same deadline. It returns 1 when there is
	 * something to read, 0 when the rest is for the wait itself to tell; else a negative errno, which ends the wait.
	 */
	int (*watch)(const void *watched, const struct deadline *d, struct crun_error *err);
	const void *watched;
};

/* Makes a pair: HOST keeps its end as ->fd of *host, INIT the other. Both close-on-exec. */
int channel_pair(struct channel *host, struct channel *init, struct crun_error *err) CRUN_NODISCARD;

/* Sends one message with up to one fd (FD_NONE: none). Never raises SIGPIPE. */
int channel_send(struct channel *ch, enum message_kind kind, int fd,
		 struct crun_error *err) CRUN_NODISCARD;
int channel_send_error(struct channel *ch, const struct crun_error *failure);
int channel_send_log(struct channel *ch, int level, const char *text);

/*
 * Waits for a message of KIND. MSG_LOG is passed to the log on the way. MSG_FAILED becomes *err. End of file is -EPIPE of
 * KIND_INTERNAL ("read from the init process: ..."). *ret_fd, if asked for, receives the attached fd or FD_NONE.
 * Until D (NULL: no limit): KIND_TIMEOUT, KIND_INTERRUPTED.
 */
int channel_expect(struct channel *ch, enum message_kind kind, const struct deadline *d,
		   int *ret_fd, struct crun_error *err) CRUN_NODISCARD;

/* Waits for end of file, which is what a successful execve of the payload looks like, or MSG_FAILED. Returns 0 on end of file. D as above. */
int channel_expect_eof(struct channel *ch, const struct deadline *d,
		       struct crun_error *err) CRUN_NODISCARD;

/* Whether the peer has closed its end: all that it had to say is there to be read, and no wait for it can last. */
bool channel_is_hung_up(const struct channel *ch);

void channel_close(struct channel *ch);
