// SPDX-License-Identifier: Apache-2.0
// The seccomp filter, startContainer hooks, and the payload's execve.
#include "init/last/phase.h"

#include "base/cleanup.h"
#include "hooks/run.h"
#include "init/hook_state.h"
#include "init/last/audit.h"
#include "init/last/filtered.h"
#include "init/seccomp_load.h"

#include <errno.h>
#include <unistd.h>

int phase_start_container_hooks(struct last *last, struct crun_error *err)
{
	const struct oci_hooks *hooks = last->plan->config->hooks;
	struct hook_state state;

	init_hook_state(last->plan, last->host_pid, "created", &state);
	return hooks_run_list("startContainer", hooks->start_container, hooks->start_container_len,
			      &state, NULL, err);
}

int phase_seccomp(struct last *last, struct crun_error *err)
{
	return last->status_fd >= 0 ? audit_load_filter(last, err)
				    : init_seccomp_load(last->seccomp, err);
}

int phase_listener(struct last *last, struct crun_error *err)
{
	_cleanup_close_ int fd = filtered_start(last, &last->filtered, err);

	if (fd < 0)
		return fd;
	return channel_send(last->channel, MSG_LISTENER, fd, err);
}

static int explain_execve(int r, const char *path, struct crun_error *err)
{
	switch (r) {
	case -EACCES:
	case -EPERM:
		return err_sys_code(err, CODE_COMMAND_REFUSED, r,
				    "exec: permission denied: exec `%s`", path);
	case -ENOENT:
		return err_sys(
			err, r,
			"exec `%s`: its interpreter (the #! line or the dynamic loader) was not found",
			path);
	default:
		return err_sys(err, r, "exec `%s`", path);
	}
}

int phase_execve(struct last *last, struct crun_error *err)
{
	const struct plan_process *p = &last->plan->process;
	int r;

	if (!last->filtered) {
		execve(last->exec_path, (char *const *)p->argv, (char *const *)p->envp);
		return explain_execve(-errno, last->exec_path, err);
	}
	r = filtered_execve(last->filtered, last, err);
	return r < 0 ? r : explain_execve(-r, last->exec_path, err);
}
