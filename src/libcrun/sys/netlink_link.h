/* SPDX-License-Identifier: Apache-2.0 */
/* Network interfaces by rtnetlink(7), in the namespace of the socket FD (sys_netlink_open). Each returns 0 or a negative errno. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

struct sys_link {
	int index;
	bool up;  /* IFF_UP */
	int link; /* the index of its peer, or of what it lies on; 0: none */
	int link_netns; /* the namespace of that one, by its number in this one (ip-netns(8), nsid); -1: this one */
	char kind[16];		     /* of a virtual interface ("veth"), "" for hardware */
	unsigned char permanent[32]; /* hardware address that it was made with; Linux 5.6 */
	size_t permanent_len;	     /* 0: it has none, or the kernel does not tell */
};

/* Looks an interface up by its name; -ENODEV when there is none. */
int sys_link_find(int fd, const char *name, struct sys_link *ret);

/* The same by its number. */
int sys_link_get(int fd, int index, struct sys_link *ret);

/*
 * Moves the interface to the network namespace NETNS_FD under the name NAME; the kernel takes it down and drops its addresses.
 * -EEXIST: the name is taken there. When the namespace changed but not the name, the error is that of the second step.
 */
int sys_link_move(int fd, int index, int netns_fd, const char *name);

int sys_link_set_up(int fd, int index);

/*
 * The loopback interface of the calling thread's network namespace, by netdevice(7): any socket takes that call, and one of the family
 * AF_UNIX is made and gone in less time than rtnetlink takes for its answer. Of the flags that it sets a new namespace's has none.
 */
int sys_loopback_up(void);
