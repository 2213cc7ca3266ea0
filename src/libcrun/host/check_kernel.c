// SPDX-License-Identifier: Apache-2.0
// Asks the kernel whether it has what a configuration needs: see check_kernel.h.
#include "host/check_kernel.h"

#include "base/cleanup.h"
#include "base/str.h"
#include "cgroup/cgroup.h"
#include "fs/mount_idmap.h"
#include "fs/mount_source.h"
#include "host/idmaps.h"
#include "host/intelrdt.h"
#include "sys/file.h"
#include "sys/io.h"
#include "sys/mount.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct kernel_checks {
	const struct launch_plan *plan;
	config_finding_fn found;
	void *data;
};

/* A new file system of the type, without its parameters: some need a device. Returns the detached mount or -errno. */
static int make_instance(const char *fstype)
{
	_cleanup_close_ int fs = sys_fsopen(fstype);
	int r = fs < 0 ? fs : sys_fsconfig_create(fs);

	return r < 0 ? r : sys_fsmount(fs, 0);
}

/* The user namespace that MAP would be; that of a container which is to be joined is opened. */
static int open_userns(const struct kernel_checks *c, const struct mount_idmap *map,
		       struct crun_error *err)
{
	const struct oci_linux *lx = c->plan->linux_;

	if (map->uids_len)
		return mount_idmap_namespace(map, err);
	for (size_t i = 0; i < lx->namespaces_len; i++) {
		if (lx->namespaces[i].type == OCI_NAMESPACE_TYPE_USER && lx->namespaces[i].path) {
			int fd = sys_openat(AT_FDCWD, lx->namespaces[i].path, O_RDONLY | O_NONBLOCK,
					    0);

			return fd < 0 ? err_sys_code(err, CODE_NAMESPACE_JOIN, fd, "open `%s`",
						     lx->namespaces[i].path)
				      : fd;
		}
	}
	return err_sys(err, -EPERM, "find the user namespace of the mapping");
}

/* *RET_TRIED: it came to the mapping itself. */
static int try_idmap(const struct kernel_checks *c, const struct mount_op *op, bool *ret_tried,
		     struct crun_error *err)
{
	_cleanup_close_ int userns = open_userns(c, op->idmap, err);
	_cleanup_close_ int fd = FD_NONE;

	if (userns < 0)
		return userns;
	if (op->kind == MOUNT_BIND) {
		fd = mount_source_open(NULL, op->source, op->recursive,
				       op->src_nofollow || op->copy_symlink, err);
		*ret_tried = fd >= 0;
		return fd < 0 ? fd
			      : mount_idmap_clone(fd, op->source, op->idmap->recursive, userns,
						  err);
	}
	fd = make_instance(op->fstype);
	if (fd < 0)
		return err_sys(err, -EPERM, "make a %s file system without its options",
			       op->fstype);
	*ret_tried = true;
	return mount_idmap_instance(fd, op->fstype, userns, err);
}

static void check_idmaps(const struct kernel_checks *c)
{
	for (size_t i = 0; i < c->plan->mounts_len; i++) {
		const struct mount_op *op = &c->plan->mounts[i];
		struct crun_error err = {0};
		char at[64], text[128];
		bool tried = false;

		if (!op->idmap || (op->kind == MOUNT_BIND && access(op->source, F_OK) < 0))
			continue;
		if (try_idmap(c, op, &tried, &err) >= 0)
			continue;
		snprintf(at, sizeof(at), "/mounts/%u", op->index);
		if (tried && (err.errnum != EPERM || geteuid() == 0)) {
			c->found(c->data, false, at, err.text);
			continue;
		}
		snprintf(text, sizeof(text),
			 "whether its file system can be idmapped could not be tried: %s",
			 err_describe(err.errnum));
		c->found(c->data, true, at, text);
	}
}

/* The kernel's name of an action: "SCMP_ACT_NOTIFY" is "user_notif". */
static const char *action_name(enum oci_seccomp_action action)
{
	switch (action) {
	case OCI_SECCOMP_ACTION_NOTIFY:
		return "user_notif";
	case OCI_SECCOMP_ACTION_LOG:
		return "log";
	case OCI_SECCOMP_ACTION_KILL_PROCESS:
		return "kill_process";
	default:
		return NULL; /* as old as filters */
	}
}

static void check_action(const struct kernel_checks *c, const char *available,
			 enum oci_seccomp_action action, const char *at)
{
	const char *name = action_name(action), *p = name ? strstr(available, name) : NULL;
	char text[96];

	if (!name || (p && strchr(" \n", p[strlen(name)])))
		return;
	snprintf(text, sizeof(text), "this kernel has no seccomp action `%s`", name);
	c->found(c->data, false, at, text);
}

static void check_seccomp_actions(const struct kernel_checks *c)
{
	const struct oci_linux_seccomp *seccomp = c->plan->linux_->seccomp;
	char available[512], at[64];

	if (!seccomp)
		return;
	if (io_read_file_at(AT_FDCWD, "/proc/sys/kernel/seccomp/actions_avail", available,
			    sizeof(available)) < 0) {
		c->found(c->data, false, "/linux/seccomp",
			 "this kernel has no seccomp filters: no `/proc/sys/kernel/seccomp`");
		return;
	}
	check_action(c, available, seccomp->default_action, "/linux/seccomp/defaultAction");
	for (size_t i = 0; i < seccomp->syscalls_len; i++) {
		snprintf(at, sizeof(at), "/linux/seccomp/syscalls/%zu/action", i);
		check_action(c, available, seccomp->syscalls[i].action, at);
	}
}

static void check_user_namespaces(const struct kernel_checks *c)
{
	char text[32];

	if (plan_ns_is_own(c->plan, NS_USER) &&
	    io_read_file_at(AT_FDCWD, "/proc/sys/user/max_user_namespaces", text, sizeof(text)) >=
		    0 &&
	    str_eq(text, "0"))
		c->found(
			c->data, false, "/linux/namespaces",
			"this host allows no user namespaces: `/proc/sys/user/max_user_namespaces` "
			"is 0");
}

static void check_rdt(const struct kernel_checks *c)
{
	struct crun_error err;
	int fd = c->plan->linux_->intel_rdt ? intelrdt_open(&err) : FD_NONE;

	if (c->plan->linux_->intel_rdt && fd < 0)
		c->found(c->data, false, "/linux/intelRdt", err.text);
	close_fd(&fd);
}

static void check_memory_policy(const struct kernel_checks *c)
{
	if (c->plan->linux_->memory_policy && access("/proc/self/numa_maps", F_OK) < 0)
		c->found(c->data, false, "/linux/memoryPolicy",
			 "this kernel was built without NUMA: it has no memory policies");
}

/* "ffffffff81000000 T __x64_sys_openat2": on every architecture the name follows "sys_". */
bool kernel_has_syscall(const char *name)
{
	_cleanup_free_ char *line = NULL;
	bool any = false, has = false;
	size_t size = 0;
	FILE *f = fopen("/proc/kallsyms", "re");

	while (f && !has && getline(&line, &size, f) > 0) {
		const char *call = strstr(line, "_sys_");

		if (!call)
			continue;
		any = true;
		call += strlen("_sys_");
		has = strncmp(call, name, strlen(name)) == 0 && call[strlen(name)] == '\n';
	}
	if (f)
		fclose(f);
	return has || !any;
}

static void found_in_cgroup(void *data, const char *at, const char *text)
{
	const struct kernel_checks *c = data;

	c->found(c->data, false, at, text);
}

void kernel_check(const struct launch_plan *plan, config_finding_fn found, void *data)
{
	struct kernel_checks c = {.plan = plan, .found = found, .data = data};

	check_user_namespaces(&c);
	check_idmaps(&c);
	check_seccomp_actions(&c);
	check_rdt(&c);
	check_memory_policy(&c);
	cgroup_check(&plan->cgroup, found_in_cgroup, &c);
}
