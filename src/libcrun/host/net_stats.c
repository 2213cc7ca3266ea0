// SPDX-License-Identifier: Apache-2.0
// The counters of a container's network interfaces, from /proc/PID/net/dev, which shows the namespace of the process.
#include "host/stats.h"

#include "base/str.h"
#include "sys/file.h"
#include "sys/io.h"
#include "sys/pidfd.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#define DEV_MAX (256 * 1024)

/* Its own: on the host's interfaces nobody can tell who sent what. Also no when we may not look. */
static bool has_own_namespace(pid_t pid)
{
	char path[32], ours[64], theirs[64];

	snprintf(path, sizeof(path), "/proc/%d/ns/net", (int)pid);
	return sys_readlinkat(AT_FDCWD, path, theirs, sizeof(theirs)) > 0 &&
	       sys_readlinkat(AT_FDCWD, "/proc/self/ns/net", ours, sizeof(ours)) > 0 &&
	       !str_eq(ours, theirs);
}

/* "  eth0: 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16": eight numbers received, eight sent. */
static bool parse_line(char *line, struct net_interface *ret)
{
	static const struct {
		unsigned column;
		enum net_counter counter;
	} wanted[] = {
		{0, NET_RX_BYTES}, {1, NET_RX_PACKETS}, {2, NET_RX_ERRORS},  {3, NET_RX_DROPPED},
		{8, NET_TX_BYTES}, {9, NET_TX_PACKETS}, {10, NET_TX_ERRORS}, {11, NET_TX_DROPPED},
	};
	char *colon = strrchr(line, ':'), *word;
	unsigned column = 0, found = 0;

	if (!colon)
		return false;
	*colon = '\0';
	line += strspn(line, " ");
	if (snprintf(ret->name, sizeof(ret->name), "%s", line) >= (int)sizeof(ret->name))
		return false;
	line = colon + 1;
	while ((word = strsep(&line, " "))) {
		if (!*word)
			continue;
		for (size_t i = 0; i < ARRAY_LEN(wanted); i++) {
			if (wanted[i].column == column)
				found += str_to_u64(word, UINT64_MAX,
						    &ret->counters[wanted[i].counter]) == 0;
		}
		column++;
	}
	return found == ARRAY_LEN(wanted);
}

int net_stats_read(pid_t pid, int pidfd, struct net_stats *ret)
{
	_cleanup_free_ char *text = malloc(DEV_MAX);
	char path[32], *rest, *line;

	if (!text)
		return -ENOMEM;
	snprintf(path, sizeof(path), "/proc/%d/net/dev", (int)pid);
	if (!has_own_namespace(pid) || io_read_file_at(AT_FDCWD, path, text, DEV_MAX) < 0 ||
	    sys_pidfd_has_ended(pidfd))
		return 0;
	rest = text;
	while ((line = strsep(&rest, "\n"))) {
		struct net_interface nif = {.name = ""};
		struct net_interface *grown;

		if (!parse_line(line, &nif))
			continue;
		grown = reallocarray(ret->items, ret->len + 1, sizeof(*grown));
		if (!grown)
			return -ENOMEM;
		ret->items = grown;
		ret->items[ret->len++] = nif;
	}
	return 0;
}
