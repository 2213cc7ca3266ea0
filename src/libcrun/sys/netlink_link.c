// SPDX-License-Identifier: Apache-2.0
// Network interfaces by rtnetlink(7): see netlink_link.h.
#include "sys/netlink_link.h"

#include "base/cleanup.h"
#include "sys/netlink.h"
#include "sys/ret.h"

#include <errno.h>
#include <linux/if_link.h>
#include <net/if.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#ifndef RTEXT_FILTER_SKIP_STATS
#define RTEXT_FILTER_SKIP_STATS (1 << 3)
#endif

/* IFLA_PERM_ADDRESS: an enumerator, hence not to be asked for by #ifdef, and newer than some headers. */
#define ATTR_PERM_ADDRESS 54

/* The kind of IFLA_LINKINFO. */
static void take_info(const struct rtattr *info, struct sys_link *link)
{
	const struct rtattr *attr = RTA_DATA(info);
	size_t n = RTA_PAYLOAD(info);

	for (; RTA_OK(attr, n); attr = RTA_NEXT(attr, n)) {
		if (attr->rta_type == IFLA_INFO_KIND && RTA_PAYLOAD(attr) < sizeof(link->kind))
			memcpy(link->kind, RTA_DATA(attr), RTA_PAYLOAD(attr));
	}
}

static void take_number(const struct rtattr *attr, int *ret)
{
	if (RTA_PAYLOAD(attr) >= sizeof(*ret))
		memcpy(ret, RTA_DATA(attr), sizeof(*ret));
}

static int take_link(const struct nlmsghdr *head, void *data)
{
	const struct ifinfomsg *info = NLMSG_DATA(head);
	const struct rtattr *attr = IFLA_RTA(info);
	size_t n = IFLA_PAYLOAD(head);
	struct sys_link *link = data;

	if (head->nlmsg_type != RTM_NEWLINK || head->nlmsg_len < NLMSG_LENGTH(sizeof(*info)))
		return 0;
	link->index = info->ifi_index;
	link->up = info->ifi_flags & IFF_UP;
	for (; RTA_OK(attr, n); attr = RTA_NEXT(attr, n)) {
		size_t len = RTA_PAYLOAD(attr);

		switch (attr->rta_type & NLA_TYPE_MASK) {
		case IFLA_LINK:
			take_number(attr, &link->link);
			break;
		case IFLA_LINK_NETNSID:
			take_number(attr, &link->link_netns);
			break;
		case IFLA_LINKINFO:
			take_info(attr, link);
			break;
		case ATTR_PERM_ADDRESS:
			if (len > sizeof(link->permanent))
				break;
			memcpy(link->permanent, RTA_DATA(attr), len);
			link->permanent_len = len;
			break;
		default:
			break;
		}
	}
	return 0;
}

static int get_link(int fd, int index, const char *name, struct sys_link *ret)
{
	const struct ifinfomsg info = {.ifi_family = AF_UNSPEC, .ifi_index = index};
	const __u32 filter = RTEXT_FILTER_SKIP_STATS;
	struct netlink_request request;
	int r;

	*ret = (struct sys_link){.link_netns = -1};
	netlink_begin(&request, RTM_GETLINK, 0, &info, sizeof(info));
	if (name)
		netlink_attr(&request, IFLA_IFNAME, name, strlen(name) + 1);
	netlink_attr(&request, IFLA_EXT_MASK, &filter, sizeof(filter));
	r = netlink_talk(fd, &request, take_link, ret);
	if (r < 0)
		return r;
	return ret->index > 0 ? 0 : -ENODEV;
}

int sys_link_find(int fd, const char *name, struct sys_link *ret)
{
	return get_link(fd, 0, name, ret);
}

int sys_link_get(int fd, int index, struct sys_link *ret)
{
	return get_link(fd, index, NULL, ret);
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

int sys_loopback_up(void)
{
	struct ifreq request = {.ifr_name = "lo", .ifr_flags = IFF_UP};
	_cleanup_close_ int fd = SYS_RET(socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0));

	return fd < 0 ? fd : SYS_RET(ioctl(fd, SIOCSIFFLAGS, &request));
}
