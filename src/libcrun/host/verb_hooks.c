// SPDX-License-Identifier: Apache-2.0
// The hooks of an existing container, poststart and poststop, from the copy of its configuration: the bundle may be gone.
#include "host/verbs.h"

#include "base/log.h"
#include "host/lifecycle_hooks.h"

#include <errno.h>

static struct hook_state describe(const struct container *c)
{
	struct oci_state state;

	container_state(c, &state);
	return (struct hook_state){
		.oci_version = state.oci_version,
		.id = state.id,
		.bundle = state.bundle,
		.root = state.rootfs,
		.pid = state.pid,
		.annotations = state.annotations,
	};
}

/* The configuration's hooks; NULL without an error when there are none or the copy was never made. */
static int read_hooks(const struct container *c, struct oci_arena *arena, struct oci_hooks **ret,
		      struct crun_error *err)
{
	struct oci_config *config;
	int r;

	*ret = NULL;
	r = state_read_config(&c->dir, arena, &config, err);
	if (r == -ENOENT)
		return 0;
	if (r < 0)
		return r;
	*ret = config->hooks;
	return 0;
}

static int run_poststart(struct container *c, struct crun_error *err)
{
	_cleanup_(oci_arena_free) struct oci_arena arena = {0};
	struct hook_state state = describe(c);
	struct oci_hooks *hooks;
	int r = read_hooks(c, &arena, &hooks, err);

	if (r < 0)
		return r;
	return lifecycle_hooks_poststart(hooks, &state, &c->deadline, err);
}

int container_poststart(struct container *c, struct crun_error *err)
{
	struct crun_error why;
	int r;

	/* The record spares us the configuration when there are no hooks in it. */
	if (c->record->has_poststart && !c->record->poststart)
		return 0;
	r = run_poststart(c, err);
	if (r < 0 && container_kill(c, &why) < 0)
		log_warning("after a failed poststart hook: %s", why.text);
	return r;
}

void container_poststop(struct container *c)
{
	_cleanup_(oci_arena_free) struct oci_arena arena = {0};
	struct hook_state state = describe(c);
	struct oci_hooks *hooks;
	struct crun_error why;

	if (c->record->has_poststop && !c->record->poststop)
		return;
	if (read_hooks(c, &arena, &hooks, &why) < 0) {
		log_warning("poststop hooks: %s", why.text);
		return;
	}
	lifecycle_hooks_poststop(hooks, &state, &c->deadline);
}
