// SPDX-License-Identifier: Apache-2.0
// The hooks that run before the root is entered: those of the host side, for which init pauses, and createContainer.
#include "init/outside/phase.h"

#include "hooks/run.h"
#include "init/hook_state.h"
#include "sync/ladder.h"

#include <sys/stat.h>

int phase_hook_pause(struct outside *o, struct crun_error *err)
{
	int r = channel_send(o->channel, MSG_PAUSED, -1, err);

	if (r < 0)
		return r;
	return channel_expect(o->channel, MSG_RESUME, NULL, NULL, err);
}

int phase_create_container_hooks(struct outside *o, struct crun_error *err)
{
	const struct oci_hooks *hooks = o->plan->config->hooks;
	struct hook_state state;
	int r;

	init_hook_state(o->plan, o->host_pid, "creating", &state);
	/* They are programs of the host's, like those of the host side: what they make must not be anybody's to write. */
	umask(o->callers_umask);
	r = hooks_run_list("createContainer", hooks->create_container, hooks->create_container_len,
			   &state, NULL, err);
	umask(0);
	return r;
}
