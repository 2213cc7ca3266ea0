// SPDX-License-Identifier: Apache-2.0
// The rules of config-linux.md "Seccomp": see check_seccomp.h.
#include "spec/check_seccomp.h"

#include <errno.h>

/* Arguments of a system call: seccomp_data of linux/seccomp.h. */
#define SYSCALL_ARGS 6

/* What the kernel lets a filter return: MAX_ERRNO, and the 16 bits of SECCOMP_RET_DATA for a tracer. */
#define ERRNO_MAX 4095
#define TRACE_MAX 0xffff

static int check_errno(enum oci_seccomp_action action, uint32_t value, struct crun_error *err)
{
	uint32_t max = action == OCI_SECCOMP_ACTION_TRACE ? TRACE_MAX : ERRNO_MAX;

	if (action != OCI_SECCOMP_ACTION_ERRNO && action != OCI_SECCOMP_ACTION_TRACE)
		return err_set(err, CODE_SECCOMP_PROFILE, EINVAL,
			       "the action %s returns no errno: only SCMP_ACT_ERRNO and "
			       "SCMP_ACT_TRACE do",
			       oci_seccomp_action_name(action));
	if (value > max)
		return err_set(err, CODE_SECCOMP_PROFILE, EINVAL,
			       "errno %u is above %u, the highest possible", value, max);
	return 0;
}

static int check_args(const struct oci_linux_syscall *rule, size_t index, struct crun_error *err)
{
	for (size_t i = 0; i < rule->args_len; i++) {
		if (rule->args[i].index < SYSCALL_ARGS)
			continue;
		err_set(err, CODE_SECCOMP_PROFILE, EINVAL,
			"a system call has arguments 0 to 5, there is no argument %u",
			rule->args[i].index);
		return err_at(err, "/linux/seccomp/syscalls/%zu/args/%zu/index", index, i);
	}
	return 0;
}

static int check_rule(const struct oci_linux_syscall *rule, size_t index, struct crun_error *err)
{
	int r;

	if (rule->names_len == 0) {
		err_set(err, CODE_SECCOMP_PROFILE, EINVAL, "a seccomp rule names no system call");
		return err_at(err, "/linux/seccomp/syscalls/%zu/names", index);
	}
	if (rule->has_errno_ret) {
		r = check_errno(rule->action, rule->errno_ret, err);
		if (r < 0)
			return err_at(err, "/linux/seccomp/syscalls/%zu/errnoRet", index);
	}
	return check_args(rule, index, err);
}

static int check_listener(const struct oci_linux_seccomp *seccomp, struct crun_error *err)
{
	if (seccomp->listener_path && seccomp->listener_path[0] != '/') {
		err_set(err, CODE_SECCOMP_PROFILE, EINVAL,
			"the listener's path `%s` must be absolute", seccomp->listener_path);
		return err_at(err, "/linux/seccomp/listenerPath");
	}
	if (seccomp->listener_metadata && !seccomp->listener_path) {
		err_set(err, CODE_SECCOMP_PROFILE, EINVAL, "listenerMetadata needs a listenerPath");
		return err_at(err, "/linux/seccomp/listenerMetadata");
	}
	return 0;
}

int check_seccomp(const struct oci_linux_seccomp *seccomp, struct crun_error *err)
{
	int r;

	if (seccomp->has_default_errno_ret) {
		r = check_errno(seccomp->default_action, seccomp->default_errno_ret, err);
		if (r < 0)
			return err_at(err, "/linux/seccomp/defaultErrnoRet");
	}
	for (size_t i = 0; i < seccomp->syscalls_len; i++) {
		r = check_rule(&seccomp->syscalls[i], i, err);
		if (r < 0)
			return r;
	}
	return check_listener(seccomp, err);
}
