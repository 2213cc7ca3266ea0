/* SPDX-License-Identifier: Apache-2.0 */
/* Runs the hooks of one stage, on the host side and in init. */
#pragma once

#include "base/error.h"
#include "hooks/oci_state_json.h"
#include "sys/deadline.h"

/*
 * Runs the LEN hooks of LIST in order and stops at the first that fails. STAGE is the name in config.json
 * ("createRuntime"); it also decides how a hook is run:
 *
 *			host stages			createContainer, startContainer
 *   environment	hook.env; absent: our own	hook.env; absent: empty
 *   directory		the bundle			"/"
 *   stdout		annotation file or /dev/null	the same pipe as stderr
 *   stderr		annotation file or a pipe	a pipe
 *
 * In the stages of the right column the container's image has its say in what surrounds the hook, hence nothing is
 * inherited and nothing is opened by path (CVE-2025-23266: an image's LD_PRELOAD in a privileged hook). The annotations
 * run.oci.hooks.stdout and run.oci.hooks.stderr name files to append to.
 *
 * stdin is the state document. A hook is its own session, has default signals and no descriptor above 2. It is over when
 * its first process is: what it left in the background is neither waited for nor killed. After hook.timeout seconds its
 * whole process group gets SIGKILL, and so it does when D (of the command; or NULL) passes or is cancelled. In the stages of the right
 * column it also gets it when its parent, init, dies.
 *
 * Returns 0; or KIND_HOOK (not executed, exit status, signal) KIND_TIMEOUT or KIND_INTERRUPTED with stage, index, path and the last line
 * that the hook wrote; any other kind is a failure of our own.
 */
int hooks_run_list(const char *stage, const struct oci_hook *list, size_t len,
		   const struct hook_state *state, const struct deadline *d,
		   struct crun_error *err) CRUN_NODISCARD;

/* The same for LIST[index] alone, for a stage whose hooks run whatever became of those before. */
int hooks_run_one(const char *stage, const struct oci_hook *list, size_t index,
		  const struct hook_state *state, const struct deadline *d,
		  struct crun_error *err) CRUN_NODISCARD;

/*
 * The status that hooks of STAGE are told, by runtime.md: "creating" while create is under way (prestart, createRuntime,
 * createContainer), "created" for startContainer, "running" for poststart, "stopped" for poststop.
 */
const char *hooks_status(const char *stage);
