// SPDX-License-Identifier: Apache-2.0
// The hooks that run on the host side: see lifecycle_hooks.h.
#include "host/lifecycle_hooks.h"

#include "base/log.h"
#include "hooks/run.h"

int lifecycle_hooks_create(const struct oci_hooks *hooks, const struct hook_state *state,
			   const struct deadline *d, struct crun_error *err)
{
	int r;

	if (!hooks)
		return 0;
	r = hooks_run_list("prestart", hooks->prestart, hooks->prestart_len, state, d, err);
	if (r < 0)
		return r;
	return hooks_run_list("createRuntime", hooks->create_runtime, hooks->create_runtime_len,
			      state, d, err);
}

int lifecycle_hooks_poststart(const struct oci_hooks *hooks, const struct hook_state *state,
			      const struct deadline *d, struct crun_error *err)
{
	if (!hooks)
		return 0;
	return hooks_run_list("poststart", hooks->poststart, hooks->poststart_len, state, d, err);
}

void lifecycle_hooks_poststop(const struct oci_hooks *hooks, const struct hook_state *state,
			      const struct deadline *d)
{
	struct crun_error err;
	char text[sizeof(err.text) + sizeof(err.at) + 8];

	for (size_t i = 0; hooks && i < hooks->poststop_len; i++) {
		if (hooks_run_one("poststop", hooks->poststop, i, state, d, &err) < 0) {
			err_format(&err, text, sizeof(text));
			log_warning("%s", text);
		}
	}
}
