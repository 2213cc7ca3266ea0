// SPDX-License-Identifier: Apache-2.0
// cgroup v2: loads the device filter and attaches it to the container's directory.
#include "cgroup/devices.h"

#include "base/log.h"
#include "sys/bpf.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/resource.h>

#define LICENSE	 "Apache-2.0"
#define LOG_SIZE (64 * 1024)

/* Until 5.11 a program counts against RLIMIT_MEMLOCK, whose usual value is too small; the container must not inherit the change. */
static int load_with_memlock(const char *name, const struct bpf_insn *insns, size_t len)
{
	struct rlimit old, infinite = {RLIM_INFINITY, RLIM_INFINITY};
	int r;

	if (getrlimit(RLIMIT_MEMLOCK, &old) < 0 || setrlimit(RLIMIT_MEMLOCK, &infinite) < 0)
		return -EPERM;
	r = sys_bpf_prog_load(BPF_PROG_TYPE_CGROUP_DEVICE, name, insns, len, LICENSE, NULL, 0);
	setrlimit(RLIMIT_MEMLOCK, &old);
	return r;
}

/* A refused program is our bug: what the verifier said about it goes to the debug log, not into the error. */
static void log_verifier(const char *name, const struct bpf_insn *insns, size_t len)
{
	_cleanup_free_ char *text = NULL;
	_cleanup_close_ int fd = FD_NONE;

	if (!log_wants(LOG_LEVEL_DEBUG))
		return;
	text = calloc(1, LOG_SIZE);
	if (!text)
		return;
	fd = sys_bpf_prog_load(BPF_PROG_TYPE_CGROUP_DEVICE, name, insns, len, LICENSE, text,
			       LOG_SIZE);
	log_debug("device filter of %zu instructions: %s", len, text);
}

static int load(const char *name, const struct bpf_insn *insns, size_t len)
{
	int r = sys_bpf_prog_load(BPF_PROG_TYPE_CGROUP_DEVICE, name, insns, len, LICENSE, NULL, 0);

	if (r == -EPERM)
		r = load_with_memlock(name, insns, len);
	if (r == -EINVAL || r == -EACCES)
		log_verifier(name, insns, len);
	return r;
}

const char *cg_v2_filter_name(const struct cgroup *cg, const struct cg_hier *h)
{
	return h->used ? cg->filter_name : "crun_devices";
}

int cg_v2_devices_load(const struct cg_rules *rules, const char *name, struct crun_error *err)
{
	_cleanup_free_ struct bpf_insn *insns = NULL;
	size_t len;
	int r = cg_devices_compile(rules, &insns, &len);

	if (r < 0)
		return err_sys_code(err, CODE_DEVICE_FILTER, r, "compile the device filter");
	r = load(name, insns, len);
	if (r < 0)
		return err_sys_code(err, CODE_DEVICE_FILTER, r,
				    "load the device filter (bpf, BPF_PROG_TYPE_CGROUP_DEVICE)");
	return r;
}

int cg_v2_devices(struct cgroup *cg, const struct cg_hier *h, const struct cg_rules *rules,
		  struct crun_error *err)
{
	_cleanup_close_ int prog = FD_NONE;
	int r;

	/* Only our own or an empty directory: a filter on any other would hit strangers, and on the root the whole host. */
	if ((!h->leaf_made && !h->used) || h->dir_fd < 0)
		return err_set(err, KIND_INTERNAL, EINVAL,
			       "device filter for cgroup `%s%s`, which is not ours", h->root,
			       cg->path);
	/* Filters above ours hold in any case: a program that allows everything would change nothing. */
	if (cg_rules_allow_all(rules))
		return 0;
	prog = cg_v2_devices_load(rules, cg_v2_filter_name(cg, h), err);
	if (prog < 0)
		return prog;
	/* MULTI: filters that are attached above or later by a service manager go on working. */
	r = sys_bpf_prog_attach(h->dir_fd, prog, BPF_CGROUP_DEVICE, BPF_F_ALLOW_MULTI);
	if (r < 0)
		return err_sys_code(err, CODE_DEVICE_FILTER, r,
				    "attach the device filter to cgroup `%s%s`", h->root, cg->path);
	return 0;
}
