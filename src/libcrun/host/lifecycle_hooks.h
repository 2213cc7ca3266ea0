/* SPDX-License-Identifier: Apache-2.0 */
/* The hooks that run on the host side, and what their failure means: runtime.md, "Lifecycle". */
#pragma once

#include "base/error.h"
#include "hooks/oci_state_json.h"
#include "sys/deadline.h"

#include <libocispec/oci.h>

/*
 * Each accepts NULL HOOKS, and NULL D: until when a hook may run besides its own timeout. state->status may be NULL: it is then the stage's own (hooks_status()).
 *
 * prestart, then createRuntime: init has its namespaces and its cgroup, and waits before pivot_root. On failure the
 * caller stops the container and destroys it (lifecycle steps 3 and 4).
 */
int lifecycle_hooks_create(const struct oci_hooks *hooks, const struct hook_state *state,
			   const struct deadline *d, struct crun_error *err) CRUN_NODISCARD;

/*
 * poststart: the payload runs, `start` has not returned yet. On failure the caller stops the container and destroys it
 * (step 9 since version 1.2.1 of the specification; before, it asked for a warning).
 */
int lifecycle_hooks_poststart(const struct oci_hooks *hooks, const struct hook_state *state,
			      const struct deadline *d, struct crun_error *err) CRUN_NODISCARD;

/*
 * poststop: the container is gone, `delete` has not returned yet. A failure is logged as a warning and the remaining
 * hooks run (step 13), hence nothing is returned.
 */
void lifecycle_hooks_poststop(const struct oci_hooks *hooks, const struct hook_state *state,
			      const struct deadline *d);
