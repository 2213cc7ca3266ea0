// SPDX-License-Identifier: Apache-2.0
// linux.netDevices: moves network interfaces into the container's network namespace, and back when its creation fails. See netdev.h.
#include "host/netdev.h"

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/log.h"
#include "host/netdev_return.h"
#include "sys/file.h"
#include "sys/netlink.h"
#include "sys/netlink_addr.h"
#include "sys/netlink_link.h"
#include "sys/process.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A name template has no free number any more when it comes to this one. */
#define TEMPLATE_NUMBERS 65536

struct netdev {
	const struct plan_net_device *plan;
	struct oci_record_net_device *record; /* what it was, and is inside */
	struct buf addresses;		      /* as they were */
	char name[PLAN_NET_NAME_MAX + 1];     /* inside */
	bool moved;
};

struct netdevs {
	int own_ns, target_ns; /* namespace files */
	int here, there;       /* netlink sockets in them */
	size_t len;
	struct netdev devices[];
};

/* A netlink socket in the target namespace: it stays there when we are back in our own. */
static int open_there(struct netdevs *n, struct crun_error *err)
{
	int r = sys_setns(n->target_ns, CLONE_NEWNET);

	if (r < 0)
		return err_sys(err, r, "enter the container's network namespace");
	n->there = sys_netlink_open();
	r = sys_setns(n->own_ns, CLONE_NEWNET);
	if (r < 0)
		return err_sys(err, r, "return to our own network namespace");
	if (n->there < 0)
		return err_sys(err, n->there,
			       "open a netlink socket in the container's network namespace");
	return 0;
}

static int open_both(struct netdevs *n, const struct netdevs_request *q, struct crun_error *err)
{
	n->own_ns = sys_openat(AT_FDCWD, "/proc/thread-self/ns/net", O_RDONLY, 0);
	if (n->own_ns < 0)
		return err_sys(err, n->own_ns, "open our own network namespace");
	n->target_ns = q->joined_fd >= 0 ? sys_dup_cloexec(q->joined_fd, 3) : netdevs_hold(q->pid);
	if (n->target_ns < 0)
		return err_sys(err, n->target_ns, "open the container's network namespace");
	n->here = sys_netlink_open();
	if (n->here < 0)
		return err_sys(err, n->here, "open a netlink socket");
	return open_there(n, err);
}

/* Where the namespace is found again; only a file that the configuration names may be there when the container has ended. */
static const char *joined_path(const struct launch_plan *plan)
{
	const struct oci_linux *lx = plan->linux_;

	for (size_t i = 0; i < lx->namespaces_len; i++) {
		if (lx->namespaces[i].type == OCI_NAMESPACE_TYPE_NETWORK)
			return lx->namespaces[i].path;
	}
	return NULL;
}

static int record_namespaces(const struct netdevs *n, const struct netdevs_request *q,
			     struct crun_error *err)
{
	struct oci_record *rec = q->record;
	int r = -ENOMEM;

	rec->net_namespace = oci_arena_alloc(q->arena, sizeof(*rec->net_namespace));
	rec->host_net_namespace = oci_arena_alloc(q->arena, sizeof(*rec->host_net_namespace));
	rec->net_devices =
		oci_arena_alloc(q->arena, q->plan->net_devices_len * sizeof(*rec->net_devices));
	if (rec->net_namespace && rec->host_net_namespace && rec->net_devices) {
		rec->net_namespace->path = joined_path(q->plan);
		r = netdev_describe_namespace(n->target_ns, n->there, rec->net_namespace);
	}
	if (r == 0)
		r = netdev_describe_namespace(n->own_ns, n->here, rec->host_net_namespace);
	return r < 0 ? err_sys(err, r, "note which network namespaces are meant") : 0;
}

/*
 * The kernel would choose a name for a template by itself, but does not tell which: the interface could not be found again. It would
 * take the first free number as well.
 */
static int choose_name(const struct netdevs *n, struct netdev *dev, struct crun_error *err)
{
	const char *wanted = dev->plan->inside, *percent = strchr(wanted, '%');
	int head = percent ? (int)(percent - wanted) : 0;
	struct sys_link taken;
	int r;

	for (unsigned i = 0;; i++) {
		int len = percent ? snprintf(dev->name, sizeof(dev->name), "%.*s%u%s", head, wanted,
					     i, percent + 2)
				  : snprintf(dev->name, sizeof(dev->name), "%s", wanted);

		if ((size_t)len >= sizeof(dev->name) || i >= TEMPLATE_NUMBERS)
			return err_set(
				err, KIND_EXISTS, EEXIST,
				"no name of the form `%s` is free in the container's network namespace",
				wanted);
		r = sys_link_find(n->there, dev->name, &taken);
		if (r == -ENODEV)
			return 0;
		if (r < 0)
			return err_sys(err, r, "look for `%s` in the container's network namespace",
				       dev->name);
		if (!percent)
			return err_set(
				err, KIND_EXISTS, EEXIST,
				"a network device `%s` exists already in the container's network namespace",
				dev->name);
	}
}

static int say_unmovable(const struct netdev *dev, int r, struct crun_error *err)
{
	/* Loopback-like and per-namespace devices; what netdevice(7) and ip-link(8) call "netns-immutable". */
	if (r == -EINVAL)
		return err_set(
			err, KIND_UNSUPPORTED, EINVAL,
			"the kernel does not let the network device `%s` change its namespace",
			dev->plan->name);
	return err_sys(err, r,
		       "move the network device `%s` to the container's network namespace as `%s`",
		       dev->plan->name, dev->name);
}

static int finish_inside(const struct netdevs *n, struct netdev *dev, struct crun_error *err)
{
	bool same_name = strcmp(dev->plan->name, dev->name) == 0;
	struct sys_link link;
	int r = sys_link_find(n->there, dev->name, &link);

	if (r < 0)
		return err_sys(err, r, "find the network device `%s` in the container", dev->name);
	/* Who lives in a joined namespace may have renamed it, and put his own in its place. */
	if (!netdev_is_same(dev->record, &link))
		return err_set(err, KIND_SYSTEM, ESTALE,
			       "the network device `%s` was replaced by another one while the "
			       "container was made",
			       dev->name);
	dev->record->has_index = true;
	dev->record->index = link.index;
	dev->record->has_link_namespace = true;
	dev->record->link_namespace = link.link_netns;
	r = sys_address_restore(n->there, link.index, same_name, &dev->addresses);
	if (r < 0)
		return err_sys(err, r,
			       "give the network device `%s` its addresses in the container",
			       dev->name);
	r = sys_link_set_up(n->there, link.index);
	if (r < 0)
		return err_sys(err, r, "bring the network device `%s` up in the container",
			       dev->name);
	return 0;
}

/* Looks at the device and writes down what is to be moved. *RET_INDEX is its number here. */
static int prepare(const struct netdevs *n, const struct netdevs_request *q, struct netdev *dev,
		   int *ret_index, struct crun_error *err)
{
	const char *name = dev->plan->name;
	struct sys_link here;
	int r = sys_link_find(n->here, name, &here);

	if (r == -ENODEV)
		return err_set(err, KIND_NOT_FOUND, ENODEV, "there is no network device `%s`",
			       name);
	if (r < 0)
		return err_sys(err, r, "look for the network device `%s`", name);
	*ret_index = here.index;
	r = choose_name(n, dev, err);
	if (r < 0)
		return r;
	r = sys_address_save(n->here, here.index, &dev->addresses);
	if (r < 0)
		return err_sys(err, r, "read the addresses of the network device `%s`", name);
	dev->record->name = name;
	dev->record->inside = oci_arena_strndup(q->arena, dev->name, strlen(dev->name));
	r = netdev_describe(&here, &dev->addresses, q->arena, dev->record);
	if (r < 0 || !dev->record->inside)
		return err_sys(err, -ENOMEM, "describe the network device `%s`", name);
	q->record->net_devices_len = n->len;
	return q->note(q->data, err);
}

static int move_device(const struct netdevs *n, const struct netdevs_request *q, struct netdev *dev,
		       struct crun_error *err)
{
	const char *name = dev->plan->name;
	struct sys_link link;
	int index = 0, r = prepare(n, q, dev, &index, err);

	if (r < 0)
		return r;
	r = sys_link_move(n->here, index, n->target_ns, dev->name);
	if (r < 0) {
		/* It may be there, and only the change of its name have failed. */
		if (sys_link_find(n->here, name, &link) == -ENODEV &&
		    sys_link_find(n->there, name, &link) == 0) {
			dev->moved = true;
			dev->record->has_index = true;
			dev->record->index = link.index;
		}
		return say_unmovable(dev, r, err);
	}
	dev->moved = true;
	return finish_inside(n, dev, err);
}

int netdevs_move(const struct netdevs_request *q, struct netdevs **ret, struct crun_error *err)
{
	size_t len = q->plan->net_devices_len;
	struct netdevs *n = calloc(1, sizeof(*n) + len * sizeof(n->devices[0]));
	int r;

	if (!n)
		return err_sys(err, -ENOMEM, "move network devices");
	n->own_ns = n->target_ns = n->here = n->there = FD_NONE;
	r = open_both(n, q, err);
	if (r >= 0)
		r = record_namespaces(n, q, err);
	if (r < 0)
		err_at(err, "/linux/netDevices");
	while (r >= 0 && n->len < len) {
		struct netdev *dev = &n->devices[n->len++];

		dev->plan = &q->plan->net_devices[n->len - 1];
		dev->record = &q->record->net_devices[n->len - 1];
		r = move_device(n, q, dev, err);
		if (r < 0)
			err_at_key(err, "/linux/netDevices", dev->plan->name);
	}
	if (r < 0) {
		netdevs_restore(n);
		netdevs_free(n);
		return r;
	}
	*ret = n;
	return 0;
}

void netdevs_restore(struct netdevs *n)
{
	for (size_t i = n->len; i-- > 0;) {
		const struct netdev *dev = &n->devices[i];
		int r = dev->moved ? netdev_take_back(n->there, n->here, n->own_ns, dev->record)
				   : 0;

		if (r < 0)
			log_warning("undo: move the network device `%s` back: %s", dev->plan->name,
				    err_describe(-r));
	}
}

void netdevs_free(struct netdevs *n)
{
	if (!n)
		return;
	for (size_t i = 0; i < n->len; i++)
		buf_done(&n->devices[i].addresses);
	close_fd(&n->own_ns);
	close_fd(&n->target_ns);
	close_fd(&n->here);
	close_fd(&n->there);
	free(n);
}
