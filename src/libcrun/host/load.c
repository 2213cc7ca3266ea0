// SPDX-License-Identifier: Apache-2.0
// The beginning of a launch: config.json is read, the host looked at, the plan made. Nothing is touched yet.
#include "host/launch.h"

#include "base/cleanup.h"
#include "base/str.h"
#include "host/checks.h"
#include "host/facts.h"
#include "sys/file.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <unistd.h>

static int read_config(struct launch *l, const char *bundle, struct oci_config **ret,
		       struct crun_error *err)
{
	_cleanup_close_ int fd = FD_NONE;
	struct oci_parse_error why;
	const char *path = l->opts->config;
	struct stat st;
	int r;

	if (!path) {
		char *joined = oci_arena_alloc(&l->arena, strlen(bundle) + sizeof("/config.json"));

		if (!joined)
			return err_sys(err, -ENOMEM, "read config.json");
		memcpy(joined, bundle, strlen(bundle));
		memcpy(joined + strlen(bundle), "/config.json", sizeof("/config.json"));
		path = joined;
	}
	l->config_path = path;
	/* The bundle's file may be a FIFO that nobody writes to; what --config names is the caller's choice, and may be a pipe. */
	fd = sys_openat(AT_FDCWD, path, O_RDONLY | (l->opts->config ? 0 : O_NONBLOCK), 0);
	if (fd < 0)
		return err_sys_code(err, CODE_CONFIG_MISSING, fd, "open `%s`", path);
	r = sys_fstatat(fd, "", &st);
	if (r < 0)
		return err_sys_code(err, CODE_CONFIG_MISSING, r, "stat `%s`", path);
	if (!l->opts->config && !S_ISREG(st.st_mode))
		return err_set(err, CODE_CONFIG_MISSING, EINVAL, "`%s` is not a regular file",
			       path);
	r = oci_config_parse_fd(fd, path, &l->arena, &l->text, ret, &why);
	if (r < 0)
		return err_set(err, r == -EINVAL ? (unsigned)CODE_CONFIG_SYNTAX : KIND_SYSTEM,
			       why.errnum, "%s", why.text);
	return 0;
}

int launch_locate(const struct launch *l, struct crun_error *err)
{
	unsigned line, column;

	if (err->at[0] && l->text.data &&
	    oci_locate(l->text.data, l->text.len, err->at, &line, &column) == 0)
		return err_in(err, "%s:%u:%u: %s", l->config_path, line, column, err->at);
	return -err->errnum;
}

static int resolve_bundle(struct launch *l, const char **ret, struct crun_error *err)
{
	const char *bundle = l->opts->bundle ? l->opts->bundle : ".";
	char path[PATH_MAX];
	char *copy;
	int fd, r;

	/* The kernel's own idea of the path: it has no symbolic links left and is absolute. */
	fd = sys_openat(AT_FDCWD, bundle, O_PATH | O_DIRECTORY, 0);
	if (fd < 0) {
		err_sys_code(err, CODE_BUNDLE_MISSING, fd, "open bundle `%s`", bundle);
		return fd;
	}
	copy = str_printf("/proc/self/fd/%d", fd);
	r = copy ? sys_readlinkat(AT_FDCWD, copy, path, sizeof(path)) : -ENOMEM;
	free(copy);
	close_fd(&fd);
	/* The bundle is there: it is procfs that is not. */
	if (r == -ENOENT)
		return err_sys_code(err, CODE_PROC_MISSING, r, "resolve bundle `%s` through /proc",
				    bundle);
	if (r < 0)
		return err_sys_code(err, CODE_BUNDLE_MISSING, r, "resolve bundle `%s`", bundle);
	*ret = oci_arena_strndup(&l->arena, path, strlen(path));
	return *ret ? 0 : err_sys(err, -ENOMEM, "resolve bundle `%s`", bundle);
}

static int read_manager(const char *name, enum cgroup_manager *ret, struct crun_error *err)
{
	static const struct {
		const char *name;
		enum cgroup_manager manager;
	} managers[] = {
		{"cgroupfs", CGROUP_MANAGER_CGROUPFS},
		{"systemd", CGROUP_MANAGER_SYSTEMD},
		{"disabled", CGROUP_MANAGER_DISABLED},
	};

	*ret = CGROUP_MANAGER_CGROUPFS;
	for (size_t i = 0; name && i < ARRAY_LEN(managers); i++) {
		if (!str_eq(name, managers[i].name))
			continue;
		*ret = managers[i].manager;
		return 0;
	}
	if (name)
		return err_set(
			err, CODE_USAGE, EINVAL,
			"unknown cgroup manager `%s`: it is one of cgroupfs, systemd, disabled",
			name);
	return 0;
}

static int check_terminal(const struct launch *l, struct crun_error *err)
{
	const struct libcrun_create_options *opts = l->opts;
	bool terminal = l->plan->process.terminal;

	if (terminal && !opts->console_socket && (!l->is_run || opts->detach)) {
		err_set(err, CODE_TERMINAL_MISMATCH, EINVAL,
			"process.terminal is true, and nobody would hold the terminal: use --console-socket");
		return err_at(err, "/process/terminal");
	}
	if (!terminal && opts->console_socket)
		return err_set(err, CODE_TERMINAL_MISMATCH, EINVAL,
			       "--console-socket is given, but process.terminal is false");
	return 0;
}

int launch_read(struct launch *l, const char **ret_bundle, struct oci_config **ret,
		struct crun_error *err)
{
	int r = resolve_bundle(l, ret_bundle, err);

	return r < 0 ? r : read_config(l, *ret_bundle, ret, err);
}

/* Where the payload's socket will be, if anybody wants to hear from it. */
static int notify_dir(const struct launch *l, char *buf, size_t size, const char **ret,
		      struct crun_error *err)
{
	size_t len;
	int r;

	*ret = NULL;
	if (!notify_is_address(l->ctx->notify_socket))
		return 0;
	r = libcrun_state_root(l->ctx, buf, size, err);
	if (r < 0)
		return r;
	len = strlen(buf);
	if ((size_t)snprintf(buf + len, size - len, "/%s/notify", l->id) >= size - len)
		return err_sys(err, -ENAMETOOLONG, "state directory `%s`", buf);
	*ret = buf;
	return 0;
}

int launch_load(struct launch *l, struct crun_error *err)
{
	struct plan_options options = {
		.id = l->id,
		.seccomp_receiver = getenv(SECCOMP_RECEIVER_ENV),
		.pidfd_socket = l->opts->pidfd_socket,
		.preserve_fds = l->opts->preserve_fds,
		.listen_fds = l->opts->listen_fds,
		.no_pivot = l->opts->no_pivot,
		.no_new_keyring = l->opts->no_new_keyring,
		.detach = !l->is_run || l->opts->detach,
		.gate = !l->is_run,
	};
	struct oci_config *config;
	struct host_facts facts;
	char *notify = oci_arena_alloc(&l->arena, PATH_MAX);
	int r;

	r = state_check_id(l->id, err);
	if (r < 0)
		return r;
	if (!notify)
		return err_sys(err, -ENOMEM, "read config.json");
	r = notify_dir(l, notify, PATH_MAX, &options.notify_dir, err);
	if (r < 0)
		return r;
	r = read_manager(l->ctx->cgroup_manager, &options.cgroup_manager, err);
	if (r < 0)
		return r;
	r = launch_read(l, &options.bundle, &config, err);
	if (r < 0)
		return r;
	r = facts_gather(config, &facts, err);
	if (r < 0)
		return r;
	r = config_check(config, &facts, &options, &l->arena, &l->plan, err);
	return r < 0 ? r : check_terminal(l, err);
}
