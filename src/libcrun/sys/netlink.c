// SPDX-License-Identifier: Apache-2.0
// rtnetlink(7) requests: see netlink.h.
#include "sys/netlink.h"

#include "sys/ret.h"

#include <errno.h>
#include <linux/net_namespace.h>
#include <string.h>
#include <sys/socket.h>

/* The kernel fills dumps in pieces of at most this size (NLMSG_GOODSIZE and netlink_dump), and a link is described in one. */
#define ANSWER_MAX 32768

/* Linux 5.14 */
#ifndef SO_NETNS_COOKIE
#define SO_NETNS_COOKIE 71
#endif

int sys_netlink_open(void)
{
	return SYS_RET(socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE));
}

int sys_netns_cookie(int fd, uint64_t *ret)
{
	socklen_t len = sizeof(*ret);

	return SYS_RET(getsockopt(fd, SOL_SOCKET, SO_NETNS_COOKIE, ret, &len));
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

/* Takes one message in. Returns 1 when it was the last one, with the kernel's verdict in *VERDICT. */
static int take_answer(const struct nlmsghdr *head, int (*answer)(const struct nlmsghdr *, void *),
		       void *data, int *verdict)
{
	int r = 0;

	/* What was listed changed meanwhile: the caller asks again. */
	if ((head->nlmsg_flags & NLM_F_DUMP_INTR) && *verdict == 0)
		*verdict = -EAGAIN;
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
	return 0;
}

/*
 * Goes through one datagram of N bytes. Returns as take_answer. Answers of another number than SEQ are those of an earlier request, which could not be
 * received (no memory): they would be taken for this one's, and each later one for that before it.
 */
static int take_answers(const char *datagram, size_t n, __u32 seq,
			int (*answer)(const struct nlmsghdr *, void *), void *data, int *verdict)
{
	size_t at = 0;
	int r = 0;

	while (r == 0 && at < n) {
		const struct nlmsghdr *head =
			(const struct nlmsghdr *)(const void *)(datagram + at);

		if (n - at < sizeof(*head) || head->nlmsg_len < sizeof(*head) ||
		    head->nlmsg_len > n - at)
			return -EPROTO;
		if (head->nlmsg_seq == seq)
			r = take_answer(head, answer, data, verdict);
		at += NLMSG_ALIGN(head->nlmsg_len);
	}
	return r;
}

int netlink_talk(int fd, struct netlink_request *request,
		 int (*answer)(const struct nlmsghdr *head, void *data), void *data)
{
	_Alignas(struct nlmsghdr) char room[ANSWER_MAX];
	static __u32 last_seq;
	int verdict = 0, r = 0;
	ssize_t n;

	if (request->head.nlmsg_len == 0)
		return -EMSGSIZE;
	request->head.nlmsg_seq = ++last_seq;
	SYS_RETRY(n, send(fd, request, request->head.nlmsg_len, 0));
	if (n < 0)
		return (int)n;
	while (r == 0) {
		struct sockaddr_nl from = {0};
		socklen_t from_len = sizeof(from);

		SYS_RETRY(n, recvfrom(fd, room, sizeof(room), MSG_TRUNC, (struct sockaddr *)&from,
				      &from_len));
		if (n < 0)
			return (int)n;
		/*
		 * Any process of the namespace with CAP_NET_ADMIN in it may send to our socket; only the kernel has port 0
		 * (netlink(7)).
		 */
		if (from_len != sizeof(from) || from.nl_pid != 0)
			continue;
		if ((size_t)n > sizeof(room))
			return -EMSGSIZE;
		r = take_answers(room, (size_t)n, request->head.nlmsg_seq, answer, data, &verdict);
	}
	return r < 0 ? r : verdict;
}

static int take_number(const struct nlmsghdr *head, void *data)
{
	const struct rtattr *attr = (const struct rtattr *)((const char *)NLMSG_DATA(head) +
							    NLMSG_ALIGN(sizeof(struct rtgenmsg)));
	int n = (int)NLMSG_PAYLOAD(head, sizeof(struct rtgenmsg));

	for (; head->nlmsg_type == RTM_NEWNSID && RTA_OK(attr, n); attr = RTA_NEXT(attr, n)) {
		if (attr->rta_type == NETNSA_NSID && RTA_PAYLOAD(attr) >= sizeof(int))
			memcpy(data, RTA_DATA(attr), sizeof(int));
	}
	return 0;
}

int sys_netns_number(int fd, int netns_fd)
{
	const struct rtgenmsg any = {.rtgen_family = AF_UNSPEC};
	const __u32 netns = (__u32)netns_fd;
	struct netlink_request request;
	int number = NETNSA_NSID_NOT_ASSIGNED, r;

	netlink_begin(&request, RTM_GETNSID, 0, &any, sizeof(any));
	netlink_attr(&request, NETNSA_FD, &netns, sizeof(netns));
	r = netlink_talk(fd, &request, take_number, &number);
	if (r < 0)
		return r;
	return number < 0 ? -ENOENT : number;
}
