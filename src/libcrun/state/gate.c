// SPDX-License-Identifier: Apache-2.0
// The start gate in the state directory: see gate.h.
#include "state/gate.h"

#include "base/cleanup.h"
#include "sys/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#define GATE_NAME "start"

/* Through the directory's fd: a state root may be longer than the 107 bytes that a socket address holds. */
static socklen_t gate_address(const struct state_dir *dir, struct sockaddr_un *addr)
{
	*addr = (struct sockaddr_un){.sun_family = AF_UNIX};
	snprintf(addr->sun_path, sizeof(addr->sun_path), "/proc/self/fd/%d/" GATE_NAME, dir->fd);
	return sizeof(*addr);
}

int gate_listen(const struct state_dir *dir, struct crun_error *err)
{
	_cleanup_close_ int fd = FD_NONE;
	struct sockaddr_un addr;
	socklen_t len = gate_address(dir, &addr);
	mode_t saved;
	int r;

	fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return err_sys_code(err, CODE_STATE_DIR, -errno, "socket");
	/* Whoever may write to it may connect: we, whatever the caller's umask. */
	saved = umask(0077);
	r = bind(fd, (struct sockaddr *)&addr, len) < 0 ? -errno : 0;
	umask(saved);
	if (r < 0)
		return err_sys_code(err, CODE_STATE_DIR, r, "bind the start gate of container `%s`",
				    dir->id);
	if (listen(fd, 0) < 0) {
		r = -errno;
		gate_remove(dir);
		return err_sys_code(err, CODE_STATE_DIR, r,
				    "listen at the start gate of container `%s`", dir->id);
	}
	return take_fd(&fd);
}

int gate_connect(const struct state_dir *dir, struct crun_error *err)
{
	_cleanup_close_ int fd = FD_NONE;
	struct sockaddr_un addr;
	socklen_t len = gate_address(dir, &addr);
	int r;

	/* Without O_NONBLOCK connect would wait while another start is queued. */
	fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return err_sys_code(err, CODE_STATE_DIR, -errno, "socket");
	do
		r = connect(fd, (struct sockaddr *)&addr, len) < 0 ? -errno : 0;
	while (r == -EINTR);
	if (r == -ENOENT)
		return err_set(err, KIND_STATE, EALREADY,
			       "cannot start an already running container: `%s` was started before",
			       dir->id);
	if (r == -EAGAIN)
		return err_set(err, KIND_STATE, EBUSY,
			       "cannot start container `%s`: it is being started already", dir->id);
	if (r == -ECONNREFUSED)
		return err_set(err, KIND_STATE, ESRCH,
			       "cannot start container `%s`: its init process does not wait for a "
			       "start",
			       dir->id);
	if (r < 0)
		return err_sys_code(err, CODE_STATE_DIR, r,
				    "connect to the start gate of container `%s`", dir->id);
	r = fcntl(fd, F_SETFL, 0);
	if (r < 0)
		return err_sys_code(err, CODE_STATE_DIR, -errno, "fcntl F_SETFL");
	return take_fd(&fd);
}

int gate_exists(const struct state_dir *dir, struct crun_error *err)
{
	struct stat st;
	int r = sys_fstatat(dir->fd, GATE_NAME, &st);

	if (r < 0 && r != -ENOENT)
		return err_sys_code(err, CODE_STATE_DIR, r,
				    "look for the start gate of container `%s`", dir->id);
	return r == 0 && S_ISSOCK(st.st_mode);
}

int gate_remove(const struct state_dir *dir)
{
	int r = sys_unlinkat(dir->fd, GATE_NAME, 0);

	return r == -ENOENT ? 0 : r;
}
