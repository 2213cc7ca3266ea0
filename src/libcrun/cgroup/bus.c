// SPDX-License-Identifier: Apache-2.0
// Connecting to a systemd manager: see bus.h.
#include "cgroup/bus.h"

#include "base/log.h"
#include "base/cleanup.h"
#include "base/str.h"
#include "cgroup/bus_internal.h"
#include "sys/file.h"
#include "sys/io.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

#define INSTEAD "; use --cgroup-manager=cgroupfs to do without systemd"

/* The inode of the initial user namespace is fixed (PROC_USER_INIT_INO of the kernel). */
#define INITIAL_USER_NS_INODE 0xEFFFFFFDU

#ifdef HAVE_SYSTEMD
#define HAS_DRIVER true
#else
#define HAS_DRIVER false
#endif

/* ---- where to connect ---- */

static bool in_user_namespace(void)
{
	struct stat st;

	return stat("/proc/self/ns/user", &st) == 0 && st.st_ino != INITIAL_USER_NS_INODE;
}

/* The user who UID of our user namespace is outside of it: the owner of the manager. A line of uid_map is "inside outside length". */
static uid_t outside_uid(uid_t uid)
{
	char text[4096], *rest = text, *line;

	if (io_read_file_at(AT_FDCWD, "/proc/self/uid_map", text, sizeof(text)) < 0)
		return uid;
	while ((line = strsep(&rest, "\n"))) {
		unsigned long inside = strtoul(line, &line, 10);
		unsigned long outside = strtoul(line, &line, 10);
		unsigned long length = strtoul(line, &line, 10);

		if (uid >= inside && uid - inside < length)
			return (uid_t)(outside + (uid - inside));
	}
	return uid;
}

struct place {
	char path[160];
	bool user, broker;
};

static void add_place(struct place *places, size_t *len, bool user, bool broker, const char *dir,
		      const char *file)
{
	struct place *p = &places[*len];

	if (snprintf(p->path, sizeof(p->path), "%s/%s", dir, file) >= (int)sizeof(p->path))
		return;
	p->user = user;
	p->broker = broker;
	(*len)++;
}

static size_t list_places(struct place places[6])
{
	const char *dir = getenv("XDG_RUNTIME_DIR");
	bool root = geteuid() == 0, nested = in_user_namespace();
	char own[64];
	size_t n = 0;

	if (!root || nested) {
		if (dir && dir[0] == '/') {
			add_place(places, &n, true, false, dir, "systemd/private");
			add_place(places, &n, true, true, dir, "bus");
		}
		snprintf(own, sizeof(own), "/run/user/%u",
			 (unsigned)(nested ? outside_uid(geteuid()) : geteuid()));
		if (!dir || !str_eq(own, dir)) {
			add_place(places, &n, true, false, own, "systemd/private");
			add_place(places, &n, true, true, own, "bus");
		}
	}
	/* Root of a user namespace may be in a container that has a systemd of its own; the host's does not let it in. */
	if (root) {
		add_place(places, &n, false, false, "/run/systemd", "private");
		add_place(places, &n, false, true, "/run/dbus", "system_bus_socket");
	}
	return n;
}

/* A full backlog, that of a manager that hangs, is EAGAIN: it is tried again until the deadline. */
static int connect_to(const char *path, const struct deadline *deadline)
{
	_cleanup_close_ int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	struct sockaddr_un addr = {.sun_family = AF_UNIX};
	int r;

	if (fd < 0)
		return -errno;
	if (strlen(path) >= sizeof(addr.sun_path))
		return -ENAMETOOLONG;
	memcpy(addr.sun_path, path, strlen(path) + 1);
	while (connect(fd, (struct sockaddr *)&addr, sizeof(addr)) < 0) {
		if (errno != EAGAIN && errno != EINTR)
			return -errno;
		r = deadline_pause(deadline, 10);
		if (r < 0)
			return r;
	}
	return take_fd(&fd);
}

/* Says what was tried. TRIED has "`/path` (why), `/path` (why)". */
static int no_manager(bool user, const char *tried, struct crun_error *err)
{
	if (user)
		return err_set(
			err, CODE_SYSTEMD_BUS, EOPNOTSUPP,
			"cannot connect to the user's systemd manager, tried %s: log in through a "
			"session, or have an administrator run `loginctl enable-linger` for the user, "
			"and set XDG_RUNTIME_DIR" INSTEAD,
			tried);
	return err_set(err, CODE_SYSTEMD_BUS, EOPNOTSUPP,
		       "cannot connect to systemd, tried %s: is it what runs this host?" INSTEAD,
		       tried);
}

static int connect_any(struct cg_bus *bus, struct crun_error *err)
{
	struct place places[6];
	size_t n = list_places(places), len = 0;
	char tried[900] = "";

	for (size_t i = 0; i < n; i++) {
		int fd = connect_to(places[i].path, &bus->deadline);

		if (fd >= 0) {
			log_debug("systemd: connected to `%s`", places[i].path);
			/* systemd may be in our user namespace or outside of it, where our ids are others: it asks the kernel. */
			bus_link_init(&bus->link, fd, in_user_namespace() ? BUS_NOBODY : geteuid());
			bus->user = places[i].user;
			bus->broker = places[i].broker;
			return 0;
		}
		if (fd == -ETIMEDOUT || fd == -ECANCELED)
			return deadline_err(&bus->deadline, fd, err, "connecting to `%s`",
					    places[i].path);
		if (len < sizeof(tried))
			len += (size_t)snprintf(tried + len, sizeof(tried) - len, "%s`%s` (%s)",
						len ? ", " : "", places[i].path, err_describe(-fd));
	}
	return no_manager(places[0].user, tried, err);
}

/* Waits until the socket is ready for what the link wants of it. */
static int wait_link(struct cg_bus *bus)
{
	struct pollfd p = {.fd = bus->link.fd, .events = bus_link_events(&bus->link)};

	return deadline_poll(&bus->deadline, &p, 1);
}

/* Takes the next message that is there, or waits for more. */
static int turn(struct cg_bus *bus)
{
	struct bus_message m;
	int r;

	/* What it points to is gone with the next message. */
	bus->reply = (struct bus_message){0};
	r = bus_link_next(&bus->link, &m);
	if (r > 0)
		r = bus_dispatch(bus, &m);
	else if (r == 0)
		return wait_link(bus);
	/* A peer that always has something to say holds nobody up, nor who wants to stop. */
	return r >= 0 ? deadline_check(&bus->deadline) : r;
}

/* R ended the connection while WHAT was done. */
static int lost(struct cg_bus *bus, int r, const char *what, struct crun_error *err)
{
	if (bus->refusal.kind != KIND_NONE) {
		*err = bus->refusal;
		return -err->errnum;
	}
	if (r == -ETIMEDOUT || r == -ECANCELED || !bus->link.reason)
		return deadline_err(&bus->deadline, r, err, "%s", what);
	return err_set(err, CODE_SYSTEMD_BUS, -r, "%s: %s", what, bus->link.reason);
}

int bus_run(struct cg_bus *bus, const bool *done, const char *what, struct crun_error *err)
{
	_cleanup_free_ char *doing = NULL;
	int r = bus->broken ? -ENOTCONN : 0;

	while (r >= 0 && !*done)
		r = turn(bus);
	if (*done && !bus->broken)
		return 0;
	bus->broken = true;
	doing = str_printf("systemd: %s", what);
	return lost(bus, r, doing ? doing : what, err);
}

/* Authentication, and the greeting where there is a broker. */
static int shake_hands(struct cg_bus *bus, struct crun_error *err)
{
	int r;

	while ((r = bus_link_greet(&bus->link)) == 0) {
		r = wait_link(bus);
		if (r < 0)
			break;
	}
	if (r >= 0 && bus->broker)
		r = bus_say_hello(bus);
	return r >= 0 ? 0 : lost(bus, r, "connecting to systemd", err);
}

int cg_bus_open(const struct deadline *deadline, struct cg_bus **ret, struct crun_error *err)
{
	_cleanup_bus_ struct cg_bus *bus = calloc(1, sizeof(*bus));
	int r;

	if (!bus)
		return err_sys(err, -ENOMEM, "connection to systemd");
	bus->link.fd = FD_NONE;
	if (!HAS_DRIVER)
		return err_set(err, CODE_SYSTEMD_LIBRARY, EOPNOTSUPP,
			       "this build has no systemd cgroup driver" INSTEAD);
	bus->deadline = deadline_or(deadline, CG_BUS_MS);
	r = connect_any(bus, err);
	if (r >= 0)
		r = shake_hands(bus, err);
	if (r < 0)
		return r;
	*ret = take_ptr(bus);
	return 0;
}

void cg_bus_close(struct cg_bus *bus)
{
	if (!bus)
		return;
	for (size_t i = 0; i < BUS_JOBS; i++) {
		free(bus->jobs[i].path);
		free(bus->jobs[i].result);
		free(bus->jobs[i].sender);
	}
	bus_link_done(&bus->link);
	free(bus);
}

bool cg_bus_is_user(const struct cg_bus *bus)
{
	return bus->user;
}
