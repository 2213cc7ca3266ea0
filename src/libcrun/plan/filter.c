// SPDX-License-Identifier: Apache-2.0
// linux.seccomp and the annotations about it: which program is loaded, and who is notified.
#include "plan/internal.h"

#include "base/base64.h"
#include "base/str.h"
#include "spec/check_bpf.h"

#include <errno.h>
#include <stdio.h>

static bool is_on(const struct launch_plan *plan, const char *key)
{
	const char *value = plan_annotation(plan->config, key);

	return value && !str_eq(value, "0");
}

/* A compiled program in the place of the profile: struct sock_filter by struct sock_filter, in base64. */
static int plan_program(struct launch_plan *plan, struct oci_arena *arena, struct crun_error *err)
{
	const char *text = plan_annotation(plan->config, SECCOMP_ANNOTATION_PROGRAM);
	uint64_t *insns;
	ssize_t n;

	if (!text)
		return 0;
	insns = plan_alloc(arena, BASE64_DECODED_MAX(strlen(text)) / sizeof(*insns) + 1,
			   sizeof(*insns));
	if (!insns)
		return PLAN_NO_MEMORY(err);
	n = base64_decode(text, insns);
	if (n < 0)
		return err_set(err, CODE_SECCOMP_PROFILE, EINVAL,
			       "the seccomp program is not in base64");
	if (n % (ssize_t)sizeof(*insns))
		return err_set(err, CODE_SECCOMP_PROFILE, EINVAL,
			       "the seccomp program has %zd bytes, and its instructions have 8", n);
	plan->seccomp.program = insns;
	plan->seccomp.program_len = (size_t)n / sizeof(*insns);
	return check_bpf_program(insns, plan->seccomp.program_len, err);
}

/* Whether the filter notifies somebody, and the pointer of what says so first. */
static bool notifies(const struct plan_seccomp *s, char *at, size_t size)
{
	const struct oci_linux_seccomp *profile = s->profile;

	if (s->program) {
		snprintf(at, size, "/annotations/" SECCOMP_ANNOTATION_PROGRAM);
		return bpf_program_notifies(s->program, s->program_len);
	}
	if (!profile)
		return false;
	if (profile->default_action == OCI_SECCOMP_ACTION_NOTIFY) {
		snprintf(at, size, "/linux/seccomp/defaultAction");
		return true;
	}
	for (size_t i = 0; i < profile->syscalls_len; i++) {
		if (profile->syscalls[i].action != OCI_SECCOMP_ACTION_NOTIFY)
			continue;
		snprintf(at, size, "/linux/seccomp/syscalls/%zu/action", i);
		return true;
	}
	return false;
}

/* config-linux.md: without SCMP_ACT_NOTIFY the path is ignored. With it the kernel would answer ENOSYS, which no profile means. */
static int plan_listener(struct launch_plan *plan, const char *receiver, struct crun_error *err)
{
	struct plan_seccomp *s = &plan->seccomp;
	const char *from = "/annotations/" SECCOMP_ANNOTATION_RECEIVER, *path = NULL;
	char at[sizeof(err->at)];

	if (!notifies(s, at, sizeof(at)))
		return 0;
	if (s->profile && s->profile->listener_path) {
		s->listener = s->profile->listener_path;
		s->metadata = s->profile->listener_metadata;
		return 0; /* check_seccomp() has seen that it is absolute */
	}
	path = plan_annotation(plan->config, SECCOMP_ANNOTATION_RECEIVER);
	if (!path) {
		path = receiver;
		from = "";
	}
	if (!path || !path[0]) {
		err_set(err, CODE_SECCOMP_PROFILE, EINVAL, "SCMP_ACT_NOTIFY needs a listenerPath");
		return err_at(err, "%s", at);
	}
	if (path[0] != '/') {
		err_set(err, CODE_SECCOMP_PROFILE, EINVAL,
			"the path `%s` of the listener for seccomp must be absolute", path);
		return from[0] ? err_at(err, "%s", from) : -EINVAL;
	}
	s->listener = path;
	return 0;
}

/* Libraries that answer notifications in the runtime's place: who asks for them must not be left with a filter that nobody answers as they would. */
static int refuse_plugins(const struct launch_plan *plan, struct crun_error *err)
{
	const char *plugins = plan_annotation(plan->config, SECCOMP_ANNOTATION_PLUGINS);

	if (!plugins || !plugins[0])
		return 0;
	err_set(err, KIND_UNSUPPORTED, EOPNOTSUPP,
		"annotation `" SECCOMP_ANNOTATION_PLUGINS
		"`: this runtime loads no plugins; let a process of its own answer, at "
		"linux.seccomp.listenerPath or `" SECCOMP_ANNOTATION_RECEIVER "`");
	return err_at(err, "/annotations/" SECCOMP_ANNOTATION_PLUGINS);
}

int plan_seccomp(struct launch_plan *plan, const char *receiver, struct oci_arena *arena,
		 struct crun_error *err)
{
	int r;

	plan->seccomp = (struct plan_seccomp){
		.profile = plan->linux_->seccomp,
		.strict = is_on(plan, SECCOMP_ANNOTATION_STRICT),
		.enosys = is_on(plan, SECCOMP_ANNOTATION_ENOSYS),
	};
	r = refuse_plugins(plan, err);
	if (r < 0)
		return r;
	r = plan_program(plan, arena, err);
	if (r < 0)
		return err_at(err, "/annotations/" SECCOMP_ANNOTATION_PROGRAM);
	return plan_listener(plan, receiver, err);
}
