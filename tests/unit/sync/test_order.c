// SPDX-License-Identifier: Apache-2.0
// The order of the phases of a launch: who must come before whom, and why.
#include "base/cleanup.h"
#include "base/str.h"
#include "host/launch.h"
#include "init/context.h"

#include "../test.h"

struct rule {
	const char *before, *after, *reason;
};

static const struct rule host_rules[] = {
	{"helpers", "spawn",
	 "programs of the host are opened before the container's files are there"},
	{"state", "intent", "the record is written into the reserved directory"},
	{"cgroup.select", "intent", "the record names the cgroup, for delete --force"},
	{"intent", "cgroup", "nothing is made before it is written down"},
	{"sockets", "cgroup", "a wrong --console-socket fails before anything is made"},
	{"cgroup.select", "spawn", "how init is born depends on who moves it into its cgroup"},
	{"cgroup", "spawn", "init is born in its cgroup"},
	{"gate", "spawn", "init inherits the listening socket"},
	{"namespaces", "spawn", "joined namespaces are opened with the host's rights"},
	{"sources", "spawn", "init inherits the bind sources"},
	{"seccomp.area", "spawn", "memory is shared through the fork"},
	{"spawn", "adopt", "only a process can be moved"},
	{"adopt", "go", "GO says: ids are mapped, the cgroup has you"},
	{"ready", "deadline", "the set-up of init would crawl, and its hooks could not be forked"},
	{"deadline", "settle", "the payload begins with its scheduler"},
	{"go", "config.copy", "init mounts while we write"},
	{"publish", "named", "with run, init goes on to the payload once its record names it"},
	{"named", "ready", "with run, init goes on by itself"},
	{"publish", "settle", "with create too the record names init before it may go on"},
	{"settle", "record",
	 "killed in between, a complete record would be that of an init which gave up"},
	{"publish", "hooks", "a hook may ask for the state"},
	{"seccomp.area", "seccomp.compile", "the program is compiled into the area"},
	{"seccomp.compile", "filter", "FILTER says: the program is in the area"},
	{"hooks", "filter", "init waits for RESUME before it waits for FILTER"},
	{"sockets", "spawn", "a missing listener for seccomp fails before anything was made"},
	{"filter", "listener", "init loads what is in the area"},
	{"publish", "listener", "a listener may ask for the state"},
	{"listener", "ready", "config-linux.md: create fails when the listener cannot be told"},
	{"filter", "ready", "READY is the last word of the ladder"},
};

static const struct rule init_rules[] = {
	{"go", "identity", "without an id map setresuid fails, or leaves the overflow id"},
	{"go", "join", "namespaces are entered when the cgroup is ours"},
	{"go", "affinity", "the CPUs of its cpuset are known in the cgroup"},
	{"go", "memory_policy", "the nodes of its cpuset are known in the cgroup"},
	{"go", "unshare", "a cgroup namespace is rooted at the cgroup of its maker"},
	{"identity", "unshare", "what belongs to namespaces is owned by their maker's ids"},
	{"identity", "rootfs",
	 "closed to ptrace before anything of the container is touched "
	 "(CVE-2016-9962)"},
	{"join", "unshare", "a new namespace must not replace one to be joined"},
	{"unshare", "network", "the loopback link of the new network namespace"},
	{"unshare", "sysctl", "sysctls belong to the namespaces"},
	{"unshare", "mounts", "sysfs, mqueue and cgroup mounts show the namespaces of their maker"},
	{"unshare", "rootfs", "a mount namespace made late would leave the mounts on the host"},
	{"timens", "mounts", "the host's procfs handle is used while nothing hides it"},
	{"session", "keyring", "setsid comes before a session keyring of our own"},
	{"sysctl", "mounts", "/proc/sys of the container may be mounted read-only"},
	{"label", "mounts", "attr/exec is opened in the host's procfs (CVE-2019-19921)"},
	{"status", "pivot", "the self-audit believes the host's procfs alone"},
	{"label", "pivot", "the host's procfs is gone after the pivot"},
	{"rootfs", "mounts", "mounts go below the root"},
	{"identity", "shield", "nobody may look at us before the binary is out of reach"},
	{"unshare", "shield", "it is cheap in a mount namespace that is new"},
	{"shield", "mounts", "it needs the host's /proc (CVE-2019-5736)"},
	{"shield", "createContainer", "no hook of the container's may reach our binary"},
	{"mounts", "devices", "nodes go into the /dev that was mounted"},
	{"mounts", "symlinks", "links go into the /dev that was mounted"},
	{"mounts", "hook_pause", "createRuntime hooks see the mounts done"},
	{"hook_pause", "createContainer", "runtime.md: createRuntime before createContainer"},
	{"hook_pause", "pivot", "config.md: createRuntime hooks run before pivot_root"},
	{"createContainer", "pivot", "config.md: createContainer hooks run before pivot_root"},
	{"createContainer", "seal", "a createContainer hook may still write to the root"},
	{"masks", "pivot", "the covers are made from the host's /dev/null"},
	{"masks", "seal", "seal covers with what masks made"},
	{"pivot", "console", "the terminal belongs to the container's devpts"},
	{"console", "seal", "/dev/console is a mount on a file that has to be made"},
	{"console", "credentials", "the terminal is given to the payload's user by root"},
	{"stdio", "credentials", "the standard streams are given to the payload's user by root"},
	{"seal", "propagation", "an unbindable mount cannot be cloned"},
	{"seal", "credentials", "mounts are changed with our capabilities"},
	{"hostname", "credentials", "sethostname needs CAP_SYS_ADMIN"},
	{"lsm", "credentials", "changing the label may need a capability"},
	{"rlimits", "credentials", "raising a hard limit needs CAP_SYS_RESOURCE"},
	{"credentials", "cwd", "config.md: the payload's user must be able to enter it"},
	{"credentials", "exec_path", "found as the payload's user would find it"},
	{"cwd", "exec_path", "a relative path is below the working directory"},
	{"environment", "exec_path", "everything that may fail comes before READY"},
	{"signals", "ready", "a created container has its final signals"},
	{"fds", "ready", "a created container holds no descriptor of the host (CVE-2024-21626)"},
	{"filter", "ready", "READY says: all that can fail has been done"},
	{"fds", "listener", "the notification fd is made when all others are closed"},
	{"credentials", "listener",
	 "the thread that loads the filter has the payload's credentials"},
	{"filter", "listener", "the program is loaded when it is there"},
	{"listener", "ready", "config-linux.md: create fails when the listener cannot be told"},
	{"filter", "seccomp", "the program is loaded when it is there"},
	{"ready", "settled", "the record is complete only after READY"},
	{"settled", "startContainer",
	 "nothing of the container's runs before the record names init"},
	{"startContainer", "limits", "init needs descriptors for as long as it does anything"},
	{"settled", "gate", "the gate leaves the channel"},
	{"gate", "startContainer", "runtime.md: startContainer hooks belong to start"},
	{"startContainer", "seccomp", "hooks are not the payload"},
	{"seccomp", "execve", "the filter is the last before the payload"},
};

static int find(const char *const *names, size_t n, const char *name)
{
	for (size_t i = 0; i < n; i++) {
		if (str_eq(names[i], name))
			return (int)i;
	}
	return -1;
}

static void check_rules(const struct rule *rules, size_t rules_len, const char *const *names,
			size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (find(names, i, names[i]) >= 0)
			TEST_FAIL("two phases are called %s", names[i]);
	}
	for (size_t i = 0; i < rules_len; i++) {
		int before = find(names, n, rules[i].before),
		    after = find(names, n, rules[i].after);

		if (before < 0 || after < 0)
			TEST_FAIL("no phase %s", before < 0 ? rules[i].before : rules[i].after);
		if (before >= after)
			TEST_FAIL("%s must come before %s: %s", rules[i].before, rules[i].after,
				  rules[i].reason);
	}
}

#define NAMES_MAX 80

TEST(order_of_the_host_side)
{
	const char *names[NAMES_MAX];
	size_t n = 0;

	for (const struct host_phase *p = host_phases; p->name; p++)
		names[n++] = p->name;
	check_rules(host_rules, ARRAY_LEN(host_rules), names, n);
}

TEST(order_of_init)
{
	const char *names[NAMES_MAX];
	size_t n = 0;

	for (const struct outside_phase *p = outside_phases; p->name; p++)
		names[n++] = p->name;
	CHECK_STR(names[n - 1], "pivot");
	for (const struct inside_phase *p = inside_phases; p->name; p++)
		names[n++] = p->name;
	for (const struct last_phase *p = last_phases; p->name; p++)
		names[n++] = p->name;
	CHECK_STR(names[n - 1], "execve");
	CHECK_STR(names[n - 2], "seccomp");
	check_rules(init_rules, ARRAY_LEN(init_rules), names, n);
}

/* Whatever makes something that stays knows how to take it back. */
TEST(what_the_host_side_makes_it_can_undo)
{
	static const char *const makers[] = {"state", "cgroup", "spawn", "publish"};

	for (size_t i = 0; i < ARRAY_LEN(makers); i++) {
		const struct host_phase *p = host_phases;

		while (p->name && !str_eq(p->name, makers[i]))
			p++;
		CHECK(p->name);
		CHECK(p->undo);
	}
}

TEST_MAIN()
