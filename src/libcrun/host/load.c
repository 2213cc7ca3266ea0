// SPDX-License-Identifier: Apache-2.0
// The beginning of a launch: config.json is read, the host looked at, the plan made. Nothing is touched yet.
#include "host/launch.h"

#include "base/cleanup.h"
#include "base/str.h"
#include "host/checks.h"
#include "host/facts.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>

int launch_locate(const struct launch *l, struct crun_error *err)
{
	unsigned line, column;

	if (err->at[0] && l->file.text.data &&
	    oci_locate(l->file.text.data, l->file.text.len, err->at, &line, &column) == 0)
		return err_in(err, "%s:%u:%u: %s", l->file.path, line, column, err->at);
	return -err->errnum;
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
	r = config_file_read(&l->file, l->opts, &l->arena, err);
	if (r < 0)
		return r;
	options.bundle = l->file.bundle;
	r = facts_gather(l->file.config, &facts, err);
	if (r < 0)
		return r;
	r = config_check(l->file.config, &facts, &options, &l->arena, &l->plan, err);
	if (r < 0)
		return r;
	l->plan->self_audit = l->ctx->self_audit;
	return check_terminal(l, err);
}
