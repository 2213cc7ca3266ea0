// SPDX-License-Identifier: Apache-2.0
// rtnetlink answers are the kernel's: what another process of the namespace sends to our socket is passed over.
#include "sys/netlink.h"
#include "sys/netlink_addr.h"
#include "sys/netlink_link.h"

#include "base/cleanup.h"

#include "../test.h"

#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>

/* Sends LEN bytes to the port of FD, as a neighbour with CAP_NET_ADMIN may; true when the kernel let it. */
static bool send_to_port_of(int fd, const void *data, size_t len)
{
	_cleanup_close_ int other = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
	struct sockaddr_nl addr = {.nl_family = AF_NETLINK};
	socklen_t size = sizeof(addr);

	if (bind(fd, (struct sockaddr *)&addr, sizeof(addr)) < 0 ||
	    getsockname(fd, (struct sockaddr *)&addr, &size) < 0)
		return false;
	return sendto(other, data, len, 0, (struct sockaddr *)&addr, sizeof(addr)) == (ssize_t)len;
}

TEST(a_forged_answer_is_passed_over)
{
	struct {
		struct nlmsghdr head;
		struct ifinfomsg link;
		struct nlmsghdr end;
		struct nlmsgerr verdict;
	} forged = {
		.head = {.nlmsg_len = NLMSG_LENGTH(sizeof(forged.link)), .nlmsg_type = RTM_NEWLINK},
		.link = {.ifi_index = 4242},
		.end = {.nlmsg_len = NLMSG_LENGTH(sizeof(forged.verdict)),
			.nlmsg_type = NLMSG_ERROR},
	};
	_cleanup_close_ int fd = sys_netlink_open();
	struct sys_link link;

	CHECK(fd >= 0);
	if (!send_to_port_of(fd, &forged, sizeof(forged)))
		SKIP("sending to another process's netlink socket takes CAP_NET_ADMIN");
	CHECK_INT(sys_link_find(fd, "no-such-link", &link), -ENODEV);
}

/* A length whose alignment goes beyond the datagram, and what is left of it below zero. */
TEST(an_answer_that_was_not_received_is_not_the_next_ones)
{
	_cleanup_close_ int fd = sys_netlink_open();
	struct ifinfomsg none = {.ifi_index = 4242};
	struct netlink_request request;
	struct sys_link link;

	CHECK(fd >= 0);
	netlink_begin(&request, RTM_GETLINK, 0, &none, sizeof(none));
	CHECK(send(fd, &request, request.head.nlmsg_len, 0) > 0);
	CHECK_INT(sys_link_find(fd, "lo", &link), 0);
	CHECK_INT(link.index, 1);
	CHECK_INT(sys_link_get(fd, 4242, &link), -ENODEV);
}

TEST(a_forged_length_harms_nobody)
{
	static char forged[32765];
	struct nlmsghdr head = {.nlmsg_len = sizeof(forged), .nlmsg_type = RTM_NEWLINK};
	_cleanup_close_ int fd = sys_netlink_open();
	struct sys_link link;

	memcpy(forged, &head, sizeof(head));
	CHECK(fd >= 0);
	if (!send_to_port_of(fd, forged, sizeof(forged)))
		SKIP("sending to another process's netlink socket takes CAP_NET_ADMIN");
	CHECK_INT(sys_link_find(fd, "lo", &link), 0);
	CHECK_INT(link.index, 1);
}

/* The record of a container is where they are kept meanwhile. */
TEST(damaged_addresses_are_refused)
{
	struct {
		struct nlmsghdr head;
		struct ifaddrmsg info;
		struct rtattr attr;
		char value[4];
	} message = {
		.head = {.nlmsg_type = RTM_NEWADDR},
		.info = {.ifa_family = AF_INET, .ifa_prefixlen = 32},
		.attr = {.rta_len = RTA_LENGTH(1), .rta_type = IFA_LABEL},
	};
	const size_t whole = NLMSG_LENGTH(sizeof(message.info)) + RTA_LENGTH(1);
	const size_t lengths[] = {0, sizeof(message.head), whole - 5, whole + 100, UINT32_MAX};
	_cleanup_close_ int fd = sys_netlink_open();
	struct buf saved = {0};

	CHECK(fd >= 0);
	for (size_t i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
		/* Exactly as long as it is, so that a tool for memory errors sees what is read behind it. */
		buf_append(&saved, &message, whole);
		((struct nlmsghdr *)saved.data)->nlmsg_len = (__u32)lengths[i];
		CHECK_INT(sys_address_restore(fd, INT32_MAX, true, &saved),
			  lengths[i] == whole - 5 ? -EINVAL : -EBADMSG);
		buf_done(&saved);
	}
	/* The last attribute and the message end without their padding: nothing follows, and the kernel misses the address. */
	message.head.nlmsg_len = (__u32)whole;
	buf_append(&saved, &message, whole);
	CHECK_INT(sys_address_restore(fd, INT32_MAX, true, &saved), -EINVAL);
	buf_done(&saved);
}

TEST_MAIN()
