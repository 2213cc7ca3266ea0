/* SPDX-License-Identifier: Apache-2.0 */
/*
 * For tests on the kernel's cgroups: on the layout of this host, and on cgroup v2 alone in a private mount namespace. All that is made has the
 * test's own pid in its name; what this host lacks is skipped with a reason.
 */
#pragma once

#include "cgroup/internal.h"
#include "sys/file.h"
#include "sys/io.h"
#include "sys/process.h"

#include "../test.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/statfs.h>
#include <sys/wait.h>

static struct crun_error err;

static inline enum cgroup_layout host_layout(void)
{
	struct statfs fs;

	if (statfs(CG_ROOT, &fs) < 0)
		return CGROUP_NONE;
	if (fs.f_type == CGROUP2_SUPER_MAGIC_)
		return CGROUP_V2;
	if (statfs(CG_ROOT "/unified", &fs) == 0 && fs.f_type == CGROUP2_SUPER_MAGIC_)
		return CGROUP_HYBRID;
	return statfs(CG_ROOT "/memory", &fs) == 0 && fs.f_type == CGROUP_SUPER_MAGIC_
		       ? CGROUP_V1
		       : CGROUP_NONE;
}

/* Runs FN in a child with a mount namespace of its own, where cgroup v2 is all there is if V2. Its failures become ours. */
static inline void in_private_mounts(void (*fn)(void), bool v2)
{
	pid_t pid;
	int status;

	fflush(stdout);
	pid = fork();
	if (pid == 0) {
		if (sys_unshare(CLONE_NEWNS) < 0 ||
		    mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
		    (v2 && mount("cgroup2", CG_ROOT, "cgroup2", 0, NULL) < 0))
			_exit(77);
		test_skipped = NULL;
		fn();
		if (test_skipped)
			printf("# %s\n", test_skipped);
		fflush(stdout);
		_exit(test_failed ? 1 : 0);
	}
	if (waitpid(pid, &status, 0) != pid)
		TEST_FAIL("no child");
	if (WIFEXITED(status) && WEXITSTATUS(status) == 77)
		SKIP("cgroup2 cannot be mounted here");
	if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
		TEST_FAIL("status %x in the private mount namespace", status);
}

static inline struct plan_cgroup plan_for(const char *name, const struct oci_linux_resources *res)
{
	static char path[128];

	snprintf(path, sizeof(path), "/crun-test-cg-%d/%s", (int)getpid(), name);
	return (struct plan_cgroup){
		.manager = CGROUP_MANAGER_CGROUPFS,
		.layout = host_layout(),
		.id = "test",
		.path = path,
		.resources = res,
		.owner = (uid_t)-1,
	};
}

static inline struct cgroup *create(const struct plan_cgroup *plan)
{
	struct cgroup *cg = NULL;

	if (cgroup_select(plan, NULL, &cg, &err) < 0 || cgroup_create(cg, &err) < 0) {
		printf("# %s (at %s)\n", err.text, err.at);
		cgroup_free(cg);
		return NULL;
	}
	return cg;
}

/* The container's cgroup as another command sees it. */
static inline struct cgroup *reopen(const struct cgroup *cg)
{
	struct oci_record record = {.id = "test", .cgroup_path = cgroup_path(cg)};
	struct cgroup *again = NULL;
	const char *const *planned = cgroup_planned(cg);
	size_t n = 0;

	while (planned[n])
		n++;
	record.cgroup_created = (const char **)planned;
	record.cgroup_created_len = n;
	return cgroup_open(&record, &again, &err) < 0 ? NULL : again;
}

static inline bool any_left(const struct cgroup *cg)
{
	for (const char *const *p = cgroup_planned(cg); *p; p++) {
		if (access(*p, F_OK) == 0) {
			printf("# left: %s\n", *p);
			return true;
		}
	}
	return false;
}

static inline const char *read_in(const struct cgroup *cg, const char *file)
{
	static char text[4096];

	for (size_t i = 0; i < cg->hier_len; i++) {
		if (cg->hier[i].dir_fd >= 0 &&
		    io_read_file_at(cg->hier[i].dir_fd, file, text, sizeof(text)) >= 0)
			return text;
	}
	return "(missing)";
}

static inline bool has(const struct cgroup *cg, enum cg_controller c)
{
	for (size_t i = 0; i < cg->hier_len; i++) {
		if (cg->hier[i].controllers & CG_BIT(c))
			return true;
	}
	return false;
}

/* A process that waits to be killed; CLONE_INTO_CGROUP where that is how the container is born. */
static inline pid_t born_in(struct cgroup *cg)
{
	struct sys_clone_args args = {.exit_signal = SIGCHLD};
	pid_t pid;

	if (cgroup_clone_fd(cg) >= 0) {
		args.flags = CLONE_INTO_CGROUP;
		args.cgroup = (unsigned)cgroup_clone_fd(cg);
	}
	pid = sys_clone3(&args);
	if (pid == 0) {
		for (;;)
			pause();
	}
	if (pid > 0 && cgroup_needs_adopt(cg) && cgroup_adopt(cg, pid, &err) < 0)
		printf("# %s\n", err.text);
	return pid;
}

#define NEED_ROOT()                                      \
	do {                                             \
		if (geteuid() != 0)                      \
			SKIP("needs root");              \
		if (host_layout() == CGROUP_NONE)        \
			SKIP("no cgroups on this host"); \
	} while (0)

/* Each on this host's layout, and with cgroup v2 alone. */
#define TEST_BOTH(name)                        \
	TEST(host_##name)                      \
	{                                      \
		NEED_ROOT();                   \
		name();                        \
	}                                      \
	TEST(v2_##name)                        \
	{                                      \
		NEED_ROOT();                   \
		in_private_mounts(name, true); \
	}
