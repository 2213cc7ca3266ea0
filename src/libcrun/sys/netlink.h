/* SPDX-License-Identifier: Apache-2.0 */
/* rtnetlink(7): a socket, and requests built and answered. Each function returns >= 0 or a negative errno. */
#pragma once

#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <stddef.h>
#include <stdint.h>

/* A request under construction; too long an attribute makes netlink_talk fail with -EMSGSIZE. */
struct netlink_request {
	struct nlmsghdr head;
	char room[1024];
};

/* A socket to the network namespace that the calling thread is in now; it stays there wherever the thread goes. */
int sys_netlink_open(void);

/* What tells the socket's network namespace from any other one until the machine restarts; -ENOPROTOOPT before Linux 5.14. */
int sys_netns_cookie(int fd, uint64_t *ret);

/*
 * The number (ip-netns(8), nsid) by which the namespace of the socket FD calls the network namespace NETNS_FD; -ENOENT when it has none, as
 * nothing in the one is connected to the other.
 */
int sys_netns_number(int fd, int netns_fd);

/* Begins a request of TYPE (RTM_*) with NLM_F_* FLAGS and the fixed part BODY. */
void netlink_begin(struct netlink_request *request, int type, int flags, const void *body,
		   size_t len);
void netlink_attr(struct netlink_request *request, int type, const void *data, size_t len);

/*
 * Sends REQUEST and takes the answers until the kernel's acknowledgement or the end of a dump; ANSWER (may be NULL) sees each of them
 * and may end it with a negative errno, which is returned once all have been read.
 */
int netlink_talk(int fd, struct netlink_request *request,
		 int (*answer)(const struct nlmsghdr *head, void *data), void *data);
