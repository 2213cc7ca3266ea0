// SPDX-License-Identifier: Apache-2.0
// Checks of a configuration against this host: see checks.h.
#include "host/checks.h"

#include "base/cleanup.h"
#include "base/str.h"
#include "host/check_kernel.h"
#include "spec/check_resources.h"
#include "spec/check_seccomp.h"
#include "sys/io.h"
#ifdef HAVE_SECCOMP
#include "host/seccomp_dl.h"
#endif

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

int config_check(const struct oci_config *config, const struct host_facts *facts,
		 const struct plan_options *options, struct oci_arena *arena,
		 struct launch_plan **ret, struct crun_error *err)
{
	int r;

	if (config->linux && config->linux->resources) {
		r = check_resources(config->linux->resources, err);
		if (r < 0)
			return r;
	}
	if (config->linux && config->linux->seccomp) {
		r = check_seccomp(config->linux->seccomp, err);
		if (r < 0)
			return r;
	}
	return plan_build(config, facts, options, arena, ret, err);
}

struct checks {
	const struct launch_plan *plan;
	config_finding_fn found;
	void *data;
	char at[128]; /* the pointer of the next finding */
};

__attribute__((format(printf, 3, 4))) static void report(struct checks *c, bool warning,
							 const char *fmt, ...)
{
	char text[512];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	c->found(c->data, warning, c->at, text);
}

static void check_root(struct checks *c)
{
	struct stat st;

	snprintf(c->at, sizeof(c->at), "/root/path");
	if (stat(c->plan->rootfs, &st) < 0)
		report(c, false, "`%s`: %s", c->plan->rootfs, err_describe(errno));
	else if (!S_ISDIR(st.st_mode))
		report(c, false, "`%s` is not a directory", c->plan->rootfs);
}

/* /proc/filesystems has a name at the end of each line, behind a tab. */
static bool has_filesystem(const char *list, const char *name)
{
	size_t n = strlen(name);

	for (const char *p = strstr(list, name); p; p = strstr(p + 1, name)) {
		if (p > list && p[-1] == '\t' && (p[n] == '\n' || p[n] == '\0'))
			return true;
	}
	return false;
}

static void check_mounts(struct checks *c)
{
	char list[8192] = "";
	int known = io_read_file_at(AT_FDCWD, "/proc/filesystems", list, sizeof(list));
	struct stat st;

	for (size_t i = 0; i < c->plan->mounts_len; i++) {
		const struct mount_op *op = &c->plan->mounts[i];

		snprintf(c->at, sizeof(c->at), "/mounts/%u/source", op->index);
		if (op->kind == MOUNT_BIND && lstat(op->source, &st) < 0)
			report(c, false, "`%s`: %s", op->source, err_describe(errno));
		snprintf(c->at, sizeof(c->at), "/mounts/%u/type", op->index);
		if (op->kind == MOUNT_FS && known > 0 && !has_filesystem(list, op->fstype))
			report(c, true,
			       "the kernel does not know the file system `%s`, unless a module can be loaded",
			       op->fstype);
	}
}

static void check_namespaces(struct checks *c)
{
	const struct oci_linux *lx = c->plan->linux_;

	for (size_t i = 0; i < lx->namespaces_len; i++) {
		const struct oci_linux_namespace *ns = &lx->namespaces[i];
		const char *name = oci_namespace_type_name(ns->type);
		char path[64];

		for (size_t k = 0; k < NS_COUNT; k++) {
			if (!str_eq(ns_table[k].spec_name, name))
				continue;
			snprintf(path, sizeof(path), "/proc/self/ns/%s", ns_table[k].name);
			snprintf(c->at, sizeof(c->at), "/linux/namespaces/%zu/type", i);
			if (access(path, F_OK) < 0)
				report(c, false, "this kernel has no %s namespaces", name);
		}
		snprintf(c->at, sizeof(c->at), "/linux/namespaces/%zu/path", i);
		if (ns->path && ns->path[0] && access(ns->path, F_OK) < 0)
			report(c, false, "`%s`: %s", ns->path, err_describe(errno));
	}
}

static void check_hooks(struct checks *c)
{
	struct plan_hook_stage stages[PLAN_HOOK_STAGES];

	plan_hook_stages(c->plan->config->hooks, stages);
	for (size_t s = 0; s < ARRAY_LEN(stages); s++) {
		if (stages[s].in_container)
			continue;
		for (size_t i = 0; i < stages[s].len; i++) {
			const char *path = stages[s].list[i].path;

			snprintf(c->at, sizeof(c->at), "/hooks/%s/%zu/path", stages[s].name, i);
			if (access(path, X_OK) < 0)
				report(c, false, "`%s`: %s", path, err_describe(errno));
		}
	}
}

/* The kernel does not look at a mount option that it has no module for; the label of a process is an error (plan_check_labels). */
static void check_labels(struct checks *c)
{
	snprintf(c->at, sizeof(c->at), "/linux/mountLabel");
	if (c->plan->linux_->mount_label && c->plan->linux_->mount_label[0] &&
	    !c->plan->facts.selinux)
		report(c, true, "has no effect: SELinux is not enabled on this host");
}

/* process_madvise, the last system call of Linux 5.10, before which this program does not work. All architectures number new ones alike. */
#define NEWEST_OF_OLD 440

static void check_syscalls(struct checks *c)
{
#ifdef HAVE_SECCOMP
	const struct oci_linux_seccomp *seccomp = c->plan->linux_->seccomp;
	struct seccomp_library lib;
	struct crun_error err = {0};

	snprintf(c->at, sizeof(c->at), "/linux/seccomp");
	if (seccomp_library_load(&lib, &err) < 0) {
		report(c, false, "%s", err.text);
		return;
	}
	for (size_t i = 0; i < seccomp->syscalls_len; i++) {
		const struct oci_linux_syscall *rule = &seccomp->syscalls[i];

		for (size_t k = 0; k < rule->names_len; k++) {
			snprintf(c->at, sizeof(c->at), "/linux/seccomp/syscalls/%zu/names/%zu", i,
				 k);
			int nr = lib.resolve_name(rule->names[k]);

			if (nr > NEWEST_OF_OLD && !kernel_has_syscall(rule->names[k]))
				report(c, true, "this kernel has no system call `%s`",
				       rule->names[k]);
			if (nr == __NR_SCMP_ERROR)
				report(c, true,
				       "libseccomp does not know the system call `%s`: it is left out",
				       rule->names[k]);
		}
	}
#else
	snprintf(c->at, sizeof(c->at), "/linux/seccomp");
	report(c, false, "this program was built without seccomp");
#endif
}

void host_check(const struct launch_plan *plan, config_finding_fn found, void *data)
{
	struct checks c = {.plan = plan, .found = found, .data = data};
	const struct oci_linux_resources *res = plan->linux_->resources;

	check_root(&c);
	check_mounts(&c);
	check_namespaces(&c);
	if (plan->config->hooks)
		check_hooks(&c);
	check_labels(&c);
	if (plan->linux_->seccomp)
		check_syscalls(&c);
	kernel_check(plan, found, data);
	snprintf(c.at, sizeof(c.at), "/linux/resources/memory");
	if (res && res->memory && (res->memory->kernel || res->memory->kernel_tcp))
		report(&c, true, "kernel and kernelTCP are ignored: no kernel since 5.4 has them");
}
