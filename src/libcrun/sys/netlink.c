// SPDX-License-Identifier: Apache-2.0
// rtnetlink(7) requests: see netlink.h.
#include "sys/netlink.h"

#include "sys/ret.h"

#include <string.h>
#include <sys/socket.h>

/* The kernel fills dumps in pieces of at most this size (NLMSG_GOODSIZE and netlink_dump), and a link is described in one. */
#define ANSWER_MAX 32768

int sys_netlink_open(void)
{
	return SYS_RET(socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE));
}

void netlink_begin(struct netlink_request *request, int type, int flags, const void *body,
		   size_t len)
{
	memset(request, 0, sizeof(*request));
	request->head = (struct nlmsghdr){
		.nlmsg_len = (__u32)NLMSG_LENGTH(len),
		.nlmsg_type = (__u16)type,
		.nlmsg_flags = (__u16)(NLM_F_REQUEST | NLM_F_ACK | flags),
	};
	memcpy(request->room, body, len);
}

void netlink_attr(struct netlink_request *request, int type, const void *data, size_t len)
{
	size_t at = NLMSG_ALIGN(request->head.nlmsg_len);
	struct rtattr attr = {.rta_len = (unsigned short)RTA_LENGTH(len),
			      .rta_type = (unsigned short)type};

	if (at + RTA_SPACE(len) > sizeof(*request)) {
		request->head.nlmsg_len = 0;
		return;
	}
	memcpy((char *)request + at, &attr, sizeof(attr));
	memcpy((char *)request + at + RTA_LENGTH(0), data, len);
	request->head.nlmsg_len = (__u32)(at + RTA_LENGTH(len));
}

/* Goes through one datagram. Returns 1 when it held the end, with the kernel's verdict in *VERDICT. */
static int take_answers(const struct nlmsghdr *head, size_t n,
			int (*answer)(const struct nlmsghdr *, void *), void *data, int *verdict)
{
	for (; NLMSG_OK(head, n); head = NLMSG_NEXT(head, n)) {
		int r = 0;

		/* Both begin with the verdict: a negative errno, or zero. */
		if (head->nlmsg_type == NLMSG_DONE || head->nlmsg_type == NLMSG_ERROR) {
			if (head->nlmsg_len < NLMSG_LENGTH(sizeof(r)))
				return -EPROTO;
			memcpy(&r, NLMSG_DATA(head), sizeof(r));
			if (r < 0)
				*verdict = r;
			return 1;
		}
		if (answer)
			r = answer(head, data);
		if (r < 0 && *verdict == 0)
			*verdict = r;
	}
	return 0;
}

int netlink_talk(int fd, struct netlink_request *request,
		 int (*answer)(const struct nlmsghdr *head, void *data), void *data)
{
	_Alignas(struct nlmsghdr) char room[ANSWER_MAX];
	int verdict = 0, r;
	ssize_t n;

	if (request->head.nlmsg_len == 0)
		return -EMSGSIZE;
	if (send(fd, request, request->head.nlmsg_len, 0) < 0)
		return -errno;
	do {
		SYS_RETRY(n, recv(fd, room, sizeof(room), MSG_TRUNC));
		if (n < 0)
			return (int)n;
		if ((size_t)n > sizeof(room))
			return -EMSGSIZE;
		r = take_answers((const struct nlmsghdr *)room, (size_t)n, answer, data, &verdict);
	} while (r == 0);
	return r < 0 ? r : verdict;
}
