// SPDX-License-Identifier: Apache-2.0
// Network interfaces back from a container: see netdev_return.h.
#include "host/netdev_return.h"

#include "base/cleanup.h"
#include "base/log.h"
#include "base/str.h"
#include "fs/mountinfo.h"
#include "sys/file.h"
#include "sys/netlink.h"
#include "sys/netlink_addr.h"
#include "sys/process.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

static const char digits[] = "0123456789abcdef";

static const char *to_hex(const void *data, size_t len, struct oci_arena *arena)
{
	const unsigned char *from = data;
	char *text = oci_arena_alloc(arena, 2 * len + 1);

	for (size_t i = 0; text && i < len; i++) {
		text[2 * i] = digits[from[i] >> 4];
		text[2 * i + 1] = digits[from[i] & 15];
	}
	if (text)
		text[2 * len] = '\0';
	return text;
}

/* Ends at what is no digit: the record is ours. */
static void from_hex(const char *text, struct buf *ret)
{
	for (; text && text[0] && text[1]; text += 2) {
		const char *high = strchr(digits, text[0]), *low = strchr(digits, text[1]);
		unsigned char byte;

		if (!high || !low)
			return;
		byte = (unsigned char)((high - digits) << 4 | (low - digits));
		buf_append(ret, &byte, 1);
	}
}

int netdev_describe(const struct sys_link *link, const struct buf *addresses,
		    struct oci_arena *arena, struct oci_record_net_device *ret)
{
	ret->kind = oci_arena_strndup(arena, link->kind, strlen(link->kind));
	ret->permanent_address = to_hex(link->permanent, link->permanent_len, arena);
	ret->addresses = to_hex(addresses->data, addresses->len, arena);
	ret->has_link = true;
	ret->link = link->link;
	ret->has_up = true;
	ret->up = link->up;
	return ret->kind && ret->permanent_address && ret->addresses ? 0 : -ENOMEM;
}

/*
 * Of a physical device the hardware address cannot be forged by who only rules over a namespace: he can make virtual ones alone. Of a
 * connected one nobody else can make another that is connected to the same interface in the same namespace.
 */
bool netdev_is_same(const struct oci_record_net_device *rec, const struct sys_link *link)
{
	char permanent[2 * sizeof(link->permanent) + 1] = "";

	for (size_t i = 0; i < link->permanent_len; i++)
		snprintf(permanent + 2 * i, 3, "%02x", link->permanent[i]);
	return str_eq(rec->kind ? rec->kind : "", link->kind) &&
	       str_eq(rec->permanent_address ? rec->permanent_address : "", permanent) &&
	       rec->link == link->link &&
	       (!rec->has_link_namespace || rec->link_namespace == link->link_netns);
}

/*
 * A runtime that was killed right after the move has not noted by which number the other end's namespace is called in there. It is
 * ours: else anybody could connect one to an interface of his own that has the right number.
 */
static bool leads_here(const struct oci_record_net_device *rec, const struct sys_link *link,
		       int there, int own_ns)
{
	return rec->has_link_namespace || rec->link == 0 ||
	       link->link_netns == sys_netns_number(there, own_ns);
}

int netdev_take_back(int there, int here, int own_ns, const struct oci_record_net_device *rec)
{
	_cleanup_buf_ struct buf addresses = {0};
	struct sys_link link, taken;
	int r = rec->index > 0 ? sys_link_get(there, rec->index, &link)
			       : sys_link_find(there, rec->inside, &link);

	if (r < 0)
		return r;
	if (!netdev_is_same(rec, &link) || !leads_here(rec, &link, there, own_ns))
		return -ENODEV;
	r = sys_link_find(here, rec->name, &taken);
	if (r == 0)
		return -EEXIST;
	if (r == -ENODEV)
		r = sys_link_move(there, link.index, own_ns, rec->name);
	if (r == 0)
		r = sys_link_find(here, rec->name, &link);
	if (r < 0)
		return r;
	from_hex(rec->addresses, &addresses);
	r = sys_address_restore(here, link.index, true, &addresses);
	if (r == 0 && rec->up)
		r = sys_link_set_up(here, link.index);
	return r;
}

int netdev_describe_namespace(int ns_fd, int sock, struct oci_record_net_namespace *ret)
{
	struct stat st;

	if (fstat(ns_fd, &st) < 0)
		return -errno;
	ret->has_inode = true;
	ret->inode = st.st_ino;
	ret->has_cookie = sys_netns_cookie(sock, &ret->cookie) == 0;
	return 0;
}

static bool is_namespace(const struct oci_record_net_namespace *ns, int fd, int sock)
{
	struct oci_record_net_namespace now = {0};

	return netdev_describe_namespace(fd, sock, &now) == 0 && now.inode == ns->inode &&
	       (!ns->has_cookie || !now.has_cookie || now.cookie == ns->cookie);
}

int netdevs_hold(pid_t pid)
{
	char path[40];

	snprintf(path, sizeof(path), "/proc/%d/ns/net", (int)pid);
	return sys_openat(AT_FDCWD, path, O_RDONLY, 0);
}

/* Opens the file, if it is of the namespace with that inode; or FD_NONE. Nobody is waited for, should it be a fifo. */
static int open_if(const char *path, uint64_t inode)
{
	int fd = sys_openat(AT_FDCWD, path, O_RDONLY | O_NONBLOCK, 0);
	struct stat st;

	if (fd < 0)
		return FD_NONE;
	if (fstat(fd, &st) < 0 || st.st_ino != inode)
		close_fd(&fd);
	return fd;
}

/* ip-netns(8) and engines keep namespaces by mounting their files somewhere. */
static int find_mounted(uint64_t inode)
{
	_cleanup_close_ int proc = sys_openat(AT_FDCWD, "/proc", O_PATH | O_DIRECTORY, 0);
	_cleanup_buf_ struct buf text = {0};
	struct crun_error err;
	struct mountinfo m;
	char root[40];
	char *cursor;
	int fd = FD_NONE;

	snprintf(root, sizeof(root), "net:[%llu]", (unsigned long long)inode);
	if (proc < 0 || mountinfo_read(proc, "self/mountinfo", &text, &err) < 0)
		return FD_NONE;
	cursor = text.data;
	while (fd < 0 && mountinfo_next(&cursor, &m) > 0) {
		if (str_eq(m.root, root))
			fd = open_if(m.mount_point, inode);
	}
	return fd;
}

static int find_at_process(uint64_t inode)
{
	_cleanup_closedir_ DIR *proc = opendir("/proc");
	struct dirent *e;
	struct stat st;
	char path[sizeof(e->d_name) + 16];
	int fd = FD_NONE;

	while (fd < 0 && proc && (e = readdir(proc))) {
		snprintf(path, sizeof(path), "/proc/%s/ns/net", e->d_name);
		if (e->d_name[0] >= '1' && e->d_name[0] <= '9' && stat(path, &st) == 0 &&
		    st.st_ino == inode)
			fd = open_if(path, inode);
	}
	return fd;
}

static int find_namespace(const struct oci_record_net_namespace *ns)
{
	int fd = ns->path ? open_if(ns->path, ns->inode) : FD_NONE;

	if (fd < 0)
		fd = find_mounted(ns->inode);
	return fd < 0 ? find_at_process(ns->inode) : fd;
}

/* A netlink socket in the namespace NS_FD; back in OWN_NS. */
static int open_there(int ns_fd, int own_ns)
{
	int sock, r = sys_setns(ns_fd, CLONE_NEWNET);

	if (r < 0)
		return r;
	sock = sys_netlink_open();
	r = sys_setns(own_ns, CLONE_NEWNET);
	if (r < 0)
		close_fd(&sock);
	return r < 0 ? r : sock;
}

static void take_all(const struct oci_record *rec, int there, int here, int own_ns)
{
	for (size_t i = rec->net_devices_len; i-- > 0;) {
		const struct oci_record_net_device *dev = &rec->net_devices[i];
		int r = netdev_take_back(there, here, own_ns, dev);

		/* It never got there, or somebody has removed it. */
		if (r == -ENODEV)
			log_debug("delete: the network device `%s` (`%s` in the container) is not "
				  "in the container's network namespace any more",
				  dev->name, dev->inside);
		else if (r < 0)
			log_warning("delete: take the network device `%s` (`%s` in the container) "
				    "back: %s",
				    dev->name, dev->inside, err_describe(-r));
	}
}

void netdevs_return(const struct oci_record *rec, int held)
{
	_cleanup_close_ int own_ns = FD_NONE, here = FD_NONE, found = FD_NONE, there = FD_NONE;
	int ns = held;

	if (!rec->net_devices_len || !rec->net_namespace || !rec->host_net_namespace)
		return;
	if (ns < 0)
		ns = found = find_namespace(rec->net_namespace);
	if (ns < 0) {
		log_debug("delete: the container's network namespace has ended");
		return;
	}
	own_ns = sys_openat(AT_FDCWD, "/proc/thread-self/ns/net", O_RDONLY, 0);
	here = own_ns < 0 ? own_ns : sys_netlink_open();
	there = here < 0 ? here : open_there(ns, own_ns);
	if (there < 0) {
		log_warning("delete: take network devices back: %s", err_describe(-there));
		return;
	}
	/* The number of a namespace is used again. */
	if (!is_namespace(rec->net_namespace, ns, there))
		return;
	if (!is_namespace(rec->host_net_namespace, own_ns, here)) {
		log_warning("delete: the container's network devices stay in its network "
			    "namespace: this is not the one that they came from");
		return;
	}
	take_all(rec, there, here, own_ns);
}
