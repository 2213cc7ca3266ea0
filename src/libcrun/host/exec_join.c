// SPDX-License-Identifier: Apache-2.0
// The namespaces of a container's first process, as exec joins them.
#include "host/exec.h"

#include "base/cleanup.h"
#include "base/str.h"
#include "sys/file.h"
#include "sys/io.h"
#include "sys/pidfd.h"

#include <errno.h>
#include <stdio.h>

/* /proc/PID of the container's first process, kept in X. It is that process's for ever, which the pidfd vouches for afterwards. */
static int open_process(struct exec *x, struct crun_error *err)
{
	_cleanup_close_ int fd = FD_NONE;
	char path[32];

	if (x->dir_fd >= 0)
		return x->dir_fd;
	snprintf(path, sizeof(path), "/proc/%d", (int)x->c.record->pid);
	fd = sys_openat(AT_FDCWD, path, O_PATH | O_DIRECTORY, 0);
	if (fd < 0 && fd != -ENOENT)
		return err_sys(err, fd, "open `%s`", path);
	if (fd < 0 || sys_pidfd_has_ended(x->c.pidfd))
		return err_set(err, CODE_CONTAINER_STOPPED, ESRCH,
			       "container not running: container `%s` is stopped: no such process",
			       x->c.dir.id);
	x->dir_fd = take_fd(&fd);
	return x->dir_fd;
}

/* ptrace(2), "Ptrace access mode checking": not even its own user may look at one that waits for its start. */
static int explain(const struct exec *x, int r, const char *name, struct crun_error *err)
{
	if (r == -ESRCH || r == -ENOENT)
		return container_not_running(&x->c, err);
	err_sys_code(err, CODE_NAMESPACE_JOIN, r, "look at the %s namespace of process %d", name,
		     (int)x->c.record->pid);
	if ((r == -EACCES || r == -EPERM) && x->c.status == LIBCRUN_CREATED)
		return err_in(err, "an ordinary user cannot join a container before its start");
	return r;
}

/*
 * The namespaces that were made for the container, of the kinds that may be entered though one is in them: they are not ours, unless we are in
 * the container, where it changes nothing. A look at each pair would take longer than to enter all of them.
 */
static unsigned made_namespaces(const struct oci_config *config)
{
	static const unsigned bits[OCI_NAMESPACE_TYPE_LAST + 1] = {
		[OCI_NAMESPACE_TYPE_PID] = 1U << NS_PID,
		[OCI_NAMESPACE_TYPE_NETWORK] = 1U << NS_NET,
		[OCI_NAMESPACE_TYPE_MOUNT] = 1U << NS_MNT,
		[OCI_NAMESPACE_TYPE_IPC] = 1U << NS_IPC,
		[OCI_NAMESPACE_TYPE_UTS] = 1U << NS_UTS,
	};
	unsigned made = 0;

	for (size_t i = 0; config->linux && i < config->linux->namespaces_len; i++) {
		const struct oci_linux_namespace *ns = &config->linux->namespaces[i];

		if (!ns->path || !ns->path[0])
			made |= bits[ns->type];
	}
	return made;
}

int exec_find_namespaces(struct exec *x, struct crun_error *err)
{
	int dir = open_process(x, err);

	if (dir < 0)
		return dir;
	x->joins = made_namespaces(x->config);
	for (int i = 0; i < NS_COUNT; i++) {
		char ours[32], theirs[24];
		struct stat a, b;

		if (x->joins & (1U << i))
			continue;
		snprintf(ours, sizeof(ours), "/proc/self/ns/%s", ns_table[i].name);
		snprintf(theirs, sizeof(theirs), "ns/%s", ns_table[i].name);
		if (stat(ours, &a) < 0) {
			if (errno == ENOENT)
				continue; /* a kernel without such namespaces */
			return err_sys(err, -errno, "stat `%s`: is /proc mounted?", ours);
		}
		if (fstatat(dir, theirs, &b, 0) < 0)
			return explain(x, -errno, ns_table[i].spec_name, err);
		if (a.st_ino != b.st_ino || a.st_dev != b.st_dev)
			x->joins |= 1U << i;
	}
	return 0;
}

int exec_open_namespaces(struct exec *x, struct crun_error *err)
{
	unsigned wanted = x->join_by_fds ? x->joins : x->l.birth.join_after;
	int dir;

	if (!wanted)
		return 0;
	dir = open_process(x, err);
	if (dir < 0)
		return dir;
	for (int i = 0; i < NS_COUNT; i++) {
		char name[24];

		if (!(wanted & (1U << i)) || x->l.ns_fds[i] >= 0)
			continue;
		snprintf(name, sizeof(name), "ns/%s", ns_table[i].name);
		x->l.ns_fds[i] = sys_openat(dir, name, O_RDONLY, 0);
		if (x->l.ns_fds[i] < 0)
			return explain(x, x->l.ns_fds[i], ns_table[i].spec_name, err);
	}
	return 0;
}

/* user_namespaces(7): "inside outside count", as numbers in columns. */
static bool line_has(char *line, uid_t uid)
{
	uint64_t field[3];
	size_t n = 0;
	char *word;

	while (n < ARRAY_LEN(field) && (word = strsep(&line, " "))) {
		if (*word && str_to_u64(word, UINT32_MAX, &field[n++]) < 0)
			return true;
	}
	return n == ARRAY_LEN(field) && uid >= field[1] && uid - field[1] < field[2];
}

bool exec_user_is_mapped(uid_t uid, void *data)
{
	struct exec *x = data;
	int dir = open_process(x, ERR_IGNORED);
	char text[16384], *rest = text, *line;

	if (launch_maps_user(x->l.plan, uid))
		return true;
	/* What cannot be found out is taken for a yes. */
	if (dir < 0 || io_read_file_at(dir, "uid_map", text, sizeof(text)) < 0)
		return true;
	while ((line = strsep(&rest, "\n"))) {
		if (line_has(line, uid))
			return true;
	}
	return false;
}
