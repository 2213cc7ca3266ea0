// SPDX-License-Identifier: Apache-2.0
// linux.sysctl: written through the host's procfs, where each namespaced value belongs to the writer's namespace.
#include "init/outside/phase.h"

#include "base/cleanup.h"
#include "fs/walk.h"
#include "sys/file.h"
#include "sys/io.h"

#include <errno.h>
#include <string.h>

/* "net.ipv4.ip_forward" and "net/ipv4/ip_forward" name the same file; the first separator tells which form it is (sysctl(8)). */
static int path_of_key(const char *key, char *path, size_t size)
{
	static const char prefix[] = "sys/";
	const char *first = strpbrk(key, "./");
	bool dotted = first && *first == '.';
	size_t n = strlen(key);

	if (sizeof(prefix) + n > size)
		return -ENAMETOOLONG;
	memcpy(path, prefix, sizeof(prefix));
	path += sizeof(prefix) - 1;
	for (size_t i = 0; i <= n; i++) {
		if (dotted && key[i] == '.')
			path[i] = '/';
		else if (dotted && key[i] == '/')
			path[i] =
				'.'; /* net.ipv4.conf.eth0/100.forwarding: a dot in an interface's name */
		else
			path[i] = key[i];
	}
	return 0;
}

static int write_sysctl(const struct outside *o, const char *key, const char *value)
{
	_cleanup_close_ int fd = FD_NONE;
	char path[512];
	int r = path_of_key(key, path, sizeof(path));

	if (r < 0)
		return r;
	fd = lookup_open(o->proc_fd, path, O_WRONLY,
			 RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS);
	if (fd < 0)
		return fd;
	return io_write_all(fd, value, strlen(value));
}

int phase_sysctl(struct outside *o, struct crun_error *err)
{
	const struct oci_string_map *map = o->plan->linux_->sysctl;

	for (size_t i = 0; i < map->len; i++) {
		const struct oci_string_pair *pair = &map->items[i];
		int r = write_sysctl(o, pair->key, pair->value);

		if (r < 0) {
			err_sys(err, r, "set sysctl `%s` to `%s`", pair->key, pair->value);
			return err_at_key(err, "/linux/sysctl", pair->key);
		}
	}
	return 0;
}
