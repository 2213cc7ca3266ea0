// SPDX-License-Identifier: Apache-2.0
// Loading libsystemd and connecting to a systemd manager: see bus.h.
#include "cgroup/bus.h"

#include "base/log.h"
#include "base/cleanup.h"
#include "base/str.h"
#include "cgroup/bus_internal.h"
#include "sys/file.h"
#include "sys/io.h"

#include <dlfcn.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

#define LIBRARY "libsystemd.so.0"
#define INSTEAD "; use --cgroup-manager=cgroupfs to do without systemd"

/* The inode of the initial user namespace is fixed (PROC_USER_INIT_INO of the kernel). */
#define INITIAL_USER_NS_INODE 0xEFFFFFFDU

#ifdef HAVE_SYSTEMD

static int load_library(struct sd_library *sd, struct crun_error *err)
{
	const struct {
		const char *name;
		void *pointer; /* a function pointer to be set */
	} symbols[] = {
		{"sd_bus_new", &sd->bus_new},
		{"sd_bus_set_fd", &sd->set_fd},
		{"sd_bus_set_bus_client", &sd->set_bus_client},
		{"sd_bus_start", &sd->start},
		{"sd_bus_is_ready", &sd->is_ready},
		{"sd_bus_process", &sd->process},
		{"sd_bus_get_events", &sd->get_events},
		{"sd_bus_close_unref", &sd->close_unref},
		{"sd_bus_match_signal_async", &sd->match_signal_async},
		{"sd_bus_message_new_method_call", &sd->new_method_call},
		{"sd_bus_call_async", &sd->call_async},
		{"sd_bus_message_get_error", &sd->get_error},
		{"sd_bus_message_ref", &sd->message_ref},
		{"sd_bus_message_unref", &sd->message_unref},
		{"sd_bus_message_append_basic", &sd->append_basic},
		{"sd_bus_message_append_array", &sd->append_array},
		{"sd_bus_message_open_container", &sd->open_container},
		{"sd_bus_message_close_container", &sd->close_container},
		{"sd_bus_message_read_basic", &sd->read_basic},
		{"sd_bus_message_enter_container", &sd->enter_container},
		{"sd_bus_message_exit_container", &sd->exit_container},
	};
	void *handle = dlopen(LIBRARY, RTLD_NOW | RTLD_LOCAL), *symbol;

	if (!handle)
		return err_set(err, CODE_SYSTEMD_LIBRARY, EOPNOTSUPP,
			       "the systemd cgroup driver needs libsystemd: %s" INSTEAD, dlerror());
	for (size_t i = 0; i < ARRAY_LEN(symbols); i++) {
		symbol = dlsym(handle, symbols[i].name);
		if (!symbol)
			return err_set(
				err, CODE_SYSTEMD_LIBRARY, EOPNOTSUPP,
				"the systemd cgroup driver needs libsystemd 240 or newer: %s" INSTEAD,
				dlerror());
		/* POSIX wants dlsym's result read as what it is, C has no cast for it. */
		memcpy(symbols[i].pointer, &symbol, sizeof(symbol));
	}
	return 0;
}

#else

static int load_library(struct sd_library *sd, struct crun_error *err)
{
	(void)sd;
	return err_set(err, CODE_SYSTEMD_LIBRARY, EOPNOTSUPP,
		       "this build has no systemd cgroup driver" INSTEAD);
}

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
			bus->fd = fd;
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

/* One turn of the library's wheel: works off what is there, or waits for more. */
static int turn(struct cg_bus *bus)
{
	struct pollfd p = {.fd = bus->fd};
	int r = bus->sd.process(bus->bus, NULL);

	if (r != 0)
		return deadline_left(&bus->deadline) == 0 && r > 0 ? -ETIMEDOUT : r;
	r = bus->sd.get_events(bus->bus);
	if (r < 0)
		return r;
	p.events = (short)r;
	return deadline_poll(&bus->deadline, &p, 1);
}

int bus_run(struct cg_bus *bus, const bool *done, const char *what, struct crun_error *err)
{
	int r = bus->broken ? -ENOTCONN : 0;

	while (r >= 0 && !*done)
		r = turn(bus);
	if (*done && !bus->broken)
		return 0;
	bus->broken = true;
	return deadline_err(&bus->deadline, r, err, "systemd: %s", what);
}

/* Authentication, and the greeting where there is a broker. */
static int shake_hands(struct cg_bus *bus, struct crun_error *err)
{
	int fd = bus->fd, r = bus->sd.bus_new(&bus->bus);

	if (r >= 0)
		r = bus->sd.set_fd(bus->bus, fd, fd);
	if (r < 0)
		close_fd(&fd);
	if (r >= 0 && bus->broker)
		r = bus->sd.set_bus_client(bus->bus, 1);
	if (r >= 0)
		r = bus->sd.start(bus->bus);
	while (r >= 0 && (r = bus->sd.is_ready(bus->bus)) == 0)
		r = turn(bus);
	if (r >= 0)
		return 0;
	return deadline_err(&bus->deadline, r, err, "connecting to systemd");
}

int cg_bus_open(const struct deadline *deadline, struct cg_bus **ret, struct crun_error *err)
{
	_cleanup_bus_ struct cg_bus *bus = calloc(1, sizeof(*bus));
	int r;

	if (!bus)
		return err_sys(err, -ENOMEM, "connection to systemd");
	bus->deadline = deadline_or(deadline, CG_BUS_MS);
	r = load_library(&bus->sd, err);
	if (r >= 0)
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
	if (bus->reply)
		bus->sd.message_unref(bus->reply);
	for (size_t i = 0; i < BUS_JOBS; i++) {
		free(bus->jobs[i].path);
		free(bus->jobs[i].result);
	}
	if (bus->bus)
		bus->sd.close_unref(bus->bus);
	free(bus);
}

bool cg_bus_is_user(const struct cg_bus *bus)
{
	return bus->user;
}
