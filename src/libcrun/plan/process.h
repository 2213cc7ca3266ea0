/* SPDX-License-Identifier: Apache-2.0 */
/* The `process` object of a configuration, turned into what init does with it. Used by create and by exec. */
#pragma once

#include "plan/plan.h"

/*
 * Fills *ret from SPEC. LAST_CAP: the kernel's last capability; capabilities above it are dropped, as the kernel would. Errors
 * carry a JSON pointer below /process.
 */
int plan_process(const struct oci_process *spec, unsigned last_cap, struct oci_arena *arena,
		 struct plan_process *ret, struct crun_error *err) CRUN_NODISCARD;
