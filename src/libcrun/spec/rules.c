// SPDX-License-Identifier: Apache-2.0
// Sections of the specification by pointer: see rules.h.
#include "spec/rules.h"

#include "base/cleanup.h"

#include <string.h>

/* The first that fits counts: what is special comes first. */
static const struct rule rules[] = {
	{"/ociVersion", "config.md#specification-version",
	 "set ociVersion to the version that the file is written for, such as 1.2.0"},
	{"/root/readonly", "config.md#root", "add {\"type\": \"mount\"} to linux.namespaces"},
	{"/root", "config.md#root",
	 "set root.path to the directory of the root file system, absolute or below the bundle"},
	{"/mounts/*/options", "config.md#mounts",
	 "correct or remove the option; `crun features` lists those that are known"},
	{"/mounts/*/source", "config.md#mounts",
	 "create the source, or correct its path: relative ones start at the bundle"},
	{"/mounts/*/type", "config.md#posix-platform-mounts",
	 "name a file system of this kernel, or add the option bind"},
	{"/mounts/*/uidMappings/*", "config-linux.md#user-namespace-mappings",
	 "correct or remove the mount's mappings"},
	{"/mounts/*/gidMappings/*", "config-linux.md#user-namespace-mappings",
	 "correct or remove the mount's mappings"},
	{"/mounts/*/uidMappings", "config.md#posix-platform-mounts",
	 "correct or remove the mount's mappings"},
	{"/mounts/*/gidMappings", "config.md#posix-platform-mounts",
	 "correct or remove the mount's mappings"},
	{"/mounts", "config.md#mounts", "correct or remove the mount"},
	{"/process/terminal", "config.md#process",
	 "set process.terminal to false, or use --console-socket"},
	{"/process/cwd", "config.md#process", "give an absolute path inside the container"},
	{"/process/args", "config.md#process", "give the program and its arguments"},
	{"/process/env", "config.md#process", "write each variable as NAME=value"},
	{"/process/user", "config.md#posix-platform-user",
	 "use an id that linux.uidMappings and linux.gidMappings map, or map this one"},
	{"/process/capabilities", "config.md#linux-process",
	 "use names of capabilities(7) that this kernel has, or remove them"},
	{"/process/rlimits", "config.md#posix-process",
	 "name each limit of getrlimit(2) once, with soft not above hard"},
	{"/process/apparmorProfile", "config.md#linux-process",
	 "remove the profile, or run on a host with AppArmor"},
	{"/process/selinuxLabel", "config.md#linux-process",
	 "remove the label, or run on a host with SELinux"},
	{"/process/noNewPrivileges", "config.md#linux-process", "give true or false"},
	{"/process/oomScoreAdj", "config.md#linux-process", "give a number from -1000 to 1000"},
	{"/process/scheduler", "config.md#linux-process", "correct or remove process.scheduler"},
	{"/process/ioPriority", "config.md#linux-process", "correct or remove process.ioPriority"},
	{"/process/execCPUAffinity", "config.md#linux-process",
	 "give lists of CPUs such as 0-3,7, or remove them"},
	{"/process", "config.md#process", "correct the field, or remove it"},
	{"/hostname", "config.md#hostname", "add {\"type\": \"uts\"} to linux.namespaces"},
	{"/domainname", "config.md#domainname", "add {\"type\": \"uts\"} to linux.namespaces"},
	{"/hooks", "config.md#posix-platform-hooks",
	 "give the absolute path of an executable file, or remove the hook"},
	{"/annotations", "config.md#annotations", "correct or remove the annotation"},
	{"/linux/namespaces/*/path", "config-linux.md#namespaces",
	 "name a namespace file such as /proc/PID/ns/net, or leave path out for a new namespace"},
	{"/linux/namespaces", "config-linux.md#namespaces",
	 "list each namespace once, and only those that this kernel has"},
	{"/linux/uidMappings", "config-linux.md#user-namespace-mappings",
	 "add {\"type\": \"user\"} to linux.namespaces and map each id once"},
	{"/linux/gidMappings", "config-linux.md#user-namespace-mappings",
	 "add {\"type\": \"user\"} to linux.namespaces and map each id once"},
	{"/linux/timeOffsets", "config-linux.md#offset-for-time-namespace",
	 "add {\"type\": \"time\"} to linux.namespaces, or remove the offsets"},
	{"/linux/devices", "config-linux.md#devices",
	 "give path, type, major and minor as stat(1) shows them"},
	{"/linux/netDevices", "config-linux.md#network-devices",
	 "correct or remove the network device"},
	{"/linux/cgroupsPath", "config-linux.md#cgroups-path",
	 "give a path without . and .., or leave it out"},
	{"/linux/resources/devices", "config-linux.md#device-whitelist",
	 "correct the rule: type a, b or c, access letters of rwm"},
	{"/linux/resources/memory", "config-linux.md#memory",
	 "correct the limit; -1 means no limit"},
	{"/linux/resources/cpu", "config-linux.md#cpu", "correct the limit"},
	{"/linux/resources/pids", "config-linux.md#pids", "correct the limit; -1 means no limit"},
	{"/linux/resources/blockIO", "config-linux.md#block-io", "correct the limit"},
	{"/linux/resources/hugepageLimits", "config-linux.md#huge-page-limits",
	 "give each page size once, as in 2MB"},
	{"/linux/resources/network", "config-linux.md#network", "correct or remove the limit"},
	{"/linux/resources/rdma", "config-linux.md#rdma", "correct or remove the limit"},
	{"/linux/resources/unified", "config-linux.md#unified",
	 "use names of cgroup v2 files that hold limits"},
	{"/linux/resources", "config-linux.md#control-groups", "correct or remove the limit"},
	{"/linux/intelRdt", "config-linux.md#intelrdt", "correct or remove linux.intelRdt"},
	{"/linux/memoryPolicy", "config-linux.md#memory-policy",
	 "correct or remove linux.memoryPolicy"},
	{"/linux/sysctl", "config-linux.md#sysctl",
	 "set only what belongs to a namespace of the container's own, and list that namespace"},
	{"/linux/seccomp/syscalls/*/names", "config-linux.md#seccomp",
	 "correct the name; one that only newer kernels have may stay"},
	{"/linux/seccomp", "config-linux.md#seccomp", "correct the rule, or remove it"},
	{"/linux/rootfsPropagation", "config-linux.md#rootfs-mount-propagation",
	 "use shared, slave, private or unbindable, and a mount namespace"},
	{"/linux/maskedPaths", "config-linux.md#masked-paths",
	 "add {\"type\": \"mount\"} to linux.namespaces, or remove the paths"},
	{"/linux/readonlyPaths", "config-linux.md#readonly-paths",
	 "add {\"type\": \"mount\"} to linux.namespaces, or remove the paths"},
	{"/linux/mountLabel", "config-linux.md#mount-label",
	 "remove the label, or run on a host with SELinux"},
	{"/linux/personality", "config-linux.md#personality",
	 "use the domain LINUX or LINUX32, without flags"},
	{"/linux", "config-linux.md", "correct the field, or remove it"},
	{"", "config.md", "correct the document"},
};

static int fits(const char *rule, const char *pointer)
{
	while (*rule && *pointer) {
		if (*rule == '*') {
			rule++;
			pointer += strcspn(pointer, "/");
			continue;
		}
		if (*rule++ != *pointer++)
			return 0;
	}
	return !*rule && (!*pointer || *pointer == '/');
}

const struct rule *rule_find(const char *pointer)
{
	for (size_t i = 0; i + 1 < ARRAY_LEN(rules); i++) {
		if (fits(rules[i].pointer, pointer))
			return &rules[i];
	}
	return &rules[ARRAY_LEN(rules) - 1];
}
