// SPDX-License-Identifier: Apache-2.0
// The last steps: startContainer hooks, the seccomp filter, and the payload's execve.
#include "init/last/phase.h"

#include "hooks/run.h"
#include "init/hook_state.h"
#include "init/seccomp_load.h"

#include <errno.h>
#include <unistd.h>

int phase_start_container_hooks(struct last *last, struct crun_error *err)
{
	const struct oci_hooks *hooks = last->plan->config->hooks;
	struct hook_state state;

	init_hook_state(last->plan, last->host_pid, "created", &state);
	return hooks_run_list("startContainer", hooks->start_container, hooks->start_container_len,
			      &state, err);
}

int phase_seccomp(struct last *last, struct crun_error *err)
{
	return init_seccomp_load(last->seccomp, err);
}

int phase_execve(struct last *last, struct crun_error *err)
{
	const struct plan_process *p = &last->plan->process;

	execve(last->exec_path, (char *const *)p->argv, (char *const *)p->envp);
	switch (errno) {
	case EACCES:
	case EPERM:
		return err_sys(err, -errno, "exec: permission denied: exec `%s`", last->exec_path);
	case ENOENT:
		return err_sys(
			err, -ENOENT,
			"exec `%s`: its interpreter (the #! line or the dynamic loader) was not found",
			last->exec_path);
	default:
		return err_sys(err, -errno, "exec `%s`", last->exec_path);
	}
}
