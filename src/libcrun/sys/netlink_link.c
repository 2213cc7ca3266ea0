// SPDX-License-Identifier: Apache-2.0
// Network interfaces by rtnetlink(7): see netlink_link.h.
#include "sys/netlink_link.h"

#include "base/cleanup.h"
#include "sys/netlink.h"

#include <errno.h>
#include <linux/if_link.h>
#include <net/if.h>
#include <string.h>
#include <sys/socket.h>

#ifndef RTEXT_FILTER_SKIP_STATS
#define RTEXT_FILTER_SKIP_STATS (1 << 3)
#endif

static int take_link(const struct nlmsghdr *head, void *data)
{
	const struct ifinfomsg *info = NLMSG_DATA(head);
	struct sys_link *link = data;

	if (head->nlmsg_type != RTM_NEWLINK || head->nlmsg_len < NLMSG_LENGTH(sizeof(*info)))
		return 0;
	link->index = info->ifi_index;
	link->up = info->ifi_flags & IFF_UP;
	return 0;
}

int sys_link_find(int fd, const char *name, struct sys_link *ret)
{
	const struct ifinfomsg info = {.ifi_family = AF_UNSPEC};
	const __u32 filter = RTEXT_FILTER_SKIP_STATS;
	struct netlink_request request;
	int r;

	*ret = (struct sys_link){0};
	netlink_begin(&request, RTM_GETLINK, 0, &info, sizeof(info));
	netlink_attr(&request, IFLA_IFNAME, name, strlen(name) + 1);
	netlink_attr(&request, IFLA_EXT_MASK, &filter, sizeof(filter));
	r = netlink_talk(fd, &request, take_link, ret);
	if (r < 0)
		return r;
	return ret->index > 0 ? 0 : -ENODEV;
}

int sys_link_move(int fd, int index, int netns_fd, const char *name)
{
	const struct ifinfomsg info = {.ifi_family = AF_UNSPEC, .ifi_index = index};
	const __u32 netns = (__u32)netns_fd;
	struct netlink_request request;

	netlink_begin(&request, RTM_NEWLINK, 0, &info, sizeof(info));
	netlink_attr(&request, IFLA_NET_NS_FD, &netns, sizeof(netns));
	netlink_attr(&request, IFLA_IFNAME, name, strlen(name) + 1);
	return netlink_talk(fd, &request, NULL, NULL);
}

int sys_link_set_up(int fd, int index)
{
	const struct ifinfomsg info = {
		.ifi_family = AF_UNSPEC,
		.ifi_index = index,
		.ifi_flags = IFF_UP,
		.ifi_change = IFF_UP,
	};
	struct netlink_request request;

	netlink_begin(&request, RTM_NEWLINK, 0, &info, sizeof(info));
	return netlink_talk(fd, &request, NULL, NULL);
}

int sys_link_up(int index)
{
	_cleanup_close_ int fd = sys_netlink_open();

	return fd < 0 ? fd : sys_link_set_up(fd, index);
}
