// SPDX-License-Identifier: Apache-2.0
// The container process state for the listener of a seccomp filter: see seccomp_listener.h.
#include "host/seccomp_listener.h"

#include "base/cleanup.h"
#include "host/console_socket.h"

#include <libocispec/oci.h>

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>

/* For all of the message: a time for each piece would let a listener that reads byte by byte hold us for as long as it likes. */
#define SEND_MS 10000

int seccomp_listener_connect(const struct plan_seccomp *plan, const struct deadline *d,
			     struct crun_error *err)
{
	int r = console_socket_connect(plan->listener, d, err);

	if (r >= 0)
		return r;
	err_in(err, "the listener for seccomp");
	if (plan->profile && plan->listener == plan->profile->listener_path)
		return err_at(err, "/linux/seccomp/listenerPath");
	return r;
}

static int send_all(int sock, int fd, const char *data, size_t len, const struct deadline *deadline)
{
	struct pollfd room = {.fd = sock, .events = POLLOUT};
	union {
		struct cmsghdr align;
		char buf[CMSG_SPACE(sizeof(int))];
	} control = {0};
	struct iovec iov;
	struct msghdr mh = {
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = control.buf,
		/* Exactly one descriptor: listeners look at the length. */
		.msg_controllen = sizeof(control.buf),
	};
	struct cmsghdr *c = CMSG_FIRSTHDR(&mh);

	c->cmsg_level = SOL_SOCKET;
	c->cmsg_type = SCM_RIGHTS;
	c->cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(c), &fd, sizeof(int));
	while (len > 0) {
		ssize_t n;
		int r = deadline_poll(deadline, &room, 1);

		if (r < 0)
			return r;
		iov = (struct iovec){.iov_base = (void *)data, .iov_len = len};
		do
			n = sendmsg(sock, &mh, MSG_NOSIGNAL | MSG_DONTWAIT);
		while (n < 0 && errno == EINTR);
		if (n < 0 && errno == EAGAIN)
			continue;
		if (n < 0)
			return -errno;
		data += n;
		len -= (size_t)n;
		/* config-linux.md: descriptors go with the first sendmsg only. */
		mh.msg_control = NULL;
		mh.msg_controllen = 0;
	}
	return 0;
}

static void write_document(const struct hook_state *state, const char *metadata,
			   struct oci_json *out)
{
	struct hook_state told = *state;

	if (!told.status)
		told.status = "creating";
	oci_json_begin_object(out);
	oci_json_member_string(out, "ociVersion", state->oci_version);
	oci_json_key(out, "fds");
	oci_json_begin_array(out);
	oci_json_string(out, "seccompFd");
	oci_json_end_array(out);
	oci_json_member_int(out, "pid", state->pid);
	oci_json_member_string(out, "metadata", metadata);
	oci_json_key(out, "state");
	hooks_state_write(&told, out);
	oci_json_end_object(out);
}

int seccomp_listener_send(int sock, int fd, const struct hook_state *state, const char *metadata,
			  const struct deadline *deadline, struct crun_error *err)
{
	struct deadline limit = deadline_within(deadline, SEND_MS);
	struct oci_json json = {0};
	int r;

	write_document(state, metadata, &json);
	r = oci_json_finish(&json);
	if (r == 0)
		r = send_all(sock, fd, json.data, json.len, &limit);
	oci_json_free(&json);
	if (r == -ETIMEDOUT || r == -ECANCELED)
		return deadline_err(&limit, r, err,
				    "send the container's state to the listener for seccomp, which "
				    "does not read it");
	if (r < 0)
		return err_sys_code(err, CODE_SECCOMP_LISTENER, r,
				    "send the container's state to the listener for seccomp");
	return 0;
}
