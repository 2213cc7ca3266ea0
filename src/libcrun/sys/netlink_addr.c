// SPDX-License-Identifier: Apache-2.0
// Addresses of network interfaces by rtnetlink(7): see netlink_addr.h. They are kept as the kernel described them.
#include "sys/netlink_addr.h"

#include "sys/netlink.h"

#include <errno.h>
#include <linux/if_addr.h>
#include <string.h>
#include <sys/socket.h>

/* What the kernel says about an address's state, not what was asked for. */
#define STATE_FLAGS                                                              \
	(IFA_F_PERMANENT | IFA_F_SECONDARY | IFA_F_TENTATIVE | IFA_F_DADFAILED | \
	 IFA_F_DEPRECATED | IFA_F_OPTIMISTIC)

struct save {
	int index;
	struct buf *ret;
};

/* The flags of an address: the attribute has 32 bits of them, the fixed part only 8. */
static __u32 flags_of(const struct nlmsghdr *head)
{
	const struct ifaddrmsg *info = NLMSG_DATA(head);
	const struct rtattr *attr = IFA_RTA(info);
	int n = (int)IFA_PAYLOAD(head); /* below zero when the last one is not padded */
	__u32 flags = info->ifa_flags;

	for (; RTA_OK(attr, n); attr = RTA_NEXT(attr, n)) {
		if (attr->rta_type == IFA_FLAGS && RTA_PAYLOAD(attr) >= sizeof(flags))
			memcpy(&flags, RTA_DATA(attr), sizeof(flags));
	}
	return flags;
}

static int save_address(const struct nlmsghdr *head, void *data)
{
	static const char padding[NLMSG_ALIGNTO];
	const struct ifaddrmsg *info = NLMSG_DATA(head);
	const struct save *save = data;

	if (head->nlmsg_type != RTM_NEWADDR || head->nlmsg_len < NLMSG_LENGTH(sizeof(*info)))
		return 0;
	/* A dump that was disturbed may lack something. */
	if (head->nlmsg_flags & NLM_F_DUMP_INTR)
		return -EAGAIN;
	if ((int)info->ifa_index != save->index || info->ifa_scope != RT_SCOPE_UNIVERSE ||
	    !(flags_of(head) & IFA_F_PERMANENT))
		return 0;
	buf_append(save->ret, head, head->nlmsg_len);
	buf_append(save->ret, padding, NLMSG_ALIGN(head->nlmsg_len) - head->nlmsg_len);
	return save->ret->failed ? -ENOMEM : 0;
}

int sys_address_save(int fd, int index, struct buf *ret)
{
	const struct ifaddrmsg info = {.ifa_family = AF_UNSPEC};
	struct save save = {.index = index, .ret = ret};
	struct netlink_request request;
	size_t before = ret->len;
	int r = -EAGAIN;

	for (int tries = 0; tries < 10 && r == -EAGAIN; tries++) {
		ret->len = before;
		netlink_begin(&request, RTM_GETADDR, NLM_F_DUMP, &info, sizeof(info));
		r = netlink_talk(fd, &request, save_address, &save);
	}
	return r;
}

static int restore_address(int fd, int index, bool same_name, const struct nlmsghdr *head)
{
	struct ifaddrmsg info;
	const struct rtattr *attr = IFA_RTA((struct ifaddrmsg *)NLMSG_DATA(head));
	int n = (int)IFA_PAYLOAD(head);
	__u32 flags = flags_of(head) & ~(__u32)STATE_FLAGS;
	struct netlink_request request;

	memcpy(&info, NLMSG_DATA(head), sizeof(info));
	info.ifa_index = (__u32)index;
	info.ifa_flags = (__u8)flags;
	netlink_begin(&request, RTM_NEWADDR, NLM_F_CREATE | NLM_F_REPLACE, &info, sizeof(info));
	for (; RTA_OK(attr, n); attr = RTA_NEXT(attr, n)) {
		/* Life times: permanent is what there is without them. A label holds the interface's name. */
		if (attr->rta_type == IFA_CACHEINFO || attr->rta_type == IFA_FLAGS ||
		    (attr->rta_type == IFA_LABEL && !same_name))
			continue;
		netlink_attr(&request, attr->rta_type, RTA_DATA(attr), RTA_PAYLOAD(attr));
	}
	netlink_attr(&request, IFA_FLAGS, &flags, sizeof(flags));
	return netlink_talk(fd, &request, NULL, NULL);
}

int sys_address_restore(int fd, int index, bool same_name, const struct buf *saved)
{
	size_t at = 0;
	int r = 0;

	while (r == 0 && at < saved->len) {
		const struct nlmsghdr *head = (const struct nlmsghdr *)(saved->data + at);

		/* What comes from a record may be damaged. */
		if (saved->len - at < NLMSG_LENGTH(sizeof(struct ifaddrmsg)) ||
		    head->nlmsg_len < NLMSG_LENGTH(sizeof(struct ifaddrmsg)) ||
		    head->nlmsg_len > saved->len - at)
			return -EBADMSG;
		r = restore_address(fd, index, same_name, head);
		at += NLMSG_ALIGN(head->nlmsg_len);
	}
	return r;
}
